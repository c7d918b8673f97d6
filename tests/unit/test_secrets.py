"""What is hidden stays hidden: sealed texts open only where they belong, and messages lose what they must not say."""

from __future__ import annotations

import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import SettingsError
from studio.secrets import HIDDEN, Keys, mask, new_key, redact_secrets
from studio.settings import Settings

KEYS = Keys.from_settings(Settings(integration_key=new_key()))


@given(st.binary(max_size=300), st.text(max_size=60))
def test_what_is_sealed_opens_in_its_context_only(plain: bytes, context: str) -> None:
    sealed = KEYS.seal(plain, context)
    assert sealed.startswith(f"v1.{KEYS.keys[0][0]}.")
    assert KEYS.open(sealed, context) == plain
    with pytest.raises(SettingsError):
        KEYS.open(sealed, f"{context}x")


@given(st.binary(min_size=1, max_size=60), st.data())
def test_no_piece_of_a_sealed_text_can_be_changed(plain: bytes, data: st.DataObject) -> None:
    version, key_id, nonce, rest = KEYS.seal(plain, "p:meta").split(".")
    part = data.draw(st.sampled_from([version, key_id, nonce, rest]))
    at = data.draw(st.integers(0, len(part) - 2 if part in (nonce, rest) and len(part) > 1 else len(part) - 1))
    changed = part[:at] + ("A" if part[at] != "A" else "B") + part[at + 1 :]
    parts = [changed if piece == part else piece for piece in (version, key_id, nonce, rest)]
    with pytest.raises(SettingsError):
        KEYS.open(".".join(parts), "p:meta")


@pytest.mark.parametrize("text", ["", "v1", "v1.a.b", "v2.a.b.c", "iv.tag.ciphertext", "v1.a.b.c.d"])
def test_other_forms_are_no_traceback(text: str) -> None:
    with pytest.raises(SettingsError, match=r"Save them again|Add that key|form"):
        KEYS.open(text, "p:meta")


@pytest.mark.parametrize(
    ("secret", "shown"),
    [("", ""), ("abc", "***"), ("123456", "******"), ("1234567", "123…67"), ("sk-abcdef", "sk-…ef")],
)
def test_a_mask(secret: str, shown: str) -> None:
    assert mask(secret) == shown


@given(st.text(st.characters(codec="utf-8", exclude_characters="•"), min_size=8, max_size=40))
def test_a_secret_is_cut_out_in_every_spelling(secret: str) -> None:
    quoted = urllib.parse.quote(secret, safe="")
    said = redact_secrets(f"<{secret}> <{quoted}>", [secret])
    assert secret not in said
    assert quoted not in said


@pytest.mark.parametrize(
    "said",
    [
        "https://graph.example/act_1?access_token=EAAsecret123&limit=5",
        '{"access_token": "EAAsecret123"}',
        "Authorization: Bearer EAAsecret123",
        "api_key=EAAsecret123",
        "token: EAAsecret123",
    ],
)
def test_what_is_named_like_a_secret_is_cut_out_although_nobody_knows_it(said: str) -> None:
    assert "EAAsecret123" not in redact_secrets(said)
    assert HIDDEN in redact_secrets(said)


def test_ordinary_words_stay() -> None:
    said = "Invalid parameter: the campaign's token count is 5, and its secretary is out."
    assert redact_secrets(said, ["abc"]) == said
