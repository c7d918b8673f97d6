"""No secret gets into a trace, in whatever spelling it comes; JSON stays JSON, and ordinary words stay."""

from __future__ import annotations

import base64
import json
import urllib.parse
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from studio.secrets import HIDDEN, redact_secrets
from studio.settings import Settings
from studio.tracing.fault import fault_of_return, returned_failure
from studio.tracing.payload import serialised
from studio.tracing.redaction import Redactor
from studio.tracing.secret_rules import is_secret_name

PLAIN = Redactor()
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzZWNyZXRpdmUifQ.SflKxwRJSMeKKF2QT4fwpM"
# What nobody knows to be secret but by how it looks or what it is called. {} is where it stands.
LOOKS = {
    "anthropic": "sk-ant-api03-Zx81abCDEfgh_ijk-LMNop",
    "other model": "sk-proj-0123456789abcdef0123",
    "github": "ghp_0123456789abcdefABCDEF0123456789abcd",
    "github, fine": "github_pat_11AAAAAAA0123456789_abcdefghijklmnopqrstuvwxyz",
    "resend": "re_AbCdEf12_0123456789abcdefghijABCD",
    "resend, short": "re_123456789abcdef",
    "stripe": "sk_live_0123456789abcdefghij",
    "aws": "AKIA0123456789ABCDEF",
    "slack": "xoxb-0123456789-abcdefghij",
    "jwt": JWT,
}
NAMED = {
    "query": "https://graph.example/act_1?access_token=S3cretive&limit=5",
    "assignment": "api_key=S3cretive",
    "sentence": "the password: S3cretive",
    "python": "{'client_secret': 'S3cretive words', 'a': 1}",
    "json": '{"token": "S3cretive words"}',
    "escaped json": '{\\"token\\": \\"S3cretive words\\"}',
    "header": "Authorization: Bearer S3cretive",
    "header, no scheme": "authorization: S3cretive",
    "basic": f"Authorization: Basic {base64.b64encode(b'user:S3cretive').decode()}",
    "bearer": "curl -H 'bearer S3cretive'",
    "postgres": "postgresql://studio:S3cretive@db.example:5432/studio",
    "postgres, odd": "postgresql://studio:S3cre:ti@ve@db.example:5432/studio",
    "own name": "GREENLIGHT_LINK_SECRET=S3cretive",
    "cookie": "Set-Cookie: session=S3cretive; Path=/",
    "signed address": "https://files.example/a?X-Amz-Signature=S3cretive",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\nS3cretive\nabc\n-----END RSA PRIVATE KEY-----",
    "half a pem": "-----BEGIN PRIVATE KEY-----\nS3cretive",
}
ORDINARY = [
    "Invalid parameter: the campaign's token count is 5, and its secretary is out.",
    '{"input_tokens": 512, "max_tokens": 4096, "token_count": 3, "tokens": [1, 2]}',
    "input_tokens=512&max_tokens=4096",
    "Basic research and basic understanding of https://example.org:8080/a@b",
    "task-management-software-for-teams, risk-adjusted-returns-of-ten-years, re_engagement_campaign_copy",
    "toolu_01A09q90qw90lq917835lq9 msg_01XFDUDYJgAACzvnptvVoYEL 0b5f3c9e-1111-4a2b-8c3d-000000000000",
    "The cookie banner; a signature: dish; credentials: none; author: Bearer",
    "studio.agents.researcher.run:41",
]


def hidden(said: str) -> list[str]:
    """Return what becomes of `said`: in a text, in JSON, in JSON within JSON, on a line of its own, as a key."""
    return [
        PLAIN.text(said),
        PLAIN.json(serialised(said)),
        PLAIN.json(serialised({"said": [serialised({"inner": said})]})),
        PLAIN.json(serialised([1, f"a line\n{said}"])),
        PLAIN.json(serialised(json.dumps({"lines": f"first\r\n\t{said}"}))),
        PLAIN.json(serialised({said: 1})),
    ]


@pytest.mark.parametrize("secret", LOOKS.values(), ids=LOOKS)
def test_what_looks_like_a_key_is_hidden(secret: str) -> None:
    for said in (secret, f"The key '{secret}' was refused.", f"key={secret}"):
        for result in hidden(said):
            assert secret not in result
            assert secret[8:] not in result
            assert HIDDEN in result


