"""The sentences around the project's words, in English and German.

Frames quote what they carry, so that no phrase of the founder's has to be bent into a grammar it does not fit.
"""

from __future__ import annotations

import re

from studio.sandbox import words
from studio.sandbox.phase_wording import PHASE_PHRASES
from studio.sandbox.words import Language

NOT_MEASURED = "not measured: no retrieved passage gives a figure"
PRICE_NOT_FOUND = "not found"

# A quotation longer than this stops being a reminder and becomes the text itself.
QUOTE_LIMIT = 170

PHRASES: dict[str, dict[Language, str]] = {
    # --- the verdict and its reasons
    "author": {
        "en": "Written by the sandbox model: it rearranges the project's own words and adds no knowledge of its own.",
        "de": "Geschrieben vom Sandbox-Modell: Es ordnet die Worte des Projekts und fügt kein eigenes Wissen hinzu.",
    },
    "counted": {
        "en": "The confidence figures count what is known (retrieved passages, and how much the idea spells "
        "out); they are not a judgement.",
        "de": "Die Zahlen zur Zuversicht zählen, was bekannt ist (abgerufene Passagen und wie viel die Idee "
        "ausspricht); sie sind kein Urteil.",
    },
    "no_evidence": {
        "en": "No market evidence was retrieved, so market and competition are not assessed and the "
        "confidence stays below 40.",
        "de": "Es wurden keine Belege zum Markt abgerufen; Markt und Wettbewerb sind deshalb nicht bewertet, "
        "und die Zuversicht bleibt unter 40.",
    },
    "evidence_one": {
        "en": "One retrieved passage was taken into account, from {hosts}.",
        "de": "Eine abgerufene Passage wurde berücksichtigt, von {hosts}.",
    },
    "evidence_many": {
        "en": "{count} retrieved passages were taken into account, from {hosts}.",
        "de": "{count} abgerufene Passagen wurden berücksichtigt, von {hosts}.",
    },
    "competitors_found": {
        "en": "The passages name others in this field: {names}.",
        "de": "Die Passagen nennen andere auf diesem Feld: {names}.",
    },
    "competitors_none": {
        "en": "No passage names a competitor; that is no sign that there is none.",
        "de": "Keine Passage nennt einen Wettbewerber; das heißt nicht, dass es keinen gibt.",
    },
    "says_both": {
        "en": "The idea says who it is for ({audience}) and what it does ({action}).",
        "de": "Die Idee sagt, für wen sie ist ({audience}) und was sie tut ({action}).",
    },
    "says_audience": {
        "en": "The idea says who it is for ({audience}), but not what exactly they would do with it.",
        "de": "Die Idee sagt, für wen sie ist ({audience}), aber nicht, was genau diese damit tun.",
    },
    "says_action": {
        "en": "The idea says what it does ({action}), but not for whom.",
        "de": "Die Idee sagt, was sie tut ({action}), aber nicht für wen.",
    },
    "says_neither": {
        "en": "The idea says neither who it is for nor what people would do with it.",
        "de": "Die Idee sagt weder, für wen sie ist, noch, was Menschen damit tun.",
    },
    "says_problem": {"en": "It names what is wrong today: {problem}", "de": "Sie nennt, was heute fehlt: {problem}"},
    "says_no_problem": {
        "en": "It names no problem: what people do today instead, and what that costs them, is open.",
        "de": "Sie nennt kein Problem: Was Menschen heute stattdessen tun und was es sie kostet, ist offen.",
    },
    "presence": {
        "en": "The studio looked at {domain} itself and found it {status}.",
        "de": "Das Studio hat {domain} selbst angesehen, mit dem Ergebnis: {status}.",
    },
    "remembered": {"en": "Remembered from earlier work: {note}", "de": "Aus früherer Arbeit erinnert: {note}"},
    "guided": {"en": "The founder asked: {guidance}", "de": "Wunsch aus dem Gründerteam: {guidance}"},
    # --- pitch and persona
    "pitch_unproven": {
        "en": "This pitch repeats the founder's description; no evidence about the market has been retrieved.",
        "de": "Dieser Text wiederholt die Beschreibung aus dem Gründerteam; Belege zum Markt wurden nicht abgerufen.",
    },
    "pitch_evidence": {
        "en": "What was retrieved about it, from {title}: {quote}",
        "de": "Dazu abgerufen, aus {title}: {quote}",
    },
    "pitch_thin": {
        "en": "The idea so far is {idea}. What it does, and for whom, is still to be described.",
        "de": "Die Idee lautet bisher {idea}. Was sie tut und für wen, ist noch zu beschreiben.",
    },
    "tagline_thin": {"en": "{idea}: still to be described", "de": "{idea}: noch zu beschreiben"},
    "tagline_none": {"en": "An idea without words yet", "de": "Eine Idee, noch ohne Worte"},
    "persona_unknown": {"en": "Not named yet", "de": "Noch nicht benannt"},
    "persona_named": {
        "en": "The founder's description names them: {sentence} This model knows nothing else about them.",
        "de": "Die Beschreibung nennt sie: {sentence} Mehr weiß dieses Modell nicht über sie.",
    },
    "persona_open": {
        "en": "The description does not say who would use this: {sentence} Who has this need most often is the "
        "first thing to find out.",
        "de": "Die Beschreibung sagt nicht, wer das nutzen würde: {sentence} Wer diesen Bedarf am häufigsten "
        "hat, ist als Erstes herauszufinden.",
    },
    "pain_asked": {
        "en": "Open question to {audience}: what do you do today instead, and what does it cost you?",
        "de": "Offene Frage an {audience}: Was tun Sie heute stattdessen, und was kostet es Sie?",
    },
    "pain_open": {
        "en": "Open: the idea names no difficulty that somebody has today.",
        "de": "Offen: Die Idee nennt keine Schwierigkeit, die heute jemand hat.",
    },
    # --- scope
    "scope_smallest": {
        "en": "The smallest version of {idea} that one person can use from beginning to end",
        "de": "Die kleinste Fassung von {idea}, die eine Person von Anfang bis Ende benutzen kann",
    },
    "scope_hand": {
        "en": "One page that explains it and takes an address from whoever wants it ({audience})",
        "de": "Eine Seite, die es erklärt und Adressen von denen annimmt, die es wollen ({audience})",
    },
    "scope_page": {
        "en": "One page that explains it and takes an address from whoever wants it",
        "de": "Eine Seite, die es erklärt und Adressen von denen annimmt, die es wollen",
    },
    "defer_feature": {
        "en": "{feature} (named in the idea; after the first test)",
        "de": "{feature} (in der Idee genannt; nach dem ersten Test)",
    },
    "defer_price": {
        "en": "Charging money, until people come back without being asked. The idea says: {price}",
        "de": "Geld verlangen, bis Menschen von selbst wiederkommen. Die Idee sagt: {price}",
    },
    "defer_rest": {
        "en": "Everything the description does not mention",
        "de": "Alles, was die Beschreibung nicht erwähnt",
    },
    # --- risks
    "risk_unchecked": {
        "en": "It has not been checked here whether something like it exists already, or failed before.",
        "de": "Hier wurde nicht geprüft, ob es so etwas schon gibt oder ob es gescheitert ist.",
    },
    "risk_competitor": {
        "en": "{name} is in this field already. A passage says: {positioning}",
        "de": "{name} ist auf diesem Feld schon da. Eine Passage sagt: {positioning}",
    },
    "risk_topic": {"en": "The idea mentions {cue}: {text}", "de": "Die Idee erwähnt {cue}: {text}"},
    "risk_audience": {
        "en": "As long as nobody is named whom it is for, no test can fail, and none can succeed.",
        "de": "Solange niemand benannt ist, für den es ist, kann kein Test scheitern und keiner gelingen.",
    },
    "risk_problem": {
        "en": "It may solve something that {audience} do not mind: no problem is named.",
        "de": "Vielleicht löst es etwas, das {audience} nicht stört: Es ist kein Problem benannt.",
    },
    # --- next actions
    "next_research": {
        "en": "Repeat the research with a model that can search the web (set ANTHROPIC_API_KEY): competitors "
        "and market size are open.",
        "de": "Die Recherche mit einem Modell wiederholen, das im Netz suchen kann (ANTHROPIC_API_KEY "
        "setzen): Wettbewerb und Marktgröße sind offen.",
    },
    "next_ask": {
        "en": "Ask five of those it is for ({audience}) how they manage today without it.",
        "de": "Fünf von denen fragen, für die es ist ({audience}), wie sie heute ohne es auskommen.",
    },
    "next_name": {
        "en": "Write down in one sentence who it is for, then ask five of them how they manage today.",
        "de": "In einem Satz aufschreiben, für wen es ist, und dann fünf davon fragen, wie sie heute auskommen.",
    },
    "next_try": {
        "en": "Do the core by hand, once, before building it: {feature}",
        "de": "Den Kern einmal von Hand leisten, bevor gebaut wird: {feature}",
    },
    "next_describe": {
        "en": "Describe the idea in three sentences: what it does, for whom, and what is wrong today.",
        "de": "Die Idee in drei Sätzen beschreiben: was sie tut, für wen, und was heute fehlt.",
    },
    "next_compare": {
        "en": "Use what {names} offers, and write down what is missing.",
        "de": "Nutzen, was {names} bietet, und aufschreiben, was fehlt.",
    },
    "next_price": {
        "en": "Ask about the price before building. The idea says: {price}",
        "de": "Nach dem Preis fragen, bevor gebaut wird. Die Idee sagt: {price}",
    },
    "next_domain": {
        "en": "Decide what {domain} should show; today it is {status}.",
        "de": "Entscheiden, was {domain} zeigen soll; heute ist es: {status}.",
    },
    # --- research
    "no_sources": {
        "en": "No passage was retrieved, so no competitor can be named: the sandbox model has no web access and "
        "invents none.",
        "de": "Es wurde keine Passage abgerufen, deshalb ist kein Wettbewerber zu nennen: Das Sandbox-Modell hat "
        "keinen Netzzugang und erfindet keine.",
    },
    "no_names": {
        "en": "{count} passages were retrieved, but none of them clearly names a company or product.",
        "de": "{count} Passagen wurden abgerufen, aber keine nennt eindeutig eine Firma oder ein Produkt.",
    },
    "some_names": {
        "en": "Only names that stand in the {count} retrieved passages; there may be more. Listed by the "
        "sandbox model from titles and quotes.",
        "de": "Nur Namen, die in den {count} abgerufenen Passagen stehen; es kann mehr geben. Vom Sandbox-Modell "
        "aus Titeln und Zitaten gelistet.",
    },
    "gap_unmentioned": {
        "en": "The retrieved passages about {name} do not mention {phrase}.",
        "de": "Die abgerufenen Passagen über {name} erwähnen {phrase} nicht.",
    },
    "gap_none": {
        "en": "None visible: the passages about {name} mention everything this idea turns on.",
        "de": "Keine erkennbar: Die Passagen über {name} erwähnen alles, worauf es der Idee ankommt.",
    },
    "title_only": {
        "en": "Named in a retrieved title, without a description: {title}",
        "de": "In einem abgerufenen Titel genannt, ohne Beschreibung: {title}",
    },
    # --- revision
    "revised_pitch": {
        "en": "Revised as the founder asked: {guidance}",
        "de": "Überarbeitet nach Wunsch: {guidance}",
    },
    "revised_scope": {"en": "As asked: {guidance}", "de": "Wie gewünscht: {guidance}"},
    "revised_drop": {"en": "Left out as asked: {item}", "de": "Auf Wunsch weggelassen: {item}"},
    "revised_reason": {
        "en": "Revised by the sandbox model to follow the founder's guidance: {guidance}",
        "de": "Vom Sandbox-Modell nach Vorgabe überarbeitet: {guidance}",
    },
    "revised_kill": {
        "en": "The founder asked to stop; the sandbox model has nothing to set against it.",
        "de": "Das Gründerteam möchte aufhören; das Sandbox-Modell hat dem nichts entgegenzusetzen.",
    },
    # --- web search and chat
    "search_lead": {
        "en": "I looked for {query} in the passages this sandbox has.",
        "de": "Ich habe in den Passagen dieser Sandbox nach {query} gesucht.",
    },
    "search_nothing": {
        "en": "The search for {query} returned nothing: the sandbox model has no web access{corpus}. I cannot "
        "name competitors, figures or sources from it.",
        "de": "Die Suche nach {query} hat nichts ergeben: Das Sandbox-Modell hat keinen Netzzugang{corpus}. Ich "
        "kann daraus weder Wettbewerber noch Zahlen oder Quellen nennen.",
    },
    "search_corpus_miss": {
        "en": ", and no document of its corpus matches",
        "de": ", und kein Dokument seines Bestands passt",
    },
    "search_found": {"en": "From {title}:", "de": "Aus {title}:"},
    "search_end": {
        "en": "That is all the search returned; the sandbox model adds nothing to it.",
        "de": "Mehr hat die Suche nicht ergeben; das Sandbox-Modell fügt nichts hinzu.",
    },
    "chat_author": {
        "en": "I am the sandbox model, so I can only answer from what this project says.",
        "de": "Ich bin das Sandbox-Modell und kann nur aus dem antworten, was dieses Projekt sagt.",
    },
    "chat_found": {"en": "What it says about that:", "de": "Was dort dazu steht:"},
    "chat_missing": {
        "en": "It says nothing about {topic} yet.",
        "de": "Zu {topic} steht dort noch nichts.",
    },
    "chat_idea": {"en": "The idea, in its own words: {idea}", "de": "Die Idee in ihren eigenen Worten: {idea}"},
    "chat_next": {
        "en": "A next step that follows from it: {action}",
        "de": "Ein nächster Schritt, der daraus folgt: {action}",
    },
    "chat_empty": {
        "en": "I am the sandbox model and have nothing to go on yet: describe the idea in a sentence or two.",
        "de": "Ich bin das Sandbox-Modell und habe noch nichts, worauf ich mich stützen kann: Beschreiben Sie "
        "die Idee in ein, zwei Sätzen.",
    },
    "tool_result": {"en": "{tool} returned: {result}", "de": "{tool} ergab: {result}"},
    "tool_error": {"en": "{tool} failed: {result}", "de": "{tool} ist fehlgeschlagen: {result}"},
    "not_stated": {"en": "not stated in the idea", "de": "in der Idee nicht angegeben"},
    **PHASE_PHRASES,
}


def say(language: Language, key: str, **parts: str) -> str:
    """Return the sentence `key` in `language` with its parts filled in."""
    return PHRASES[key][language].format(**parts)


def quoted(text: str, language: Language, limit: int = QUOTE_LIMIT) -> str:
    """Return `text` in the language's quotation marks, on one line, clipped to `limit` characters."""
    inner = " ".join(text.split()).strip()
    inner = re.sub(r"[\"“”„]", "’" if language == "en" else "‚", inner)
    inner = words.clip_words(inner, limit)
    return f"„{inner}“" if language == "de" else f"“{inner}”"


def quoted_sentence(text: str, language: Language, limit: int = QUOTE_LIMIT) -> str:
    """Return `text` as a quotation that may end a sentence: a full stop goes in where none stands."""
    return quoted(words.sentence_case(words.clip_words(" ".join(text.split()), limit)), language, limit + 1)


def listed(items: list[str], language: Language) -> str:
    """Return "A", "A and B" or "A, B and C"."""
    joint = " und " if language == "de" else " and "
    return joint.join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)
