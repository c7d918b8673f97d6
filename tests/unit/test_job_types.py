"""The registry of job types: all of the seed's, each with a payload that is checked and a key that is stable."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import InvalidInput, InvalidPayload, NoHandler, UnknownJobType
from studio.job_types import (
    GUIDANCE_LIMIT,
    JOB_TYPES,
    LANES,
    MESSAGE_LIMIT,
    JobType,
    dump_payload,
    job_type,
    parse_payload,
    require_handler,
)
from studio.text import sha1_hex

PROJECT = UUID("11111111-1111-4111-8111-111111111111")
OTHER = UUID("22222222-2222-4222-8222-222222222222")
APPROVAL = "33333333-3333-4333-8333-333333333333"
MESSAGE = "44444444-4444-4444-8444-444444444444"

# The seed's list (§3.1), each with a payload as its clients send it.
SEED: dict[str, dict[str, Any]] = {
    "phase0.generate_packet": {"ownerClerkId": "user_1", "forceNewApproval": False},
    "phase.generate_packet": {"phase": 2, "forceRegenerate": True},
    "approval.execute": {"approvalId": APPROVAL, "actionType": "deploy_landing_page"},
    "nightshift.cycle_project": {},
    "email.process_due": {"limit": 100},
    "drip.process_digests": {},
    "drip.process_nudges": {},
    "chat.reply": {"ownerClerkId": "user_1", "userMessageId": MESSAGE, "message": "How is it going?"},
    "code.generate_mvp": {"ownerClerkId": "user_1", "description": "A tool library."},
    "research.generate_report": {"topic": "Tool sharing in cities", "maxSlides": 10, "format": "pptx"},
    "browser.check_page": {"url": "https://example.org/", "checks": ["screenshot", "meta_tags"]},
}
pytest_plugins = ["tests.support.job_types"]

OF_NO_PROJECT = {"email.process_due", "drip.process_digests", "drip.process_nudges"}
# Our own, which do nothing: to measure an installation.
BENCH = {f"bench.{lane}" for lane in LANES}
# Our own, because no request of a browser does long work.
SCAN = "onboarding.scan"
ALL = pytest.mark.parametrize("name", sorted(SEED))


def key_of(name: str, payload: dict[str, Any], project: UUID = PROJECT) -> str:
    kind = job_type(name)
    return kind.key(project, parse_payload(kind, project, payload))


def problem(name: str, payload: dict[str, Any]) -> InvalidPayload:
    with pytest.raises(InvalidPayload) as caught:
        parse_payload(job_type(name), PROJECT, payload)
    return caught.value


def test_the_registry_holds_the_seeds_eleven_types_and_our_own() -> None:
    assert len(SEED) == 11
    assert set(JOB_TYPES) == set(SEED) | BENCH | {SCAN}


@pytest.mark.parametrize("name", sorted(JOB_TYPES))
def test_a_row_is_complete(name: str) -> None:
    kind = JOB_TYPES[name]
    assert kind.name == name
    assert kind.lane in LANES
    assert kind.agent_key in {"ceo", "research", "design", "engineering", "night_shift", "outreach", "system"}
    assert 0 < kind.priority <= 200
    assert 0 < kind.timeout_seconds <= 3600
    assert 1 <= kind.max_attempts <= 8
    assert kind.description.endswith(".")
    assert kind.dagster_job == name.replace(".", "_")


def test_types_do_not_share_a_dagster_job() -> None:
    assert len({kind.dagster_job for kind in JOB_TYPES.values()}) == len(JOB_TYPES)


def test_a_chat_goes_before_everything_and_in_a_lane_of_its_own() -> None:
    chat = JOB_TYPES["chat.reply"]
    others = [kind for kind in JOB_TYPES.values() if kind is not chat and kind.name not in BENCH]
    assert all(chat.priority > kind.priority for kind in others)
    # Somebody waits for a scan, too. It belongs to the system's project, whose share of the lane is small.
    assert [kind.name for kind in others if kind.lane == chat.lane] == [SCAN]


def test_all_of_them_can_be_run() -> None:
    assert [kind.name for kind in JOB_TYPES.values() if not kind.has_handler] == []


@pytest.mark.parametrize("lane", LANES)
def test_a_measuring_job_runs_once_in_its_lane_and_behind_all_real_work(lane: str) -> None:
    kind = job_type(f"bench.{lane}")
    real = [other for other in JOB_TYPES.values() if other.name not in BENCH]
    assert kind.lane == lane
    assert kind.max_attempts == 1
    assert kind.priority <= min(other.priority for other in real)
    assert key_of(kind.name, {"sample": 1}) != key_of(kind.name, {"sample": 2})
    assert str(PROJECT) in key_of(kind.name, {})
    assert "sample" in problem(kind.name, {"sample": -1}).message


def test_a_type_without_a_handler_says_so_and_what_there_is(type_without_handler: str) -> None:
    with pytest.raises(NoHandler, match=f"'{re.escape(type_without_handler)}' has no handler yet") as caught:
        require_handler(job_type(type_without_handler))
    assert "phase0.generate_packet" in caught.value.remedy


def test_a_type_with_a_handler_is_let_through() -> None:
    assert require_handler(job_type("phase0.generate_packet")) is JOB_TYPES["phase0.generate_packet"]


def test_an_unknown_type_names_the_known_ones() -> None:
    with pytest.raises(UnknownJobType, match=r"'phase0\.generate'") as caught:
        job_type("phase0.generate")
    assert all(name in caught.value.remedy for name in SEED)


# --- payloads


@ALL
def test_what_the_seeds_clients_send_comes_back_as_it_was(name: str) -> None:
    kind = job_type(name)
    sent = SEED[name] if name in OF_NO_PROJECT else {"projectId": str(PROJECT), **SEED[name]}
    stored = dump_payload(parse_payload(kind, PROJECT, sent))
    assert {key: stored[key] for key in sent} == sent
    assert dump_payload(parse_payload(kind, PROJECT, stored)) == stored
    assert json.loads(json.dumps(stored)) == stored


@ALL
def test_the_project_may_be_left_out_but_not_be_another(name: str) -> None:
    kind = job_type(name)
    left_out = dump_payload(parse_payload(kind, PROJECT, SEED[name]))
    if name in OF_NO_PROJECT:
        assert "projectId" not in left_out
        return
    assert left_out["projectId"] == str(PROJECT)
    for spelling in ("projectId", "project_id"):
        named = parse_payload(kind, PROJECT, {spelling: str(PROJECT), **SEED[name]})
        assert dump_payload(named) == left_out
        assert "belongs to" in problem(name, {spelling: str(OTHER), **SEED[name]}).message


@ALL
def test_a_field_that_nobody_knows_is_refused_by_name(name: str) -> None:
    refused = problem(name, {**SEED[name], "surprise": 1})
    assert name in refused.message
    assert "surprise" in refused.message
    assert refused.remedy.startswith("Its fields: ")
    assert refused.permanent


@ALL
def test_text_that_cannot_be_stored_is_refused_anywhere(name: str) -> None:
    with pytest.raises(InvalidInput, match="NUL"):
        parse_payload(job_type(name), PROJECT, {**SEED[name], "surprise": {"deep": ["\x00"]}})


@pytest.mark.parametrize(
    ("name", "change", "field"),
    [
        ("phase0.generate_packet", {"ownerClerkId": ""}, "ownerClerkId"),
        ("phase0.generate_packet", {"revisionGuidance": "x" * (GUIDANCE_LIMIT + 1)}, "revisionGuidance"),
        ("phase0.generate_packet", {"forceNewApproval": "perhaps"}, "forceNewApproval"),
        ("phase0.generate_packet", {"projectId": "not-a-uuid"}, "projectId"),
        ("phase.generate_packet", {"phase": 0}, "phase"),
        ("phase.generate_packet", {"phase": 4}, "phase"),
        ("approval.execute", {"approvalId": "7"}, "approvalId"),
        ("approval.execute", {"actionType": ""}, "actionType"),
        ("chat.reply", {"message": ""}, "message"),
        ("chat.reply", {"message": "x" * (MESSAGE_LIMIT + 1)}, "message"),
        ("email.process_due", {"limit": 0}, "limit"),
        ("email.process_due", {"limit": 1001}, "limit"),
        ("code.generate_mvp", {"branch": "-rf"}, "branch"),
        ("code.generate_mvp", {"branch": "main; rm -rf /"}, "branch"),
        ("research.generate_report", {"format": "docx"}, "format"),
        ("research.generate_report", {"maxSlides": 31}, "maxSlides"),
        ("browser.check_page", {"url": "not a url"}, "url"),
        ("browser.check_page", {"checks": []}, "checks"),
        ("browser.check_page", {"checks": ["everything"]}, "checks"),
    ],
)
def test_a_field_that_does_not_fit_is_named(name: str, change: dict[str, Any], field: str) -> None:
    assert field in problem(name, {**SEED[name], **change}).message


def test_every_field_that_does_not_fit_is_named_at_once() -> None:
    message = problem("chat.reply", {"message": "", "userMessageId": "x"}).message
    assert all(field in message for field in ("message", "userMessageId", "ownerClerkId"))


def test_the_chats_other_spelling_is_understood() -> None:
    kind = job_type("chat.reply")
    short = {"ownerClerkId": "user_1", "userMsgId": MESSAGE, "message": "Hi"}
    assert dump_payload(parse_payload(kind, PROJECT, short))["userMessageId"] == MESSAGE


# --- keys


@ALL
def test_the_same_payload_has_the_same_key_in_any_order_of_its_keys(name: str) -> None:
    backwards = dict(reversed(SEED[name].items()))
    key = key_of(name, SEED[name])
    assert key_of(name, backwards) == key
    stored = dump_payload(parse_payload(job_type(name), PROJECT, SEED[name]))
    assert key_of(name, dict(reversed(stored.items()))) == key


@ALL
def test_a_key_names_its_project_or_what_it_is_about(name: str) -> None:
    if name == "approval.execute":
        assert key_of(name, SEED[name]) == f"approval:{APPROVAL}"
    elif name in OF_NO_PROJECT:
        assert key_of(name, SEED[name], PROJECT) == key_of(name, SEED[name], OTHER)
    else:
        assert str(PROJECT) in key_of(name, SEED[name])
        assert key_of(name, SEED[name], PROJECT) != key_of(name, SEED[name], OTHER)


def test_phase_0_is_keyed_by_guidance_and_force_as_in_the_seed() -> None:
    name = "phase0.generate_packet"
    plain = {"ownerClerkId": "user_1"}
    assert key_of(name, plain) == f"phase0:{PROJECT}:{sha1_hex('')}:0"
    assert key_of(name, {**plain, "revisionGuidance": ""}) == key_of(name, plain)
    assert key_of(name, {**plain, "forceNewApproval": True}) == f"phase0:{PROJECT}:{sha1_hex('')}:1"
    guided = {**plain, "revisionGuidance": "For schools, bitte."}
    assert key_of(name, guided) == f"phase0:{PROJECT}:{sha1_hex('For schools, bitte.')}:0"


def test_the_other_keys_are_the_seeds() -> None:
    assert key_of("phase.generate_packet", SEED["phase.generate_packet"]) == f"phasegen:{PROJECT}:2"
    assert key_of("chat.reply", SEED["chat.reply"]) == f"chat:{PROJECT}:{MESSAGE}"
    day = r"\d{4}-\d{2}-\d{2}"
    assert re.fullmatch(rf"nightshift:{PROJECT}:{day}", key_of("nightshift.cycle_project", {}))
    assert re.fullmatch(rf"email_due:{day}T\d{{2}}", key_of("email.process_due", {}))
    assert re.fullmatch(f"drip_digests:{day}", key_of("drip.process_digests", {}))
    assert re.fullmatch(f"drip_nudges:{day}", key_of("drip.process_nudges", {}))


@pytest.mark.parametrize(
    ("name", "prefix", "change"),
    [
        ("code.generate_mvp", "codegen", {"description": "A tool library, and a café."}),
        ("code.generate_mvp", "codegen", {"branch": "greenlight/other"}),
        ("research.generate_report", "research", {"topic": "Tool sharing in villages"}),
        ("research.generate_report", "research", {"maxSlides": 11}),
        ("browser.check_page", "browser", {"checks": ["screenshot"]}),
        ("browser.check_page", "browser", {"url": "https://example.org/other"}),
    ],
)
def test_a_hashed_key_sees_every_field(name: str, prefix: str, change: dict[str, Any]) -> None:
    key = key_of(name, SEED[name])
    assert re.fullmatch(rf"{prefix}:{PROJECT}:[0-9a-f]{{40}}", key)
    assert key_of(name, {**SEED[name], **change}) != key


def test_a_default_that_is_spelled_out_is_the_same_work() -> None:
    name = "research.generate_report"
    assert key_of(name, {"topic": "Tools"}) == key_of(name, {"topic": "Tools", "format": "pdf", "maxSlides": 15})


@given(st.text(max_size=GUIDANCE_LIMIT))
def test_any_guidance_that_is_accepted_has_a_short_storable_key(guidance: str) -> None:
    kind: JobType = job_type("phase0.generate_packet")
    try:
        payload = parse_payload(kind, PROJECT, {"ownerClerkId": "u", "revisionGuidance": guidance})
    except InvalidInput:
        assert "\x00" in guidance
        return
    key = kind.key(PROJECT, payload)
    assert len(key) < 120
    assert key.isascii()


# What release 0.1 made of the examples.
HASHES = {
    "code.generate_mvp": "a4f6a752d09f0c2e8e7be45bd6ceb2aac5c12c7c",
    "research.generate_report": "ea850d6e84b80cebca62a7426830ec3fe80cf1bf",
    "browser.check_page": "2996452fb93cdb2af9daa71f8312df2bd4f21270",
}


@pytest.mark.parametrize("name", HASHES)
def test_a_payload_of_the_first_version_has_the_key_that_it_always_had(name: str) -> None:
    # A job that the previous release enqueued must not be done a second time because this one has more fields: an
    # upgrade gives a new field the value that keeps the hash, or the key leaves it out.
    kind = JOB_TYPES[name]
    assert kind.key(PROJECT, parse_payload(kind, PROJECT, SEED[name], 1)).rpartition(":")[2] == HASHES[name]