@pytest.mark.parametrize("said", NAMED.values(), ids=NAMED)
def test_what_is_named_like_a_secret_is_hidden(said: str) -> None:
    for result in hidden(said):
        assert "S3cretive" not in result
        assert "words" not in result
        assert base64.b64encode(b"user:S3cretive").decode() not in result
        assert "ve@" not in result
        assert HIDDEN in result


@pytest.mark.parametrize("said", ORDINARY)
def test_ordinary_words_stay(said: str) -> None:
    assert PLAIN.text(said) == said
    assert PLAIN.json(serialised({"said": [said]})) == serialised({"said": [said]})


@pytest.mark.parametrize(
    "said",
    [
        "https://graph.example/act_1?access_token=EAAsecret123&limit=5",
        '{"access_token": "EAAsecret123"}',
        "Authorization: Bearer EAAsecret123",
        "token: EAAsecret123",
    ],
)
def test_it_hides_what_messages_to_people_hide(said: str) -> None:
    assert "EAAsecret123" not in redact_secrets(said)
    assert "EAAsecret123" not in PLAIN.text(said)


@pytest.mark.parametrize(
    "name",
    [
        "password", "Password", "db_password", "secret", "client-secret", "clientSecret", "token", "accessToken",
        "refresh_token", "api_key", "X-Api-Key", "APIKEY", "authorization", "Proxy-Authorization", "cookie",
        "Set-Cookie", "private_key", "signature", "aws_secret_access_key", "AWS_ACCESS_KEY_ID", "credentials",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", ["x", 123, ["x"], {"inner": "x"}], ids=["text", "number", "list", "object"])
def test_the_value_of_a_key_is_hidden_whatever_it_is(name: str, value: Any) -> None:
    assert is_secret_name(name)
    assert json.loads(PLAIN.json(serialised({"a": [{name: value, "b": 1}]}))) == {"a": [{name: HIDDEN, "b": 1}]}
    assert json.loads(PLAIN.json(json.dumps({name: value}, indent=2))) == {name: HIDDEN}


@pytest.mark.parametrize("name", ["cookie", "x-api-key", "password"])
def test_headers_may_be_pairs(name: str) -> None:
    headers = [["accept", "text/html"], [name, "S3cretive"], ["b", "1"]]
    assert json.loads(PLAIN.json(serialised(headers))) == [headers[0], [name, HIDDEN], headers[2]]


@pytest.mark.parametrize("value", [None, "", True, False])
def test_whether_there_is_a_secret_may_be_seen(value: object) -> None:
    given = {"token": value, "password": "S3cretive"}
    assert json.loads(PLAIN.json(serialised(given))) == {"token": value, "password": HIDDEN}


@pytest.mark.parametrize(
    "name", ["input_tokens", "max_tokens", "token_count", "tokens", "first_token_ms", "author", "keys", "secretary"]
)
def test_other_names_are_no_secrets(name: str) -> None:
    assert not is_secret_name(name)
    assert PLAIN.json(serialised({name: 512})) == serialised({name: 512})


# --- known values

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
SECRETS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="•′�"), min_size=6, max_size=20)
SPELLINGS = {
    "as it is": lambda secret: secret,
    "quoted": lambda secret: urllib.parse.quote(secret, safe=""),
    "form": lambda secret: urllib.parse.quote_plus(secret),
    "json": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "ascii json": lambda secret: json.dumps(secret)[1:-1],
    "python": lambda secret: repr(secret)[1:-1],
}


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in texts(part)]
    return [text for item in value for text in texts(item)] if isinstance(value, list) else [str(value)]


