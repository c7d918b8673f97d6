"""Looking for secrets takes time in proportion to the text, whatever stands there, and hides all of a secret.

Bounds are of processor time and generous: what goes over a stretch again and again takes minutes for these texts.
"""

from __future__ import annotations

import base64
import random
import time

import pytest

from studio.secrets import HIDDEN, redact_secrets
from studio.tracing.payload import serialised, stored
from studio.tracing.redaction import Redactor
from studio.tracing.secret_rules import RULES, Rule, lower

PLAIN = Redactor()
# What stands behind a hint that is repeated, so that it leads nowhere: each makes another stretch to look at.
BEHIND = ["", " ", "-", ".", ":", "=", "://", '="', '=\\"', '","', "a_", "1-", "\\n", " KEY"]
CHARS = 40_000
MOST_SECONDS = 2.0


def repeated(rule: Rule) -> list[str]:
    # These are looked for in the case that they have.
    hint = {"eyj": "eyJ", "akia": "AKIA", "-----begin": "-----BEGIN"}.get(rule.hint, rule.hint)
    return [(hint + behind) * (CHARS // len(hint + behind)) for behind in BEHIND]


@pytest.mark.parametrize("rule", RULES, ids=[rule.hint for rule in RULES])
def test_no_text_full_of_its_hint_holds_a_rule_up(rule: Rule) -> None:
    texts = [(text, lower(text)) for text in repeated(rule)]
    began = time.thread_time()
    for text, lowered in texts:
        rule.concerns(lowered)
        rule.hide(text, lowered)
    # One that is quadratic takes seconds for several of the texts; a linear one a twentieth of one for all.
    assert time.thread_time() - began < MOST_SECONDS / 2


@pytest.mark.parametrize("hide", [PLAIN.text, redact_secrets, lambda text: stored(serialised(text), PLAIN).text])
@pytest.mark.parametrize(
    "unit", ["eyJ", "re_", "cookie:", "Bearer ", "token=", "token ", 'secret="', "sk-ask-", "github_pat_"]
)
def test_a_megabyte_of_anything_is_no_matter(hide: object, unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    began = time.thread_time()
    hide(text)  # type: ignore[operator]
    assert time.thread_time() - began < MOST_SECONDS


def test_long_random_base64_is_no_matter() -> None:
    text = base64.urlsafe_b64encode(random.Random(1).randbytes(3_000_000)).decode()
    assert len(text) == 4_000_000
    began = time.thread_time()
    PLAIN.text(text)
    redact_secrets(text)
    assert time.thread_time() - began < MOST_SECONDS


LONG = {
    "jwt": "eyJ" + "A9-_" * 2_000 + "." + "B8_-" * 50_000 + "." + "C7" * 5_000,
    "model": "sk-ant-" + "a1_-" * 5_000,
    "github": "ghp_" + "0123456789abcdefABCD" * 500,
    "resend": "re_" + "ab_" * 2_000 + "0123456789abcdef" * 500,
    "stripe": "sk_live_" + "Z9" * 5_000,
    "slack": "xoxb-" + "0-a" * 5_000,
}


@pytest.mark.parametrize("secret", LONG.values(), ids=LONG)
def test_of_a_long_key_nothing_is_left(secret: str) -> None:
    assert PLAIN.text(f"The key '{secret}' was refused.") == f"The key '{HIDDEN}' was refused."
    assert PLAIN.json(serialised([f"a line\n{secret}"])) == serialised([f"a line\n{HIDDEN}"])


@pytest.mark.parametrize("value", ["S3" * 50_000, '"' + "S3 " * 50_000 + '"'], ids=["a word", "quoted"])
def test_of_a_long_value_nothing_is_left(value: str) -> None:
    for name in ("password", "client_secret", "api_key", "authorization", "credential"):
        hidden = PLAIN.text(f"{name}={value}, and more")
        assert "S3" not in hidden
        assert hidden.endswith(", and more")
    for said in (f"Bearer {'S3' * 50_000}", f"Basic {'S3' * 50_000}==", f"https://user:{'S3' * 50_000}@db.example"):
        assert "S3" not in PLAIN.text(said)
    assert "S3" not in PLAIN.text(f"Cookie: {'n' * 5_000}={value.strip(chr(34))}")


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzZWNyZXRpdmUifQ.SflKxwRJSMeKKF2QT4fwpM"
BEHIND_OTHERS = {
    "a token in a word": (f"session_{JWT}", "SflKx"),
    "a token behind what looks like one": (f"eyJeyJeyJ eyJ.eyJ {JWT}", "SflKx"),
    "a token behind one": (f"eyJabcdefgh.{JWT}", "SflKx"),
    "a key behind the end of a word": ("ask-sk-ant-S3cretive01", "S3cretive01"),
    "a key behind a short one": ("re_short re_S3cretive0123456", "S3cretive"),
    "a name behind a pair": ('["x-token","a token=S3cretive"]', "S3cretive"),
    "a cookie behind a name": ("Cookie: cookie: cookie cookie: a=S3cretive", "S3cretive"),
    "a key behind an escape": ("\\u001bre_S3cretive0123456", "S3cretive"),
}


@pytest.mark.parametrize(("said", "secret"), BEHIND_OTHERS.values(), ids=BEHIND_OTHERS)
def test_what_leads_nowhere_hides_no_secret_behind_it(said: str, secret: str) -> None:
    assert secret not in PLAIN.text(said)
    assert secret not in PLAIN.json(serialised({"a": [said]}))


def test_only_one_letter_is_longer_in_lower_case() -> None:
    everything = "".join(map(chr, range(0x110000)))
    assert len(lower(everything)) == len(everything)
