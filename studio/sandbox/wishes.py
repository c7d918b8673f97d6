"""What a founder tells the studio to do: orders in a chat message, told from questions and thoughts about the same.

An order is a sentence that begins with a verb in the imperative (German also: ends with it in the infinitive) and
names a thing that an action is about. A question is none, whatever words it has.
"""

from __future__ import annotations

import re
from typing import Any

from studio.sandbox import words
from studio.sandbox.facts import Facts
from studio.sandbox.reply import Block
from studio.sandbox.wording import quoted, say

TOOL = "propose_action"
REFINE = "refine_phase_assets"
# Below this a refinement says too little to be carried out.
_SHORTEST_GUIDANCE = 8
_WISH_CHARS = 160

_POLITE = re.compile(
    r"^(?:(?:please|kindly|now|then|ok(?:ay)?|so|and|yes|good|great|let['’]s|let us|go ahead(?: and)?|just"
    r"|bitte|nun|jetzt|dann|also|gut|ja|und)\b[\s,:;!.–-]*)+",
    re.IGNORECASE,
)
_QUOTED_LINE = re.compile(r"^\s*>.*$", re.MULTILINE)
_NOT = re.compile(r"\b(?:not|never|don['’]t|no|nicht|nie|niemals|kein\w*)\b", re.IGNORECASE)

_SEND = r"send|resend|start|schick\w*|send\w*|verschick\w*|versend\w*|starte\w*"
_START = r"start|run|launch|activate|trigger|create|begin|starte\w*|aktivier\w*|schalt\w*|leg\w*|löse?\w*|stoß\w*"
_PUBLISH = r"publish|republish|deploy|launch|release|ship|veröffentlich\w*|publizier\w*|stell\w*|schalt\w*"
_ACTS: tuple[tuple[str, str, str], ...] = (
    ("deploy_landing_page", _PUBLISH, r"landing\w*|(?:web)?(?:page|site)|(?:web|lande)?seite"),
    ("send_welcome_email_sequence", _SEND, r"welcome|willkommens\w*|begrüßung\w*"),
    ("send_phase2_lifecycle_email", _SEND, r"lifecycle|lebenszyklus\w*"),
    ("activate_meta_ads_campaign", _START, r"ads?|adverts?|advertising|campaign|anzeigen\w*|kampagne|werbung"),
    ("trigger_phase3_repo_workflow", _START, r"workflow|repo(?:sitory)?|pipeline"),
    ("trigger_phase3_deploy", f"{_START}|{_PUBLISH}", r"deploy(?:ment)?|hook|app|product|produkt|bereitstellung"),
)
_CHANGE = (
    r"make|change|update|edit|shorten|rewrite|reword|rework|redo|remake|rebuild|regenerate|refine|improve|tweak|fix"
    r"|adjust|revise|simplify|replace|remove|add|use|drop|aim|mach(?:e|en|t)?|änder(?:e|n)|kürz(?:e|en)"
    r"|überarbeit(?:e|en)|schreib(?:e|en)?|verbesser(?:e|n)|ersetz(?:e|en)|entfern(?:e|en)|füg(?:e|en)|gestalt(?:e|en)"
    r"|vereinfach(?:e|en)|pass(?:e|en)?|nimm|streich(?:e|en)?"
)
# A phase that is named, whatever else is: "revise the validation: name two channels" is about the validation.
_PHASES: tuple[tuple[int, str], ...] = (
    (0, r"phase (?:0|zero|null)|pitch(?:es)?"),
    (1, r"phase (?:1|one|eins)|validat(?:ion|e)s?|validierung\w*|validier\w+"),
    (2, r"phase (?:2|two|zwei)|distribut(?:ion|e)s?|vertrieb\w*|verteilung|verbreitung"),
    (3, r"phase (?:3|three|drei)|go(?:ing)?[- ]live|go-?live|livegang\w*|livestart"
        r"|launch(?!\s+(?:page|site|(?:e-?)?mails?|posts?|headline|copy|texts?))"),
)  # fmt: skip
# What a refinement may be about, by the phase whose packet holds it.
_ABOUT: tuple[tuple[int | None, str], ...] = (
    (2, r"channels?|outreach|budget|lifecycle|experiments?|ads?|campaign|kanäle?|anzeigen\w*|kampagne"),
    (3, r"checklist\w*|milestones?|rollback|tests?|architecture|meilensteine?|checkliste|architektur"),
    (0, r"tagline|persona|competitors?|market|mvp|scope|wettbewerb\w*|markt\w*|umfang"),
    (1, r"(?:sub)?headlines?|copy|landing\w*|page|site|button|cta|colou?rs?|palette|fonts?|brand\w*|logo|design|style"
        r"|hero|waitlist|form|(?:e-?)?mails?|welcome|section\w*|überschrift\w*|schlagzeile|(?:web)?seite|knopf|farben?"
        r"|schrift\w*|marke\w*|formular|abschnitt\w*|willkommens\w*"),
    (None, r"packet|deck|slides?|texts?|words|wording|titles?|plan|paket|folien?|texte?|titel|worte|wörter"),
)  # fmt: skip


