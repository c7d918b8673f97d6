"""What the studio itself says in a report, in the report's language where it is known here, and else in English.

Statements, headings and questions are the agents'; why one of them was removed is not left to them.
"""

from __future__ import annotations

from studio.reports.languages import primary

_SENTENCES: dict[str, dict[str, str]] = {
    "no_source": {
        "en": "It names no page that was retrieved.",
        "de": "Sie nennt keine abgerufene Seite.",
    },
    "no_quote": {
        "en": "Its quote is too short to carry anything.",
        "de": "Ihr Zitat ist zu kurz, um etwas zu belegen.",
    },
    "quote_missing": {
        "en": "Its quote does not stand on the page.",
        "de": "Ihr Zitat steht nicht auf der Seite.",
    },
    "figure_missing": {
        "en": "Its quote does not contain {figures}.",
        "de": "Ihr Zitat enthält {figures} nicht.",
    },
    "other_matter": {
        "en": "Its quote speaks of something else.",
        "de": "Ihr Zitat spricht von etwas anderem.",
    },
    "unconfirmed": {
        "en": "Its quote is in another language, and no second reading has confirmed it.",
        "de": "Ihr Zitat ist in einer anderen Sprache, und keine zweite Lesung hat sie bestätigt.",
    },
    "not_reviewed": {
        "en": "The second reading passed it over.",
        "de": "Die zweite Lesung hat sie übergangen.",
    },
    "figures_unread": {
        "en": "It has a figure, and no second reading has confirmed it.",
        "de": "Sie enthält eine Zahl, und keine zweite Lesung hat sie bestätigt.",
    },
    "page_changed": {
        "en": "The page, fetched after the search, does not contain these words; only the search's own passage does.",
        "de": "Die Seite, nach der Suche abgerufen, enthält diese Worte nicht; nur die Fundstelle der Suche tut es.",
    },
    "second_partly": {
        "en": "By a second reading its quote supports it only in part: {reason}",
        "de": "Nach einer zweiten Lesung stützt ihr Zitat sie nur teilweise: {reason}",
    },
    "second_no": {
        "en": "By a second reading its quote does not support it: {reason}",
        "de": "Nach einer zweiten Lesung stützt ihr Zitat sie nicht: {reason}",
    },
    "nothing_retrieved": {
        "en": "The search returned nothing that can be quoted.",
        "de": "Die Suche ergab nichts, was sich zitieren lässt.",
    },
    "declined": {
        "en": "The model declined to look it up.",
        "de": "Das Modell hat es abgelehnt, danach zu suchen.",
    },
    "nothing_claimed": {
        "en": "The pages found do not answer it.",
        "de": "Die gefundenen Seiten beantworten sie nicht.",
    },
    "nothing_usable": {
        "en": "Pages were found, but the model made no usable statements of them.",
        "de": "Es wurden Seiten gefunden, aber das Modell machte keine brauchbaren Aussagen daraus.",
    },
    "said_elsewhere": {
        "en": "What the pages say to it is stated under another question.",
        "de": "Was die Seiten dazu sagen, steht bei einer anderen Frage.",
    },
    "nothing_stands": {
        "en": "No statement on it withstood the check.",
        "de": "Keine Aussage dazu hat der Prüfung standgehalten.",
    },
    "differ": {
        "en": "By a second reading the statements {numbers} do not agree.",
        "de": "Nach einer zweiten Lesung passen die Aussagen {numbers} nicht zusammen.",
    },
    "limit_searched": {
        "en": "Only pages that a web search returned were read; what it does not find is missing here.",
        "de": "Gelesen wurden nur Seiten, die eine Websuche ergab; was sie nicht findet, fehlt hier.",
    },
    "limit_nothing": {
        "en": "Nothing was found that a statement could rest on, so this report makes none.",
        "de": "Es wurde nichts gefunden, worauf sich eine Aussage stützen ließe; deshalb enthält der Bericht keine.",
    },
    "limit_unfetched": {
        "en": "Cited pages that could not be fetched as text: {count}. Of these only the passages that the search"
        " returned are kept.",
        "de": "Zitierte Seiten, die sich nicht als Text abrufen ließen: {count}. Von ihnen sind nur die Fundstellen der"
        " Suche aufbewahrt.",
    },
    "limit_cut": {
        "en": "Long pages of which perhaps only the beginning was kept: {count}. What stands further down was not"
        " checked.",
        "de": "Lange Seiten, von denen vielleicht nur der Anfang aufbewahrt ist: {count}. Was weiter unten steht, wurde"
        " nicht geprüft.",
    },
    "limit_no_second": {
        "en": "Questions without a usable second reading: {count}. Their statements were checked by their words"
        " alone, and those with figures are marked.",
        "de": "Fragen ohne brauchbare zweite Lesung: {count}. Ihre Aussagen sind nur an ihren Worten geprüft,"
        " und die mit Zahlen sind gekennzeichnet.",
    },
    "limit_carries": {
        "en": "The check shows that a quote carries its statement, not that the page is right.",
        "de": "Die Prüfung zeigt, dass ein Zitat seine Aussage trägt, nicht, dass die Seite recht hat.",
    },
    "limit_sandbox": {
        "en": "The sandbox model wrote this report from the documents it was given; it has no web access.",
        "de": "Das Sandbox-Modell schrieb diesen Bericht aus den Dokumenten, die es bekam; es hat keinen Netzzugang.",
    },
}  # fmt: skip


def say(language: str, key: str, **parts: object) -> str:
    """Return the sentence `key` in the language of a BCP 47 tag, or in English, with its parts filled in."""
    told = _SENTENCES[key]
    return told.get(primary(language), told["en"]).format(**parts)
