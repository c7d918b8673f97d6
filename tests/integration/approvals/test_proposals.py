"""The studio asks for what it may do, once, pinned to what would be carried out; a no is remembered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any, get_args
from uuid import UUID, uuid4

import psycopg
import pytest

from studio import approvals, decisions, pages, permissions, proposals
from studio.errors import InvalidInput, NotFound, PermissionRefused
from studio.packets.actions import PHASE_ACTIONS, ActionType
from studio.packets.limits import forced
from studio.projects import Project
from studio.proposals import Proposal
from studio.rollbacks import ACTION as ROLLBACK
from studio.text import canonical_json, sha256_hex
from tests.support.approvals import ADS, ALL_ON, DEPLOY, EMAIL, FOUNDER, GUIDANCE, HOOK, REFINE, REPOSITORY, Company
from tests.support.phases import PACKETS
from tests.support.queue import InBackground

MakeCompany = Callable[..., Company]
LIFECYCLE = "send_phase2_lifecycle_email"


def decide(company: Company, approval_id: Any, decision: Any, **more: Any) -> None:
    found = approvals.get(company.db, approval_id)
    decisions.decide(company.db, found.id, decision, version=found.version, decided_by=FOUNDER, **more)


def for_phase(company: Company, packet: Any, landing: Any = None) -> dict[str, Proposal]:
    with company.db.transaction() as conn:
        answers = proposals.propose_for_phase(conn, packet, landing=landing, job_id=packet.source_job_id or UUID(int=0))
    return {answer.action_type: answer for answer in answers}


# --- the table of conditions


def test_the_table_of_actions_is_the_packets(company: Company) -> None:
    rows = company.db.fetch_all("select * from public.action_types")
    # The way back to an earlier page is offered by a check of the page, never by a packet.
    assert {row["action_type"] for row in rows} == {*get_args(ActionType), ROLLBACK}
    risks = {row["action_type"]: (row["phase"], row["risk"]) for row in rows}
    assert risks == {
        DEPLOY: (1, "medium"),
        EMAIL: (1, "low"),
        ADS: (2, "high"),
        "send_phase2_lifecycle_email": (2, "low"),
        REPOSITORY: (3, "high"),
        HOOK: (3, "high"),
        REFINE: (None, "low"),
        ROLLBACK: (None, "medium"),
    }
    for phase, actions in PHASE_ACTIONS.items():
        assert {name for name, (of, _) in risks.items() if of in (phase, None)} - {ROLLBACK} == set(actions)
    assert set(proposals.DESCRIPTIONS) == set(risks)


@pytest.mark.parametrize(
    ("action", "lacking", "why"),
    [
        (EMAIL, {"permitted": {"email_send": False}}, "does not permit email_send"),
        ("send_phase2_lifecycle_email", {"permitted": {"email_send": False}}, "does not permit email_send"),
        (ADS, {"permitted": {"ads_enabled": False}}, "does not permit ads_enabled"),
        (ADS, {"permitted": {"ads_budget_cap": 0}}, "cap for ads is 0"),
        (REPOSITORY, {"permitted": {"repo_write": False}}, "does not permit repo_write"),
        (REPOSITORY, {"columns": {"repo_url": None}}, "no repository"),
        (REPOSITORY, {"columns": {"repo_url": " "}}, "no repository"),
        (HOOK, {"permitted": {"deploy": False}}, "does not permit deploy"),
        (DEPLOY, {"columns": {"runtime_mode": "attached"}}, "runtime mode is attached"),
        (DEPLOY, {"columns": {"status": "paused"}}, "is paused"),
        (REFINE, {"columns": {"status": "killed"}}, "is killed"),
        ("launch_rocket", {}, "no action launch_rocket"),
    ],
)
def test_an_action_is_permitted_under_its_condition(
    make_company: MakeCompany, action: str, lacking: dict[str, Any], why: str
) -> None:
    allowed = make_company()
    lacking = {**lacking, "permitted": ALL_ON | lacking.get("permitted", {})}
    refused = make_company(**lacking)
    with allowed.db.connection() as conn:
        assert why in (permissions.refusal(conn, refused.id, action) or "")
        with pytest.raises(PermissionRefused, match=why):
            permissions.require(conn, refused.id, action)
        if action != "launch_rocket":
            assert permissions.refusal(conn, allowed.id, action) is None
            permissions.require(conn, allowed.id, action)


def test_nothing_but_the_page_and_refinements_is_permitted_to_begin_with(make_company: MakeCompany) -> None:
    company = make_company(permitted={})
    with company.db.connection() as conn:
        permitted = {name for name in get_args(ActionType) if permissions.refusal(conn, company.id, name) is None}
        assert permissions.refusal(conn, uuid4(), EMAIL) == "There is no such project."
    assert permitted == {DEPLOY, REFINE}


def test_what_is_refused_is_no_approval(make_company: MakeCompany) -> None:
    company = make_company(permitted={})
    company.packet()
    made = company.propose(EMAIL)
    assert (made.outcome, made.approval_id) == ("refused", None)
    assert "email_send" in made.reason
    paused = make_company(columns={"status": "paused"})
    assert paused.propose(EMAIL).outcome == "refused"
    assert company.rows("approval_queue") == paused.rows("approval_queue") == []


def test_without_a_packet_there_is_nothing_to_ask_for(company: Company) -> None:
    assert company.propose(EMAIL).reason == "There is no packet of phase 1 yet."
    company.packet()
    assert company.propose(ADS).reason == "There is no packet of phase 2 yet."


# --- what could not be carried out


def without_ads(**permitted: Any) -> dict[str, Any]:
    """Return the Phase 2 packet as it is made where ads are not permitted."""
    off = {"repo_write": False, "deploy": False, "email_send": False, "ads_enabled": False, "ads_budget_cap": 0}
    known = {**dict.fromkeys(Project.__dataclass_fields__), "permissions": off | permitted}
    return forced(2, PACKETS[2], Project(**known))


@pytest.mark.parametrize("permitted", [{}, {"ads_enabled": True}, {"ads_budget_cap": 20}])
def test_a_packet_that_was_made_without_ads_has_none_proposed(
    make_company: MakeCompany, permitted: dict[str, Any]
) -> None:
    company = make_company(phase=2)
    packet = company.packet(**without_ads(**permitted))
    made = company.propose(ADS)
    assert (made.outcome, made.approval_id) == ("refused", None)
    assert "Have Phase 2 revised" in made.reason
    answers = for_phase(company, packet)
    assert {name: answer.outcome for name, answer in answers.items()} == {ADS: "refused", LIFECYCLE: "created"}
    # Also where a person asks by name: it would fail all the same.
    assert company.propose(ADS, asked_by=FOUNDER).outcome == "refused"
    company.packet(**without_ads(ads_enabled=True, ads_budget_cap=20))
    assert company.propose(ADS).outcome == "created"


@pytest.mark.parametrize(
    "paid",
    [
        None,
        "ads",
        {},
        {"enabled": True},
        {"enabled": "yes", "budget_cap_per_day": 20},
        {"enabled": True, "budget_cap_per_day": None},
        {"enabled": True, "budget_cap_per_day": True},
        {"enabled": True, "budget_cap_per_day": -5},
        {"enabled": True, "budget_cap_per_day": 0.004},
        {"enabled": True, "budget_cap_per_day": "NaN"},
        {"enabled": True, "budget_cap_per_day": "Infinity"},
        {"enabled": True, "budget_cap_per_day": "plenty"},
        {"enabled": True, "budget_cap_per_day": [20]},
    ],
)
def test_ads_without_a_cap_that_counts_are_neither_proposed_nor_approved(
    make_company: MakeCompany, paid: object
) -> None:
    company = make_company(phase=2)
    company.packet(paid_acquisition=paid)
    assert company.propose(ADS).outcome == "refused"
    asked = company.foreign(ADS)
    with pytest.raises(PermissionRefused, match="runs no ads"):
        decide(company, asked.id, "approved")


def test_a_cap_of_the_project_below_a_cent_runs_no_ads(make_company: MakeCompany) -> None:
    company = make_company(phase=2, permitted=ALL_ON | {"ads_budget_cap": Decimal("0.009")})
    for packet in (company.packet(), company.packet(**without_ads())):
        made = company.propose(ADS, packet=packet)
        assert (made.outcome, "less than a cent" in made.reason) == ("refused", True)


@pytest.mark.parametrize(
    "repository",
    ["https://git.example.org/a/b", "https://github.com/only-an-owner", "http://github.com/a/b", "git@gitlab.com:a/b"],
)
def test_a_workflow_of_a_repository_elsewhere_is_not_proposed(make_company: MakeCompany, repository: str) -> None:
    company = make_company(phase=3, columns={"repo_url": repository})
    packet = company.packet()
    assert {name: a.outcome for name, a in for_phase(company, packet).items()} == {
        HOOK: "created",
        REPOSITORY: "refused",
    }
    made = company.propose(REPOSITORY)
    assert made.outcome == "refused"
    assert made.reason.startswith(f"{repository} names no repository on GitHub.")


# --- what an approval pins


def test_an_approval_pins_the_packet_version_and_shows_what_would_be_done(company: Company) -> None:
    emails = [{"day": "Day 0", "subject": "Welcome", "body": ["Hello."]}]
    packet = company.packet(email_sequence={"emails": emails})
    approval = company.asked(EMAIL, job_id=packet.source_job_id)
    assert approval.packet_version_id == packet.id
    assert approval.content_hash == sha256_hex(canonical_json(approval.payload["executes"]))
    assert (approval.type, approval.risk, approval.phase, approval.status) == ("execution", "low", 1, "pending")
    assert approval.payload["executes"]["emails"] == emails
    assert approval.payload["packet_version_id"] == str(packet.id)
    assert approval.payload["packet_version"] == 1
    row = company.rows("approval_queue")[0]
    assert row["packet_id"] is not None
    (event,) = company.events("approval.requested")
    assert event["data"]["approval_id"] == str(approval.id)


def test_an_action_pins_the_packet_of_its_own_phase(make_company: MakeCompany) -> None:
    company = make_company(phase=2)
    first = company.packet(1)
    company.packet(2)
    approval = company.asked(EMAIL, packet=company.packet(2))
    assert (approval.packet_version_id, approval.phase) == (first.id, 1)


def test_a_page_is_pinned_by_its_file_and_hash(company: Company) -> None:
    packet = company.packet()
    company.page("<p>not chosen</p>", selected=False)
    assert company.propose(DEPLOY).reason == "There is no landing page yet that could be published."
    asset_id, digest = company.page()
    approval = company.asked(DEPLOY, packet=packet)
    assert (approval.asset_id, approval.content_hash) == (asset_id, digest)
    assert approval.payload["asset"]["storage_path"].startswith(str(company.id))
    assert approval.payload["content_hash"] == digest


def test_a_page_that_is_not_what_it_is_said_to_be_is_not_proposed(make_company: MakeCompany) -> None:
    company, other = make_company(), make_company()
    company.packet()
    asset_id, _ = company.page()
    with pytest.raises(InvalidInput, match="does not hold the bytes"):
        company.propose(DEPLOY, asset_id=asset_id, content_hash="0" * 64)
    with pytest.raises(NotFound, match="no asset"):
        company.propose(DEPLOY, asset_id=other.page()[0])
    assert company.rows("approval_queue") == []


@pytest.mark.parametrize("guidance", [None, "", "short", "x" * 2001, 7, "NUL \x00 and more"])
def test_a_refinement_needs_guidance(company: Company, guidance: Any) -> None:
    company.packet()
    with pytest.raises(InvalidInput, match="guidance"):
        company.propose(REFINE, payload={"guidance": guidance})


def test_a_refinement_pins_its_words(company: Company) -> None:
    company.packet()
    approval = company.asked(REFINE, payload={"guidance": f"  {GUIDANCE} "})
    assert approval.payload["guidance"] == GUIDANCE
    assert approval.payload["executes"] == {"guidance": GUIDANCE}
    assert approval.content_hash == sha256_hex(GUIDANCE)
    assert len(company.events("approval.refine_requested")) == 1


def test_there_must_be_such_an_action_and_project(company: Company) -> None:
    with pytest.raises(InvalidInput, match="no action 'launch_rocket'"):
        company.propose("launch_rocket")
    with pytest.raises(NotFound, match="no project"), company.db.transaction() as conn:
        proposals.propose(
            conn, uuid4(), EMAIL, phase=1, packet=None, title="T", description="d", agent_source="night_shift"
        )


# --- one at a time


def test_what_is_pending_is_not_asked_again(company: Company) -> None:
    company.packet()
    first = company.asked(EMAIL)
    again = company.propose(EMAIL)
    assert (again.outcome, again.approval_id) == ("pending", first.id)
    refine = company.asked(REFINE, payload={"guidance": GUIDANCE})
    other = company.propose(REFINE, payload={"guidance": "Something else entirely."})
    assert (other.outcome, other.approval_id) == ("pending", refine.id)


def test_a_question_about_an_older_version_gives_way(company: Company) -> None:
    company.packet()
    old = company.asked(EMAIL)
    packet = company.packet()
    new = company.asked(EMAIL)
    assert new.packet_version_id == packet.id
    row = approvals.get(company.db, old.id)
    assert (row.status, row.version, row.decided_by) == ("revised", 2, "system")


def test_the_same_question_at_once_is_asked_once(company: Company) -> None:
    company.packet()
    racers = [InBackground(lambda: company.propose(EMAIL)) for _ in range(10)]
    outcomes = Counter(racer.result().outcome for racer in racers)
    assert outcomes == {"created": 1, "pending": 9}
    assert len(company.rows("approval_queue")) == 1


def test_other_clients_cannot_ask_twice_either(company: Company) -> None:
    company.packet()
    company.asked(EMAIL)
    with pytest.raises(psycopg.errors.UniqueViolation):
        company.db.execute(
            "insert into public.approval_queue (project_id, phase, title, description, risk, action_type)"
            " values (%s, 1, 'T', 'd', 'low', %s)",
            [company.id, EMAIL],
        )


def test_what_another_client_asks_is_pinned_to_what_is_there(company: Company) -> None:
    packet = company.packet()
    asset_id, digest = company.page()
    for action in (EMAIL, DEPLOY):
        company.db.execute(
            "insert into public.approval_queue (project_id, phase, title, description, risk_level, action_type)"
            " values (%s, 1, 'T', 'd', 'low', %s)",
            [company.id, action],
        )
    mail, page = sorted(approvals.find(company.db, project_id=company.id), key=lambda a: a.action_type == DEPLOY)
    assert (mail.packet_version_id, mail.content_hash) == (packet.id, None)
    assert (page.packet_version_id, page.asset_id, page.content_hash) == (packet.id, asset_id, digest)
    assert page.payload["content_hash"] == digest


# --- what was decided


@pytest.mark.parametrize("action", [EMAIL, DEPLOY])
def test_what_was_denied_is_not_proposed_again_for_the_same_thing(company: Company, action: str) -> None:
    packet = company.packet()
    landing = company.page()
    denied = company.asked(action)
    decide(company, denied.id, "denied")
    again = company.propose(action)
    assert (again.outcome, again.approval_id) == ("denied_before", denied.id)
    assert for_phase(company, packet, landing)[action].outcome == "denied_before"
    # The same job made another version, which nobody had asked for.
    rerun = company.packet(job_id=packet.source_job_id)
    assert for_phase(company, rerun, company.page("<p>again</p>"))[action].outcome == "denied_before"
    # A job of its own is a revision that a person asked for.
    asked_for = company.packet()
    assert for_phase(company, asked_for, company.page("<p>new</p>"))[action].outcome == "created"


def test_what_a_revision_has_left_as_it_was_is_not_proposed_again(company: Company) -> None:
    mails = {"emails": [{"day": "Day 0", "subject": "Welcome", "body": ["Hello."]}]}
    company.packet(email_sequence=mails)
    decide(company, company.asked(EMAIL).id, "denied")
    company.packet(email_sequence=mails, summary="Another headline, and the same mails")
    assert company.propose(EMAIL).outcome == "denied_before"
    company.packet(email_sequence={"emails": [{**mails["emails"][0], "subject": "Good morning"}]})
    assert company.propose(EMAIL).outcome == "created"


def test_the_very_same_page_is_not_proposed_again_for_a_newer_packet(company: Company) -> None:
    company.packet()
    landing = company.page()
    decide(company, company.asked(DEPLOY).id, "denied")
    assert for_phase(company, company.packet(), landing)[DEPLOY].outcome == "denied_before"


def test_a_person_may_ask_for_what_was_denied(company: Company) -> None:
    company.packet()
    decide(company, company.asked(EMAIL).id, "denied")
    assert company.propose(EMAIL).outcome == "denied_before"
    asked = company.asked(EMAIL, asked_by=FOUNDER, agent_source="ceo_chat")
    assert asked.payload["requested_by"] == FOUNDER


def test_a_denied_refinement_is_not_proposed_again_in_other_words(company: Company) -> None:
    company.packet()
    decide(company, company.asked(REFINE, payload={"guidance": GUIDANCE}).id, "denied")
    assert company.propose(REFINE, payload={"guidance": "The same in other words."}).outcome == "denied_before"


@pytest.mark.parametrize("status", ["queued", "running", "completed", "unknown"])
def test_what_was_carried_out_is_not_proposed_again(company: Company, status: str) -> None:
    company.packet()
    done = company.asked(EMAIL)
    decide(company, done.id, "approved")
    company.db.execute("update public.approval_queue set execution_status = %s where id = %s", [status, done.id])
    again = company.propose(EMAIL)
    assert (again.outcome, again.approval_id) == ("executed_before", done.id)


def test_what_failed_may_be_proposed_again(company: Company) -> None:
    company.packet()
    failed = company.asked(EMAIL)
    decide(company, failed.id, "approved")
    company.db.execute("update public.approval_queue set execution_status = 'failed' where id = %s", [failed.id])
    assert company.propose(EMAIL).outcome == "created"


# --- a phase


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (1, {DEPLOY: "created", EMAIL: "created"}),
        (2, {ADS: "created", "send_phase2_lifecycle_email": "created"}),
        (3, {REPOSITORY: "created", HOOK: "created"}),
    ],
)
def test_a_phase_asks_for_its_actions(make_company: MakeCompany, phase: int, expected: dict[str, str]) -> None:
    company = make_company(phase=phase)
    answers = for_phase(company, company.packet(), company.page() if phase == 1 else None)
    assert {name: answer.outcome for name, answer in answers.items()} == expected
    assert {row["agent_source"] for row in company.rows("approval_queue")} == {"ceo_agent"}
    assert all(row["description"] and row["title"] for row in company.rows("approval_queue"))


def test_a_phase_says_what_it_does_not_ask_for(make_company: MakeCompany) -> None:
    company = make_company(permitted={})
    answers = for_phase(company, company.packet())
    assert {name: (a.outcome, a.reason) for name, a in answers.items()} == {
        DEPLOY: ("refused", "There is no landing page that could be published."),
        EMAIL: ("refused", "The project does not permit email_send."),
    }


def test_a_newer_packet_replaces_what_is_pending_also_where_it_is_not_permitted_any_more(company: Company) -> None:
    for_phase(company, company.packet(), company.page())
    permissions.change_limits(company.db, company.id, FOUNDER, permissions={"email_send": False})
    answers = for_phase(company, company.packet(), company.page("<p>2</p>"))
    assert (answers[DEPLOY].outcome, answers[EMAIL].outcome) == ("created", "refused")
    statuses = Counter((row["action_type"], row["status"]) for row in company.rows("approval_queue"))
    assert statuses == {(DEPLOY, "revised"): 1, (DEPLOY, "pending"): 1, (EMAIL, "revised"): 1}


def test_the_same_phase_again_asks_for_nothing_new(company: Company) -> None:
    packet, landing = company.packet(), company.page()
    for_phase(company, packet, landing)
    before = company.rows("approval_queue")
    assert {a.outcome for a in for_phase(company, packet, landing).values()} == {"pending"}
    assert company.rows("approval_queue") == before


def test_a_page_that_is_live_already_is_not_published_again_at_a_wish(make_company: MakeCompany) -> None:
    company = make_company(phase=1)
    company.packet()
    html = "<!doctype html><title>T</title>"
    asset, digest = company.page(html)

    def publish(page: str, asset_id: UUID | None) -> None:
        with company.db.transaction() as conn:
            pages.publish(
                conn,
                company.id,
                asset_id=asset_id,
                content_hash=sha256_hex(page),
                html=page,
                approval_id=None,
                base_url="https://pages.example.org",
            )

    publish(html, asset)
    answer = company.propose(DEPLOY, asked_by=FOUNDER)
    assert (answer.outcome, answer.reason) == ("refused", "This very page is published already.")
    # What went live since is another one, and this one may come back.
    publish("<!doctype html><title>Another</title>", None)
    assert approvals.get(company.db, company.propose(DEPLOY, asked_by=FOUNDER).approval_id).content_hash == digest
