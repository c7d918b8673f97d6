"""What looks like a key, and what is named like a secret: rules that find it in time linear in the text.

A rule looks only where its hint stands, and never goes over the same stretch again and again: what it looks at of a
hint that leads to nothing is bounded, or cannot hold another place to begin at, or is taken up as `plain`. What is
hidden has no longest length.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from studio.secrets import HIDDEN

# White space as it is, and as it stands in JSON within a text.
_SPACE = r"(?:\s|\\[nrt])"
# A key begins where a word does, or behind an escape of JSON.
_BEGIN = r"(?:(?<![A-Za-z0-9_])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4}))"
# Between the name of a secret and its value.
_MEANS = r"""\\*+["']?\s*+[=:]\s*+"""
# Its value: in quotes, in escaped quotes, or up to where a value ends. A quote that was cut off ends with its line.
_END = r"(?=\\*(?:[\r\n]|\Z))"
_VALUE = (
    r"(?!(?:bearer|basic)\s)"
    rf"""(?P<value>"(?:[^"\\\r\n]++|\\.)*(?:"|{_END})|'(?:[^'\\\r\n]++|\\.)*(?:'|{_END})"""
    rf"""|\\++"[^"\\\r\n]*+(?:\\++"|{_END})|[^\s"'&,;}}\\]++)"""
)
# What stands there instead of a cookie is skipped: it may be full of the word, and holds none either.
_COOKIE = r"""(?:(?P<value>[^\s"'=;\\]++=[^\r\n"'\\]*+)|(?P<plain>[^\s"'=;\\]++))"""
# Names of secrets as keys, in lower case and without what separates their words.
_SECRET_NAME = re.compile(
    r"(?:(?:password|passwd|passphrase|secret|authorization|cookie|signature|credential"
    r"|(?:api|private|access|signing|encryption|secret)key)s?|accesskeyid|token)$"
)


@dataclass(frozen=True)
class Rule:
    """What `pattern` matches where `hint` stands is hidden. `sign` matches there in the lower case of a text's JSON.

    What a `pattern` takes up as `plain` is no secret. `names`: the keys of objects are looked at as well.
    """

    hint: str
    sign: re.Pattern[str]
    pattern: re.Pattern[str]
    replacement: str
    names: bool = False

    def concerns(self, lowered: str) -> bool:
        """Say whether there may be something to hide in what `lowered` is the lower case of, a text or JSON."""
        return next(self._found(self.sign, lowered, lowered), None) is not None

    def hide(self, text: str, lowered: str) -> str:
        """Return `text` without what is to be hidden; `lowered` has its characters at the same places."""
        pieces: list[str] = []
        kept = 0
        for found in self._found(self.pattern, text, lowered):
            pieces += (text[kept : found.start()], _hidden(found, self.replacement))
            kept = found.end()
        return "".join((*pieces, text[kept:])) if pieces else text

    def _found(self, expression: re.Pattern[str], text: str, lowered: str) -> Iterator[re.Match[str]]:
        at = lowered.find(self.hint)
        while at >= 0:
            found = expression.match(text, at)
            if found is not None and found.lastgroup != "plain":
                yield found
            at = lowered.find(self.hint, found.end() if found is not None else at + 1)


def concerned(lowered: str) -> list[Rule]:
    """Return the rules after which there may be something to hide in what `lowered` is the lower case of."""
    return [rule for rule in RULES if rule.concerns(lowered)]


def without(text: str, lowered: str, rules: Iterable[Rule]) -> str:
    """Return `text` without what `rules` hide; `lowered` is its lower case."""
    for rule in rules:
        cleaned = rule.hide(text, lowered)
        if cleaned is not text:
            text, lowered = cleaned, lower(cleaned)
    return text


def lower(text: str) -> str:
    """Return the lower case of `text`, character by character."""
    # The one letter whose lower case is two.
    return text.replace("İ", "ı").lower()


def is_secret_name(name: str) -> bool:
    """Say whether a key of this name holds a secret: `api_key`, `X-Api-Key`, `clientSecret`; not `input_tokens`."""
    return _is_secret_name(name[-64:])


@functools.lru_cache(maxsize=4096)
def _is_secret_name(name: str) -> bool:
    return _SECRET_NAME.search(re.sub(r"[-_ ]", "", name.lower())) is not None


def _hidden(found: re.Match[str], replacement: str) -> str:
    if found.lastgroup != "value":
        return found.expand(replacement)
    quoted = re.match(r"\\*[\"']", found["value"])
    quote = quoted.group() if quoted else ""
    return f"{found['name']}{quote}{HIDDEN}{quote}"


def _rule(hint: str, pattern: str, replacement: str = HIDDEN, flags: re.RegexFlag = re.NOFLAG) -> Rule:
    return Rule(hint, re.compile(pattern, flags | re.IGNORECASE), re.compile(pattern, flags), replacement)


def _named(hint: str, rest: str = "", *, means: str = _MEANS, value: str = _VALUE) -> Rule:
    """Return the rule of a name that means a secret: as a key always, in a text where `means` and `value` follow."""
    name = hint + rest
    pair = rf'"{_SPACE}*,{_SPACE}*"(?:[^"\\]++|\\.)*"{_SPACE}*\]'
    sign = rf"""{name}(?:["'\\]*{_SPACE}*[:=]|{pair})"""
    pattern = rf"(?P<name>{name}{means}){value}"
    return Rule(hint, re.compile(sign), re.compile(pattern, re.IGNORECASE), "", names=True)


def _prefixed(prefix: str) -> Rule:
    """Return the rule of keys that begin with `prefix`. Names of things in code are shorter, or have no digits."""
    rest = r"(?=[a-z_]*+[0-9])[a-z0-9_]*?[a-z0-9]{10}[a-z0-9_]*+"
    return _rule(prefix, _BEGIN + prefix + rest, flags=re.IGNORECASE)


RULES = (
    _rule("bearer", rf"(bearer{_SPACE}++)[a-z0-9._~+/=-]{{6,}}+", rf"\1{HIDDEN}", re.IGNORECASE),
    # Many a sentence begins with "Basic": what follows has to look like base64.
    _rule(
        "basic",
        rf"(basic{_SPACE}++)(?=[a-z+/]*+[0-9=])[a-z0-9+/]{{8,}}+=*+",
        rf"\1{HIDDEN}",
        re.IGNORECASE,
    ),
    _rule("://", r'(://[^\s/"@:]*+:)[^\s/"]+(?=@)', rf"\1{HIDDEN}"),
    _rule("sk-", _BEGIN + r"sk-(?:ant-[A-Za-z0-9_-]{4,}+|[A-Za-z0-9_-]{16,}+)"),
    # GitHub, Resend, Stripe.
    *map(_prefixed, ("ghp_", "gho_", "ghs_", "github_pat_", "re_", "sk_live_", "sk_test_", "whsec_")),
    # A long word may be full of "eyJ": where the first is no token, the others are none.
    _rule("eyj", r"eyJ[\w-]{4,}+\.[\w-]{4,}+\.[\w-]*+(?:\.[\w-]{4,}+)*|(?P<plain>eyJ[\w-]*+)"),
    _rule("akia", r"AKIA[0-9A-Z]{16}"),
    _rule("xox", r"xox[abeprs]-[A-Za-z0-9-]{10,}+"),
    _rule(
        "-----begin",
        r"-----BEGIN[A-Z ]*PRIVATE KEY-----.*?(?:-----END[A-Z ]*PRIVATE KEY-----|\Z)",
        flags=re.DOTALL,
    ),
    _named("passw", r"(?:or)?ds?"),
    _named("passphrase", "s?"),
    _named("secret", r"s?(?:[-_ ]?(?:access[-_ ]?)?keys?)?"),
    # Neither input_tokens nor token_count.
    _named("token"),
    _named("api", r"[-_ ]?keys?"),
    _named("private", r"[-_ ]?keys?"),
    _named("access", r"[-_ ]?key(?:s|[-_ ]?id)?"),
    _named("signing", r"[-_ ]?keys?"),
    _named("encryption", r"[-_ ]?keys?"),
    _named("authorization"),
    # These are words of every day, too.
    _named("cookie", r"s?", value=_COOKIE),
    _named("signature", r"s?", means="="),
    _named("credential", r"s?", means="="),
)