@settings(max_examples=200, deadline=None)
@given(SECRETS, st.sampled_from(list(SPELLINGS.values())), ANY_TEXT, ANY_TEXT)
@example("nabcdef", str, "\n", "")
@example('a","b":"c', str, "", "")
@example("1234567", str, "", "")
@example("\\\\\\\\\\\\", str, "\\", "\\")
def test_a_known_secret_is_cut_out_of_text_and_json(secret: str, spelling: Any, before: str, after: str) -> None:
    redactor = Redactor([secret])
    spelled = f"{before}{spelling(secret)}{after}"
    assert spelling(secret) not in redactor.text(spelled)
    result = redactor.json(serialised({"a": [spelled, 12345678], spelled: 1}))
    for text in texts(json.loads(result)):
        assert spelling(secret) not in text


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_of_a_secret_is_known(spelling: Any) -> None:
    secret = "hun'ter 2/\"ß\\思\t"
    assert Redactor([secret]).text(f"<{spelling(secret)}>") == f"<{HIDDEN}>"


def test_a_secret_that_no_database_takes_is_known_as_it_is_stored() -> None:
    assert Redactor(["hunter\udcff2"]).json(serialised("a hunter\udcff2")) == f'"a {HIDDEN}"'


def test_what_is_hidden_leaves_the_rest_readable() -> None:
    assert PLAIN.text("Authorization: Bearer S3cretive, sent") == f"Authorization: Bearer {HIDDEN}, sent"
    assert PLAIN.text("password=password=S3cretive") == f"password={HIDDEN}"
    assert PLAIN.text("Cookie: a=S3cretive; b=S3cretive\nnext") == f"Cookie: {HIDDEN}\nnext"
    assert PLAIN.text("{'token': 'two words', 'a': 1}") == f"{{'token': '{HIDDEN}', 'a': 1}}"


def test_a_known_secret_may_be_a_number() -> None:
    assert json.loads(Redactor(["1234567"]).json('{"a":[1234567,12345,"1234567"]}')) == {"a": [HIDDEN, 12345, HIDDEN]}


def test_a_secret_that_contains_another_is_cut_out_whole() -> None:
    assert Redactor(["hunter2", "hunter2-and-more"]).text("hunter2-and-more") == HIDDEN


def test_what_is_too_short_is_no_secret() -> None:
    assert Redactor(["abc", ""]).text("abc") == "abc"


SUSPICIOUS = st.sampled_from([*NAMED.values(), *LOOKS.values(), *ORDINARY, "token", "password=", 'secret": "', "\\"])
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT
    | SUSPICIOUS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT | SUSPICIOUS, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(ANY_JSON, st.sampled_from([None, 1]))
@example({"token": 123}, None)
@example({"token": "a", "n": 1e400}, None)
def test_json_stays_json_and_is_clean_at_once(value: Any, indent: int | None) -> None:
    redactor = Redactor(["hunter2", "12345678"])
    cleaned = redactor.json(json.dumps(value, indent=indent).replace("Infinity", "1e999"))
    json.loads(cleaned, parse_constant=pytest.fail)
    assert json.loads(redactor.json(cleaned)) == json.loads(cleaned)


@settings(deadline=None)
@given(st.lists(SUSPICIOUS | ANY_TEXT, max_size=5).map(" ".join))
def test_text_is_clean_at_once(text: str) -> None:
    cleaned = PLAIN.text(text)
    assert PLAIN.text(cleaned) == cleaned


@pytest.mark.parametrize("text", ["password=S3cretive", '{"token": ', "[" * 100_000 + '"token":1'], ids=range(3))
def test_what_is_no_json_becomes_a_json_string_where_it_has_to_be_changed(text: str) -> None:
    cleaned = json.loads(PLAIN.json(text))
    assert isinstance(cleaned, str)
    assert "S3cretive" not in cleaned


def test_letters_that_change_their_length_in_lower_case_shift_nothing() -> None:
    assert PLAIN.text("İİİİ password=S3cretive İ token=S3cretive") == f"İİİİ password={HIDDEN} İ token={HIDDEN}"


# --- what the settings know


def test_every_secret_of_the_settings_is_known() -> None:
    fields = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert len(fields) > 8
    redactor = Redactor.from_settings(Settings(**{name: SecretStr(f"value-of-{name}") for name in fields}))  # type: ignore[arg-type]
    for name in fields:
        assert redactor.text(f"<value-of-{name}>") == f"<{HIDDEN}>"


def test_each_of_several_keys_is_known() -> None:
    redactor = Redactor.from_settings(Settings(integration_key=SecretStr("first-key, second-key")))
    assert redactor.text("second-key, then first-key") == f"{HIDDEN}, then {HIDDEN}"


