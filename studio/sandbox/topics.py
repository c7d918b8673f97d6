"""What an idea touches, and the question that always comes with it.

Each caution follows from a word that stands in the idea, and quotes it; none of them claims a fact about the market.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from studio.sandbox import words
from studio.sandbox.wording import quoted, say
from studio.sandbox.words import Language


class Topic(NamedTuple):
    """Something an idea touches that always brings a question with it."""

    cues: dict[Language, str]
    text: dict[Language, str]


TOPICS: tuple[Topic, ...] = (
    Topic(
        {
            "en": r"marketplaces?|platforms?|uber for|airbnb for|"
            r"(?:connects?|match(?:es)?|pairs?)(?= (?!it\b|them\b|to\b)[^.]{3,80} (?:with|and|to) )",
            "de": r"marktpl[aä]tze?|plattform(?:en)?|marketplace|vermittelt|verbindet",
        },
        {
            "en": "this needs two sides at once; start where one of them can be filled by hand.",
            "de": "das braucht zwei Seiten zugleich; dort beginnen, wo sich eine von Hand füllen lässt.",
        },
    ),
    Topic(
        {
            "en": r"shar(?:e|es|ing)|lends?|lending|rents?|rental|borrow(?:s|ing)?|swap",
            "de": r"teilen|leihen|ausleihen|verleihen|mieten|vermieten|tauschen",
        },
        {
            "en": "things get damaged or do not come back; who pays then has to be settled.",
            "de": "manches geht kaputt oder kommt nicht zurück; wer dann zahlt, muss geklärt sein.",
        },
    ),
    Topic(
        {
            "en": r"patients?|health\w*|medical|clinics?|hospitals?|therap\w+|diabet\w+|nurses?|hospices?|"
            r"medication|diagnos\w+",
            "de": r"patient(?:en|innen)?|gesundheit\w*|pflege\w*|ärzt\w+|arztprax\w+|therap\w+|hospiz\w*|diabet\w+",
        },
        {
            "en": "this touches health; what may be stored, and who answers for advice, comes before any build.",
            "de": "das berührt die Gesundheit; was gespeichert werden darf und wer für Rat haftet, kommt zuerst.",
        },
    ),
    Topic(
        {
            "en": r"child(?:ren)?|kids?|toddlers?|babies|pupils|teens?|teenagers|schools?",
            "de": r"kind(?:er|ern)?|kinder\w+|schül\w+|schulen?|jugendlich\w+",
        },
        {
            "en": "where children are involved, consent and safety are part of the first version.",
            "de": "wo Kinder beteiligt sind, gehören Einwilligung und Schutz in die erste Fassung.",
        },
    ),
    Topic(
        {
            "en": r"AI|GPT|LLMs?|machine learning|predict(?:s|ion)?|forecasts?|recommends?|chatbots?|detects?",
            "de": r"KI|KI-\w+|GPT|chatbots?|vorhersag\w+|erkennt|prognos\w+",
        },
        {
            "en": "it will be wrong at times; how often, and what a wrong answer costs, should be measured first.",
            "de": "das wird manchmal falschliegen; wie oft, und was ein Fehler kostet, ist zuerst zu messen.",
        },
    ),
    Topic(
        {
            "en": r"pay|pays|payments?|subscription|invoices?|deposits?|refunds?|fees?|commission",
            "de": r"bezahl\w+|zahlung\w*|abos?|abonnement\w*|kaution|rechnung(?:en)?|provision|gebühr\w*",
        },
        {
            "en": "that means handling other people's money; holding, refunding and taxing it need an answer.",
            "de": "das heißt, mit fremdem Geld umzugehen; verwahren, erstatten und versteuern will geklärt sein.",
        },
    ),
    Topic(
        {
            "en": r"legal|contracts?|tax|taxes|insurance|invest(?:s|ing|ments?)?|loans?|mortgages?",
            "de": r"verträg\w*|vertrag|steuer(?:n|berater)?|versicherung\w*|kredit\w*|geldanlage\w*",
        },
        {
            "en": "this field is regulated; what may be offered without a licence has to be checked.",
            "de": "dieses Feld ist reguliert; was ohne Zulassung angeboten werden darf, ist zu prüfen.",
        },
    ),
    Topic(
        {
            "en": r"drones?|robots?|sensors?|devices?|hardware|batter(?:y|ies)|wearables?",
            "de": r"drohnen?|roboter|sensor(?:en)?|akkus?|hardware",
        },
        {
            "en": "physical things have to be bought, repaired and replaced, which software does not.",
            "de": "Dinge müssen gekauft, repariert und ersetzt werden; Software nicht.",
        },
    ),
    Topic(
        {
            "en": r"deliver(?:s|y|ies)?|local|nearby|neighbou?r\w*|village|street|town",
            "de": r"liefer\w+|ausliefer\w+|nachbar\w*|dorf|vor ort|regional\w*",
        },
        {
            "en": "it only works where enough people are close together, so one place comes first.",
            "de": "es trägt nur, wo genug Menschen nah beieinander sind; deshalb zuerst ein einziger Ort.",
        },
    ),
    Topic(
        {
            "en": r"photos?|locations?|contacts|messages|conversations?|recordings?|profiles?|camera",
            "de": r"fotos?|fotografier\w+|standort\w*|kontakte|nachrichten|profile?|kamera",
        },
        {
            "en": "these are personal data; keep only what the first version really needs.",
            "de": "das sind personenbezogene Daten; nur behalten, was die erste Fassung wirklich braucht.",
        },
    ),
    Topic(
        {
            "en": r"food|meals?|recipes?|restaurants?|kitchens?|sourdough",
            "de": r"lebensmittel|essen|mahlzeit\w*|hofl[aä]d\w+|küchen?|restaurants?",
        },
        {
            "en": "as soon as food is sold or sent, hygiene and labelling rules apply.",
            "de": "sobald Lebensmittel verkauft oder verschickt werden, gelten Hygiene- und Kennzeichnungsregeln.",
        },
    ),
    Topic(
        {
            "en": r"teams|companies|businesses|firms|enterprises?|B2B|SaaS|clinics|bakeries|agencies|theatres|theaters",
            "de": r"firmen|betriebe|unternehmen|\w+betriebe|agenturen|praxen|B2B|SaaS",
        },
        {
            "en": "whoever pays may not be whoever uses it, and both have to want it.",
            "de": "wer zahlt, ist vielleicht nicht, wer es nutzt; beide müssen es wollen.",
        },
    ),
    Topic(
        {
            "en": r"dogs?|cats?|pets?|horses?|animals?",
            "de": r"hunde?|katzen?|haustiere?|pferde?|tiere?",
        },
        {
            "en": "what happens when an animal is hurt, or hurts somebody, needs an answer.",
            "de": "was gilt, wenn ein Tier verletzt wird oder jemanden verletzt, braucht eine Antwort.",
        },
    ),
)


def topic_risks(text: str, language: Language, limit: int) -> list[str]:
    """Return up to `limit` cautions for what `text` touches, each quoting the word that calls for it."""
    spoken = words.plain(text)
    found: list[tuple[int, str]] = []
    for topic in TOPICS:
        match = re.search(rf"(?<![\w-])(?:{topic.cues[language]})(?![\w-])", spoken, re.IGNORECASE)
        if match:
            cue = quoted(match.group(), language)
            found.append((match.start(), say(language, "risk_topic", cue=cue, text=topic.text[language])))
    return [sentence for _, sentence in found[:limit]]
