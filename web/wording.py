"""Wording: what the studio's own names are called on its pages, and its sentences as a founder reads them.

Names of actions, permissions, jobs and agents are for programs, ids are for addresses, and commands are for whoever
runs the studio; a person in a browser has titles, "this project" and links.
"""

from __future__ import annotations

import re

from studio.proposals import TITLES

# The labels of the switches on a project's settings page.
PERMISSIONS: dict[str, str] = {
    "email_send": "Send mails to people",
    "deploy": "Trigger deployments",
    "repo_write": "Write to the repository",
    "ads_enabled": "Create ad campaigns",
}
JOBS: dict[str, str] = {
    "phase0.generate_packet": "Write the pitch",
    "phase.generate_packet": "Write the packet of a phase",
    "approval.execute": "Carry out an approved action",
    "email.process_due": "Send mails that are due",
    "drip.process_digests": "Write the digests",
    "drip.process_nudges": "Write the reminders",
    "nightshift.cycle_project": "Night shift",
    "chat.reply": "Answer in the chat",
    "onboarding.scan": "Scan a website",
    "code.generate_mvp": "Write code",
    "research.generate_report": "Research a report",
    "browser.check_page": "Check a page",
}
# What a browser looks at on a page, in the words in which a person asks for it.
CHECKS: dict[str, str] = {
    "screenshot": "Something can be seen",
    "mobile_responsive": "Fits a phone",
    "waitlist_form": "Has a form to sign up",
    "meta_tags": "Says what it is to search engines",
    "console_errors": "Its scripts run without errors",
    "failed_requests": "All of it is loaded",
    "broken_links": "Its links lead somewhere",
    "accessibility": "Can be used by everybody",
    "page_weight": "Is light",
    "web_vitals": "Is quick and stands still",
    "form_post": "Its form really sends",
    "visual_difference": "Looks as it was approved",
}
TASKS: dict[str, str] = {"approval_execution_failed": "An approved action failed"}
# Who does and asks for things, under any of the names by which rows call them.
AGENTS: dict[str, str] = {
    "ceo": "CEO agent",
    "research": "Research agent",
    "strategy": "Strategy agent",
    "design": "Design agent",
    "brand": "Brand agent",
    "growth": "Growth agent",
    "outreach": "Outreach agent",
    "engineering": "Engineering agent",
    "ceo_chat": "CEO agent, in the chat",
    "refine_control": "you, with a request for changes",
    "night_shift": "Night shift",
    "system": "the studio",
}

_NAMES = {**TITLES, **JOBS, **TASKS}
_ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_THINGS = "project|approval|job|message|file|upload|effect|mail|packet version|share link"
_NONE_SUCH = re.compile(rf"\b(no) ((?:\w+ ){{1,2}}?){_ID}")
_BY_ID = re.compile(rf"\b(the )?({_THINGS}) {_ID}", re.IGNORECASE)
_BARE_ID = re.compile(rf" ?\b{_ID}\b")
_COMMAND_ASIDE = re.compile(r"\s*\([^()]*`greenlight [^()]*\)")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_OWN_NAME = re.compile(rf"\b(?:{'|'.join(sorted(TITLES, key=len, reverse=True))})\b")
_PERMISSION = re.compile(
    rf"\bdoes not permit ({'|'.join(PERMISSIONS)})\b\.?(?: Change it in its settings, or leave the action\.)?"
)
_PAUSED = re.compile(r"\b(?:[Tt]his|[Tt]he) project is paused\.(?: Make it active first\.)?")
# Sentences that name a command, in the words of the pages that do the same.
_ELSEWHERE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"Raise (?:it with |the budget \()`greenlight projects budget`\)?\."), "Raise it in its settings."),
    (re.compile(r"Set one (?:with |\()`greenlight projects budget`\)?\."), "Set one in its settings."),
    (re.compile(r"(?:Raise|Change) it with `greenlight projects permissions`"), "Change it in its settings"),
    (re.compile(r"(?<=then say so): greenlight outbox resolve \S+ --done, or --retry"), " in the outbox"),
    (re.compile(r"Turn it on: greenlight nightshift on \S+"), "Turn it on in its settings."),
    (re.compile(rf"Nothing in the outbox has the id {_ID}"), "There is no such mail or effect"),
    (re.compile(rf"Deny approval {_ID} in the inbox\."), "Deny its approval in the inbox."),
)
_BUDGET = re.compile(r"\bbudget\b[^.]*\bdoes not cover\b|\bhas no budget\b", re.IGNORECASE)
BUDGET_REMEDIES = ("Raise it in its settings.", "Set one in its settings.")


def named(name: str) -> str | None:
    """Return the title of an action, a job or a task; None for a name that has none."""
    return _NAMES.get(name)


def agent(key: str) -> str:
    """Return who did something: `ceo_agent` is CEO agent, `ceo_chat` is CEO agent, in the chat."""
    known = AGENTS.get(key) or AGENTS.get(key.removesuffix("_agent"))
    if known is not None:
        return known
    name = key.replace("_", " ").replace(".", " ").removesuffix(" agent").strip()
    return f"{name[:1].upper()}{name[1:]} agent" if name else "–"


def plainly(text: str) -> str:
    """Return a sentence of the studio's with titles for its own names, and without ids and commands."""
    for pattern, words in _ELSEWHERE:
        text = pattern.sub(words, text)
    text = _COMMAND_ASIDE.sub("", text)
    kept = [sentence for sentence in _SENTENCE_END.split(text) if "`greenlight " not in sentence]
    text = " ".join(kept) if kept else text.replace("`", "")
    text = _NONE_SUCH.sub(lambda found: f"{found[1]} such {found[2].strip()}", text)
    text = _BY_ID.sub(_this, text)
    text = _BARE_ID.sub("", text)
    text = _PAUSED.sub("This project is paused. Resume it in its settings.", text)
    text = _PERMISSION.sub(lambda found: f"does not permit “{PERMISSIONS[found[1]]}”. Permit it in its settings.", text)
    return _OWN_NAME.sub(lambda found: f"“{TITLES[found[0]]}”", text)


def _this(found: re.Match[str]) -> str:
    return f"{'This' if found[0][0].isupper() else 'this'} {found[2].lower()}"


def is_of_budget(text: str) -> bool:
    """Say whether an error is that of a budget which is used up or not there."""
    return _BUDGET.search(text) is not None