@pytest.mark.parametrize("field", ["database_url", "dagster_database_url", "meta_url"])
def test_passwords_in_addresses_are_known_in_both_spellings(field: str) -> None:
    redactor = Redactor.from_settings(Settings(**{field: "postgresql://studio:hunter%2F2x@db/studio"}))  # type: ignore[arg-type]
    assert redactor.text("hunter%2F2x and hunter/2x") == f"{HIDDEN} and {HIDDEN}"


def test_a_password_that_is_a_name_tears_no_holes() -> None:
    redactor = Redactor.from_settings(Settings(database_url="postgresql://postgres:postgres@db/studio"))
    assert redactor.text("psycopg: postgres is away") == "psycopg: postgres is away"
    assert redactor.text("postgresql://postgres:postgres@db") == f"postgresql://postgres:{HIDDEN}@db"


HOOKS = {
    "vercel": ("https://api.vercel.com/v1/integrations/deploy/prj_AbcdEf1/S3cr3tKey99", ["prj_AbcdEf1", "S3cr3tKey99"]),
    "slack": ("https://hooks.slack.com/services/T00000001/B00000002/x1x2x3x4x5", ["T00000001", "x1x2x3x4x5"]),
    "query": (
        "https://prod.example/workflows/run?sp=%2Ftriggers&sig=S3cr%2Bt_key-9",
        ["S3cr%2Bt_key-9", "S3cr+t_key-9"],
    ),
    "encoded": ("https://hooks.example/S3cr%2ft%20key9", ["S3cr%2ft%20key9", "S3cr/t key9"]),
    "a word": ("https://hooks.example/deploy/openseasame", ["openseasame"]),
    "a word in the query": ("https://hooks.example/deploy?openseasame", ["openseasame"]),
}


@pytest.mark.parametrize("field", ["vercel_deploy_hook_url", "alert_webhook_url"])
@pytest.mark.parametrize(("url", "secrets"), HOOKS.values(), ids=HOOKS)
def test_the_parts_of_a_secret_address_are_known(field: str, url: str, secrets: list[str]) -> None:
    redactor = Redactor.from_settings(Settings(**{field: SecretStr(url)}))  # type: ignore[arg-type]
    for secret in secrets:
        for said in (secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret)):
            assert redactor.text(f"<{said}>") == f"<{HIDDEN}>"
            assert said not in redactor.json(serialised({"a": [said]}))
    assert redactor.text("the integrations, services and workflows") == "the integrations, services and workflows"


# --- the beginning of what is long


def test_no_secret_is_shown_in_part_however_much_before_it_is_hidden() -> None:
    secret = "hunter2-correct-horse-battery-staple"
    for before in range(19_900, 20_010, 3):
        # What is hidden makes room, so that what was far behind is shown.
        said = "password=" + "x" * (before - 10) + " " + secret + " and more" * 10_000
        shown = Redactor([secret]).beginning(said, 2_000)[:2_000]
        assert "hunter2" not in shown


@pytest.mark.parametrize(
    "said",
    [
        'password="S3cretive',
        "password='S3cretive words",
        '{"token": "S3cretive words',
        '{\\"token\\": \\"S3cretive words',
        'password="S3cretive words\\',
        'password="S3cretive words\nnext',
    ],
)
def test_a_value_whose_quote_was_cut_off_is_hidden(said: str) -> None:
    assert "S3cretive" not in PLAIN.text(said)
    assert "words" not in PLAIN.text(said)


def test_a_beginning_is_as_long_as_it_may_be() -> None:
    assert PLAIN.beginning("x" * 1_000_000, 2_000)[:2_000] == "x" * 2_000
    assert PLAIN.beginning("x" * 19_999, 2_000) == "x" * 19_999


def test_what_a_result_says_is_not_cut_before_its_secrets_are() -> None:
    said = returned_failure({"success": False, "error": "x" * 1_985 + " hunter2-correct-horse" + " and more" * 10_000})
    assert said is not None
    assert "hunter2" not in fault_of_return(said, "job:test", Redactor(["hunter2-correct-horse"])).message
