"""From a request to what the model says to it."""

from __future__ import annotations

from studio.sandbox import answers, prose, search, tools, wishes
from studio.sandbox.code import player
from studio.sandbox.errors import invalid
from studio.sandbox.landing import compose as landing
from studio.sandbox.reply import Reply, finish, text_reply
from studio.sandbox.report import looking
from studio.sandbox.request import MessagesRequest
from studio.sandbox.search import Corpus


def compose(request: MessagesRequest, corpus: Corpus) -> Reply:
    """Return the answer to a request, already ended at its token limit and stop sequences.

    In this order: the code agent's next turn, a call of one of the client's tools, JSON for the schema asked for, a
    report of tool results, a web search, a page where copy and an art direction are given, and else prose. The same
    request gives the same answer.
    """
    return finish(_compose(request, corpus), request.max_tokens, request.stop_sequences)


def _compose(request: MessagesRequest, corpus: Corpus) -> Reply:
    if player.plays(request):
        return player.turn(request)
    call = tools.call_for(request)
    facts = request.facts
    if call is not None:
        said = ({"type": "text", "text": wishes.announced(facts)},) if call["name"] == wishes.TOOL else ()
        return Reply((*said, call), stop_reason="tool_use")
    if request.schema is not None:
        try:
            return text_reply(answers.compose_text(request.schema, facts))
        except RecursionError as exc:
            raise invalid("output_config.format.schema: no finite value fits this schema") from exc
    results = tools.results(request)
    if results:
        return text_reply(prose.after_tools(facts, results))
    if request.web_search is not None and request.tool_choice["type"] != "none":
        if looking.asked_for(facts):
            return looking.look_up(facts, request.web_search, request.web_fetch, corpus)
        asked = f"{request.system_text}\n{facts.question}"
        return search.research(facts, asked, request.web_search, corpus)
    if "direction" in facts.blocks and "landing" in facts.blocks:
        return text_reply(landing.page(facts))
    return text_reply(prose.chat(facts))
