"""The conversation between a founder and the studio.

messages      what was said, page by page; asking
suggestions   what an answer suggests to do, until a person confirms or dismisses it
context       what the model is told of the project and the conversation
answering     the work of the job `chat.reply`: ask the model, store its answer
rehearsal     a chat with nobody, which warms a process up
"""

from studio.chat.messages import ChatMessage, Page, Posted, page, post
from studio.chat.suggestions import Suggestion, confirm, dismiss

__all__ = ["ChatMessage", "Page", "Posted", "Suggestion", "confirm", "dismiss", "page", "post"]