def order(facts: Facts) -> Block | None:
    """Return the call of the proposing tool that the message orders, or None where it orders nothing."""
    for sentence in words.sentences(_QUOTED_LINE.sub("", facts.question)):
        told = _POLITE.sub("", sentence.strip())
        if not told or told.endswith("?"):
            continue
        found = _act(told) or _change(told)
        if found is not None:
            language = words.language_of(facts.question)
            why = say(language, "wish_reason", wish=quoted(told, language, _WISH_CHARS))
            return {"type": "tool_use", "name": TOOL, "input": {**found, "rationale": why}}
    return None


def announced(facts: Facts) -> str:
    """Return the sentence that goes before the call."""
    return say(words.language_of(facts.question), "wish_announced")


def answered(facts: Facts, result: Any) -> str:
    """Return what is to be said of the tool's result, the JSON object that it gave."""
    language = words.language_of(facts.question)
    told = result if isinstance(result, dict) else {}
    if told.get("noted") is True:
        return say(language, "wish_noted", title=quoted(str(told.get("title")), language))
    return say(language, "wish_refused", why=str(told.get("why") or result))


def _act(told: str) -> dict[str, Any] | None:
    if _NOT.search(told):
        return None
    for action, verbs, things in _ACTS:
        if _begins(told, verbs) and _names(told, things):
            return {"action_type": action}
    return None


def _change(told: str) -> dict[str, Any] | None:
    if not _begins(told, _CHANGE) or len(told) < _SHORTEST_GUIDANCE:
        return None
    wanted = {"action_type": REFINE, "guidance": told}
    if (named := _named_phase(told)) is not None:
        return {**wanted, "phase": named}
    for phase, things in _ABOUT:
        if _names(told, things):
            return wanted if phase is None else {**wanted, "phase": phase}
    return None


def _named_phase(told: str) -> int | None:
    """Return the phase that an order names, the first of several; None where it names none."""
    found = [
        (match.start(), phase)
        for phase, names in _PHASES
        if (match := re.search(rf"\b(?:{names})\b", told, re.IGNORECASE)) is not None
    ]
    return min(found)[1] if found else None


def _begins(told: str, verbs: str) -> bool:
    first, last = rf"(?:{verbs})\b", rf"\b(?:{verbs})[.!]*$"
    if re.match(first, told, re.IGNORECASE):
        return True
    # "Die Landingpage veröffentlichen!"
    return re.match(r"(?:die|das|den)\s", told, re.IGNORECASE) is not None and (
        re.search(last, told, re.IGNORECASE) is not None
    )


def _names(told: str, things: str) -> bool:
    return re.search(rf"\b(?:{things})\b", told, re.IGNORECASE) is not None
