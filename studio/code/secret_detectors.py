"""What a secret looks like: the patterns of detect-secrets, and of keys that it does not know.

Of the library only patterns are taken. Its own scan keeps its settings in one global object, and its plugins ask the
services themselves whether a key is real; neither may happen here, where several threads look through code that
nobody knows.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from detect_secrets.plugins.high_entropy_strings import HighEntropyStringsPlugin
    from detect_secrets.plugins.keyword import KeywordDetector

Pattern = re.Pattern[str]
# A real key has at least so many different characters; `ghp_xxxxxxxx…` stands in a manual.
DISTINCT_CHARACTERS = 10
_PLACEHOLDER = re.compile(r"example|placeholder|your[-_]|changeme|redacted|dummy|fake", re.IGNORECASE)
# Published by Microsoft for its emulator, the same for everybody.
_EMULATOR = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq"


@dataclass(frozen=True)
class Detector:
    """One kind of secret. `find` yields what looks like one; it is asked only where one of `hints` stands.

    `hints` are in lower case. What a detector finds that `blocks` is a secret, or was made to look like one; of the
    others only a person can say.
    """

    kind: str
    hints: tuple[str, ...]
    find: Callable[[str], Iterator[str]]
    blocks: bool = True

    def concerns(self, lowered: str) -> bool:
        """Say whether there may be something in the text of which `lowered` is the lower case."""
        return any(hint in lowered for hint in self.hints)


@functools.cache
def detectors() -> tuple[Detector, ...]:
    """Return all of them, the ones that block first. The library is loaded with the first call."""
    from detect_secrets.plugins import (
        aws,
        azure_storage_key,
        basic_auth,
        discord,
        github_token,
        gitlab_token,
        high_entropy_strings,
        jwt,
        keyword,
        mailchimp,
        pypi_token,
        sendgrid,
        slack,
        square_oauth,
        stripe,
        telegram_token,
        twilio,
    )

    known = (
        (azure_storage_key.AzureStorageKeyDetector, ("accountkey=",)),
        (discord.DiscordBotTokenDetector, (".",)),
        (github_token.GitHubTokenDetector, ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
        (gitlab_token.GitLabTokenDetector, ("gl",)),
        (mailchimp.MailchimpDetector, ("-us",)),
        (pypi_token.PypiTokenDetector, ("pypi-",)),
        (sendgrid.SendGridDetector, ("sg.",)),
        (slack.SlackDetector, ("xox", "hooks.slack.com")),
        (square_oauth.SquareOAuthDetector, ("sq0csp-",)),
        (stripe.StripeDetector, ("k_live_",)),
        (telegram_token.TelegramBotTokenDetector, (":",)),
    )
    return (
        *(Detector(plugin.secret_type, hints, _matches(tuple(plugin.denylist))) for plugin, hints in known),
        # Of its two patterns the first finds access keys in the middle of encoded pictures; see `_OWN`.
        Detector("AWS secret key", ("aws",), _matches(tuple(aws.AWSKeyDetector.denylist)[1:])),
        *(Detector(kind, (hint,), _matches((re.compile(pattern),))) for kind, hint, pattern in _OWN),
        Detector("OpenAI Token", ("t3blbkfj",), _openai_keys),
        Detector("Supabase service key", ("eyj",), _service_keys),
        Detector("JSON Web Token", ("eyj",), _matches(tuple(jwt.JwtTokenDetector.denylist)), blocks=False),
        Detector(
            "Password in an address", ("://",), _matches(tuple(basic_auth.BasicAuthDetector.denylist)), blocks=False
        ),
        Detector("Twilio key", ("ac", "sk"), _matches(tuple(twilio.TwilioKeyDetector.denylist)), blocks=False),
        Detector("What is named like a secret", _KEYWORDS, _named(keyword.KeywordDetector()), blocks=False),
        Detector("Random text", ("'", '"'), _random(high_entropy_strings.HexHighEntropyString()), blocks=False),
        Detector("Random text", ("'", '"'), _random(high_entropy_strings.Base64HighEntropyString()), blocks=False),
    )


def is_placeholder(value: str) -> bool:
    """Say whether a value stands for a secret in a manual or an example, and is none."""
    return len(set(value)) < DISTINCT_CHARACTERS or _EMULATOR in value or _PLACEHOLDER.search(value) is not None


# (kind, hint, pattern), each with a beginning that means nothing else.
_OWN = (
    *(
        ("AWS access key", start.lower(), rf"(?<![A-Za-z0-9+/]){start}[0-9A-Z]{{16}}(?![A-Za-z0-9+/=])")
        for start in ("AKIA", "ASIA", "ABIA", "ACCA")
    ),
    ("Anthropic key", "sk-ant-", r"\bsk-ant-[A-Za-z0-9]+-[A-Za-z0-9_-]{20,200}"),
    ("GitHub token", "github_pat_", r"\bgithub_pat_[A-Za-z0-9_]{36,255}"),
    ("NPM token", "npm_", r"\bnpm_[A-Za-z0-9]{36}\b"),
    # The library's pattern takes time with the cube of the length, as its one for OpenAI's keys does (`_openai_keys`).
    ("NPM tokens", ":_authtoken=", r"/:_authToken=\s{0,8}(?:npm_\S{1,200}|[A-Fa-f0-9-]{36})"),
    ("Resend key", "re_", r"\bre_[A-Za-z0-9]{8}_[A-Za-z0-9]{24}\b"),
    ("Stripe webhook secret", "whsec_", r"\bwhsec_[A-Za-z0-9]{32,64}\b"),
    ("Supabase key", "sb_secret_", r"\bsb_secret_[A-Za-z0-9_-]{20,80}"),
    ("Supabase access token", "sbp_", r"\bsbp_[0-9a-f]{40}\b"),
    ("Google OAuth secret", "gocspx-", r"\bGOCSPX-[A-Za-z0-9_-]{28}"),
    ("DigitalOcean token", "dop_v1_", r"\bdop_v1_[0-9a-f]{64}\b"),
    ("Hugging Face token", "hf_", r"\bhf_[A-Za-z]{34}\b"),
    ("Vercel deploy hook", "/integrations/deploy/", r"/v1/integrations/deploy/prj_[A-Za-z0-9]{8,64}/[A-Za-z0-9]{8,64}"),
    # With what a key begins with behind it: programs that read keys have the first line as a text.
    (
        "Private key",
        "private key",
        r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:\s|\\[rn]|[\"',+;]){1,12}[A-Za-z0-9+/=]{24,76}",
    ),
    ("Private key", "putty-user-key-file", r"PuTTY-User-Key-File-[23]: [a-z0-9-]+"),
)
_KEYWORDS = ("key", "pass", "pwd", "secret", "contrase")
_TOKEN = re.compile(r"\beyJ[A-Za-z0-9_-]{10,2000}+\.(eyJ[A-Za-z0-9_-]{10,4000}+)\.[A-Za-z0-9_-]{20,1000}")
_OPENAI_START = re.compile(r"sk-[A-Za-z0-9_-]++")
_OPENAI_KEY = re.compile(r"[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}")
# The library's patterns for names take time with the cube of the length: nearly a second for 500 characters.
_NAMED_LINE_CHARS = 200


def _matches(patterns: tuple[Pattern, ...]) -> Callable[[str], Iterator[str]]:
    # The library's own method returns the groups of a pattern, which may be no more than a prefix.
    def find(text: str) -> Iterator[str]:
        for pattern in patterns:
            for found in pattern.finditer(text):
                yield found.group()

    return find


def _random(plugin: HighEntropyStringsPlugin) -> Callable[[str], Iterator[str]]:
    def find(text: str) -> Iterator[str]:
        for value in plugin.analyze_string(text):
            if plugin.calculate_shannon_entropy(value) > plugin.entropy_limit:
                yield value

    return find


def _named(plugin: KeywordDetector) -> Callable[[str], Iterator[str]]:
    def find(text: str) -> Iterator[str]:
        if len(text) <= _NAMED_LINE_CHARS:
            yield from plugin.analyze_string(text)

    return find


def _openai_keys(text: str) -> Iterator[str]:
    for found in _OPENAI_START.finditer(text):
        for key in _OPENAI_KEY.finditer(text, found.start() + len("sk-"), found.end()):
            yield key.group()


def _service_keys(text: str) -> Iterator[str]:
    """Yield tokens that open a whole Supabase project; those of its visitors look the same but for what they say."""
    for found in _TOKEN.finditer(text):
        payload = found[1]
        try:
            said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (ValueError, binascii.Error, RecursionError):
            continue
        if isinstance(said, dict) and said.get("role") == "service_role":
            yield found.group()
