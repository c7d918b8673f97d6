"""Telling a parked domain from a site, by what only a parked domain does.

A word such as "GoDaddy" or "for sale" proves nothing: shops, registrars and articles use it. A domain
counts as parked if it sends visitors to a parking service, if its nearly empty page loads one, or if a
short page says of itself, in so many words, that the domain is for sale or parked.
"""

from __future__ import annotations

import re
import urllib.parse
from typing import NamedTuple

from studio.webpage import Page

# Hosts that serve nothing but parked domains.
_PARKING_HOSTS = (
    "cashparking.com",
    "parkingcrew.net",
    "parkingpage.namecheap.com",
    "parklogic.com",
    "sedoparking.com",
)
# Market places and registrars with sites of their own: a redirect there counts if it names the domain.
_MARKET_HOSTS = (
    "above.com",
    "afternic.com",
    "atom.com",
    "bodis.com",
    "brandbucket.com",
    "buydomains.com",
    "dan.com",
    "domainmarket.com",
    "dynadot.com",
    "godaddy.com",
    "hugedomains.com",
    "namecheap.com",
    "porkbun.com",
    "sedo.com",
    "squadhelp.com",
    "undeveloped.com",
    "uniregistry.com",
)
# A judgement: about a screen of text. A longer page has something to say beside the offer.
SHORT_PAGE_CHARACTERS = 1500
# In running text a sale phrase counts only if there is hardly anything else, some four sentences.
BARE_PAGE_CHARACTERS = 400

_IS = r"(?:is|are|may\s+be|might\s+be|could\s+be)\s+(?:now\s+|currently\s+|also\s+)?"
_OFFERED = r"(?:for\s+sale|available\s+for\s+(?:purchase|sale)|up\s+for\s+auction|parked)\b"
# "This domain (example.com)": between subject and verb there is room for one name and nothing else, so
# that "our website builder is for sale" says nothing about the domain.
_NAME = r"(?:\s+[\"'(]?(?:[\w-]+\.)+\w{2,}[\"')]?)?"
_PHRASES = (
    rf"\b(?:this|the)\s+(?:premium\s+|web\s+)?domain(?:\s+name)?{_NAME}\s+{_IS}{_OFFERED}",
    r"\bthis\s+web\s?site\s+is\s+for\s+sale\b",
    r"\b(?:buy|purchase|acquire|inquire\s+about)\s+this\s+domain\b",
    r"\bmake\s+(?:an\s+)?offer\s+(?:on|for)\s+this\s+domain\b",
    r"\bparked\s+(?:free,?\s+)?courtesy\s+of\b",
    r"\bdiese\s+domain\s+(?:steht\s+zum\s+verkauf|ist\s+zu\s+verkaufen|kaufen)\b",
)
_PHRASE = re.compile("|".join(_PHRASES), re.IGNORECASE)
# A whole title or heading that is nothing but the offer.
_OFFER_TITLE = re.compile(r"(?:premium\s+)?domain(?:\s+name)?\s+(?:is\s+)?(?:for\s+sale|parked)\W*", re.IGNORECASE)
# The only script on a page that GoDaddy puts on a domain nobody uses.
_LANDER = re.compile(r"(?:location(?:\.href)?\s*=|location\.(?:replace|assign)\()\s*[\"']/lander\b")
# A key by which advertising blockers let the advertisements of parked domains through.
_PARKING_ATTRIBUTE = "data-adblockkey"
_QUOTE_MARGIN = 80


class ParkedSign(NamedTuple):
    """Why a domain counts as parked: a clause for a sentence, and the page's own words where there are any."""

    why: str
    quote: str | None


def parked_sign(domain: str, hops: tuple[str, ...], page: Page) -> ParkedSign | None:
    """Return the sign that `domain`, whose visit took `hops` (URLs) and showed `page`, is parked, or None."""
    redirects = [*hops[1:], *([urllib.parse.urljoin(hops[-1], page.refresh)] if page.refresh else [])]
    for url in redirects:
        host = _host(url)
        if _within(domain, host):
            continue
        if _is_any(host, _PARKING_HOSTS) or (_is_any(host, _MARKET_HOSTS) and _names(url, domain)):
            return ParkedSign(f"it sends visitors to {host}, where domains are parked or sold", None)
    if len(page.text) > SHORT_PAGE_CHARACTERS:
        return None
    return _said(domain, page) or _loaded(domain, page)


def _said(domain: str, page: Page) -> ParkedSign | None:
    # "example.com is for sale", "example.com domain for sale!", but not "cars.com for sale listings".
    own = re.compile(
        rf"(?<![\w.-]){re.escape(domain)}[\"')]?(?:\s+domain(?:\s+name)?)?"
        rf"\s+(?:{_IS}{_OFFERED}|for\s+sale\s*(?:[|!–—-]|$))",
        re.IGNORECASE,
    )
    for shown in filter(None, [page.title, *page.headings]):
        if _OFFER_TITLE.fullmatch(shown) or own.search(shown) or _PHRASE.search(shown):
            return ParkedSign("its title or heading says so", shown)
    if len(page.text) <= BARE_PAGE_CHARACTERS:
        found = own.search(page.text) or _PHRASE.search(page.text)
        if found:
            quote = page.text[max(0, found.start() - _QUOTE_MARGIN) : found.end() + _QUOTE_MARGIN].strip()
            return ParkedSign("its page says little else", quote)
    return None


def _loaded(domain: str, page: Page) -> ParkedSign | None:
    if len(page.text) > BARE_PAGE_CHARACTERS:
        return None
    if _PARKING_ATTRIBUTE in page.root:
        return ParkedSign("its nearly empty page carries the advertising key of parked domains", None)
    for url in page.embeds:
        host = _host(url)
        if _is_any(host, _PARKING_HOSTS) and not _within(domain, host):
            return ParkedSign(f"its nearly empty page is filled by {host}", None)
    if not page.text and any(_LANDER.search(script) for script in page.scripts):
        return ParkedSign("its empty page leads to a registrar's placeholder", None)
    return None


def _host(url: str) -> str:
    try:
        return (urllib.parse.urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_any(host: str, known: tuple[str, ...]) -> bool:
    return any(_within(name, host) for name in known)


def _within(name: str, host: str) -> bool:
    return host == name or host.endswith(f".{name}")


def _names(url: str, domain: str) -> bool:
    # Market places put the name into the path or the query, dots and case as they like.
    parts = urllib.parse.urlsplit(url)
    rest = urllib.parse.unquote(f"{parts.netloc.rpartition('.')[0]}/{parts.path}?{parts.query}").lower()
    return re.search(rf"(?<![a-z0-9-]){re.escape(domain)}(?![a-z0-9-])", rest) is not None
