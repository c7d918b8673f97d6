"""Dashboard, inbox, outbox and settings show what their owner's rows say, in every state, escaped, to nobody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from studio import decisions, lifecycle
from studio.database.connection import Database
from studio.views import inbox, outbox
from tests.support import mail
from tests.support.approvals import DEPLOY, EMAIL, REFINE
from tests.support.desk import Scene
from tests.support.postgres import TestServer
from tests.support.web import StudioThread
from web.pages.settings import browser_name

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


class _Text(HTMLParser):
    """What a person reads of a page, and the links in it."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.said.append(data)


@dataclass(frozen=True)
class Page:
    """A page: what it says in one line of words, where it leads, and its source."""

    text: str
    links: list[str]
    source: str
    headers: httpx.Headers


class Studio:
    """A studio full of ada's rows, and a client for each person."""

    def __init__(self, web: StudioThread) -> None:
        self.web = web
        self.db = web.database
        self.scene = Scene(web.database, web.settings, "ada")
        self.made = self.scene.everything()
        self.clients = {"ada": web.sign_in("ada"), "bob": web.sign_in("bob"), "nobody": web.stranger()}

    def id(self, name: str) -> UUID:
        """Return the id of something that the scene has made."""
        found = self.made[name]
        return found if isinstance(found, UUID) else UUID(str(found.id))

    def page(self, path: str, who: str = "ada", status: int = 200) -> Page:
        answer = self.clients[who].get(path)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:400])
        read = _Text()
        read.feed(answer.text)
        return Page(" ".join(" ".join(read.said).split()), read.links, answer.text, answer.headers)


@pytest.fixture(scope="module")
def studio(postgres: TestServer, database_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("desk") / "data"
    with postgres.temporary(database_template) as name, Database(postgres.url(name)) as database:
        given = {"pages_base_url": "http://127.0.0.1:9", "integration_key": KEY, "anthropic_api_key": "key"}
        web = StudioThread(database, folder, dagster_ui_url="http://127.0.0.1:3000", model="sandbox", **given)
        with web:
            made = Studio(web)
            yield made
            for client in made.clients.values():
                client.close()


# --- dashboard


def test_the_dashboard_says_what_needs_its_owner(studio: Studio) -> None:
    said = studio.page("/")
    assert "Create the ad campaign, paused" in said.text
    assert "Did the mail “How the locker works” leave?" in said.text
    assert "Was “Start the workflow” done at GitHub?" in said.text
    assert "The model did not answer in 180 s" in said.text
    assert "Until the licence is settled" in said.text
    assert f"/inbox/{studio.id('ads')}" in said.links
    assert f"/outbox/{studio.id('effect')}" in said.links
    assert f'data-api="POST /api/jobs/{studio.id("failed_job")}/retry"' in said.source
    assert f'data-api="POST /api/projects/{studio.id("paused")}/life"' in said.source


def test_what_is_held_is_not_also_called_a_failed_job(studio: Studio) -> None:
    needs = studio.page("/parts/dashboard/needs").text
    assert "GitHub closed the connection" not in needs
    assert "Vercel answers 403" in needs


def test_the_dashboard_says_what_runs_with_its_step_and_its_run_in_dagster(studio: Studio) -> None:
    said = studio.page("/parts/dashboard/running")
    assert "Searching the web for prices of tool libraries" in said.text
    assert "Reading eight sources on island post" in said.text
    assert "queued" in said.text
    assert any(link.startswith("http://127.0.0.1:3000/runs/") for link in said.links)
    assert "data-running" in said.source


def test_the_dashboard_says_what_the_night_proposed_and_what_it_left_out(studio: Studio) -> None:
    said = studio.page("/parts/dashboard/night")
    assert "Write to whoever is on the list" in said.text
    assert "No draft of the landing page has been chosen yet." in said.text
    assert any(re.fullmatch(r"/inbox/[0-9a-f-]{36}", link) for link in said.links)


def test_the_dashboard_counts_money_and_visits(studio: Studio) -> None:
    said = studio.page("/parts/dashboard/projects").text
    assert "$1.24 today (UTC), 1 call" in said
    assert "$7.61 in seven days" in said
    assert "$5.10 left of $60.00" in said
    assert "412 19 4.61 %" in said
    assert "64 of 100, phase 1" in said


def test_every_part_is_the_section_of_the_page(studio: Studio) -> None:
    whole = studio.page("/").source
    for name in ("needs", "running", "night", "projects"):
        assert f'data-live="/parts/dashboard/{name}"' in whole
        assert f'data-live="/parts/dashboard/{name}"' in studio.page(f"/parts/dashboard/{name}").source
    assert studio.page("/parts/dashboard/other", status=404)
    assert f"{inbox.waiting(studio.db, 'ada')} waiting" in studio.page("/parts/nav-inbox").text


def test_who_has_nothing_is_told_what_to_do_first(studio: Studio) -> None:
    said = studio.page("/", "bob")
    assert "Write down your first idea" in said.text
    assert "/projects/new" in said.links
    assert "Nothing waits for you" in studio.page("/inbox", "bob").text
    assert "Nothing has left" in studio.page("/outbox", "bob").text


# --- inbox


def test_the_inbox_filters_by_kind_risk_and_project(studio: Studio) -> None:
    def titles(query: str) -> set[str]:
        source = studio.page(f"/parts/inbox{query}").source.partition("decided-title")[0]
        return set(re.findall(r'href="/inbox/([0-9a-f-]{36})"', source))

    everything = titles("")
    gates, actions = titles("?kind=gates"), titles("?kind=actions")
    assert gates | actions == everything
    assert not gates & actions
    assert str(studio.id("gate")) in gates
    assert titles("?kind=high") == {str(studio.id("ads")), str(studio.id("risky_gate"))}
    of_tools = titles(f"?project={studio.id('tools')}")
    assert of_tools == {str(studio.id(name)) for name in ("gate", "page", "letters", "refine")}
    # A project that is not there, or somebody else's, is no filter.
    assert titles(f"?project={uuid4()}") == everything
    assert studio.page("/inbox?kind=other", status=422)


def test_the_inbox_lists_what_was_decided_page_by_page(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    said = studio.page("/inbox").text
    assert "“Not now.”" in said
    assert "a newer question took its place" in said
    monkeypatch.setattr(inbox, "DECIDED_PER_PAGE", 2)
    first = studio.page("/inbox")
    assert "/inbox?decided=2" in first.links
    last = studio.page("/inbox?decided=3")
    assert "/inbox?decided=2" in last.links
    assert "/inbox?decided=4" not in last.links
    assert "Nothing older." in studio.page("/inbox?decided=9").text


def test_a_gate_says_what_it_rests_on_and_where_a_yes_leads(studio: Studio) -> None:
    said = studio.page(f"/inbox/{studio.id('gate')}")
    assert f"/projects/{studio.id('tools')}/phases/1?version=2" in said.links
    assert "The project moves on to phase 2" in said.text
    assert "64 of 100" in said.text
    assert "medium risk" in said.text
    assert "$0.41" in said.text
    assert "$7.61 of $60.00" in said.text
    assert "Written by the sandbox model" in said.text
    assert 'name="version" value="1"' in said.source
    assert {"approved", "revised", "denied"} == set(re.findall(r'name="decision" value="(\w+)"', said.source))
    assert 'minlength="8" maxlength="2000"' in said.source


def test_a_page_is_shown_with_its_hash_its_size_and_itself(studio: Studio) -> None:
    asked = studio.made["page"]
    said = studio.page(f"/inbox/{asked.id}")
    size = asked.payload["asset"]["size_bytes"]
    assert asked.content_hash in said.text
    assert f"{size} bytes" in said.text
    frame = f'src="/api/projects/{studio.id("tools")}/assets/{asked.asset_id}/preview" sandbox'
    assert frame in said.source


def test_a_page_whose_file_is_gone_is_said_so(studio: Studio) -> None:
    company = studio.scene.company("Gone", 1)
    asset, digest = studio.scene.page(company, "<!doctype html><title>Gone</title>")
    packet = studio.scene.packet(company, 1)
    asked = studio.scene.asked(company, DEPLOY, packet=packet, asset_id=asset, content_hash=digest)
    studio.db.execute("delete from public.project_assets where id = %s", [asset])
    said = studio.page(f"/inbox/{asked.id}").text
    assert "there is nothing to publish" in said


def test_mails_are_shown_whole_with_the_number_of_their_receivers(studio: Studio) -> None:
    said = studio.page(f"/inbox/{studio.id('letters')}").text
    for words in ("You are on the list", "How the locker works", "One question", "Which tool did you miss last?"):
        assert words in said
    assert "Now that is 3 people" in said
    assert "so 9 mails" in said


def test_a_campaign_is_shown_with_its_budget_and_asked_for_twice(studio: Studio) -> None:
    said = studio.page(f"/inbox/{studio.id('ads')}")
    assert "$12.50 at most; the project's cap is $20 a day" in said.text
    assert "House managers" in said.text
    assert "Stop after 50 dollars without a signup" in said.text
    dialog = said.source.partition("<dialog")[2].partition("</dialog>")[0]
    assert "$12.50" in dialog
    assert 'value="approved"' in dialog
    assert said.source.count('value="approved"') == 1


def test_a_workflow_and_a_refinement_are_shown_in_full(studio: Studio) -> None:
    workflow = studio.page(f"/inbox/{studio.id('unknown')}").text
    assert "https://github.com/acme/shop" in workflow
    assert "greenlight_phase3_launch" in workflow
    assert "Rollback" in workflow
    assert "drop the word community" in studio.page(f"/inbox/{studio.id('refine')}").text


def test_a_question_that_changed_while_it_was_read_is_not_decided_as_if_it_had_not(studio: Studio) -> None:
    gate = studio.id("gate")
    same = studio.page(f"/parts/inbox/{gate}/decision?version=1")
    assert 'value="approved"' in same.source
    other = studio.page(f"/parts/inbox/{gate}/decision?version=7")
    assert "This has changed while you were reading" in other.text
    assert "You see version 7; it is version 1 now" in other.text
    assert 'value="approved"' not in other.source
    # What somebody writes in stays.
    assert 'value="revised"' in other.source


def test_a_superseded_question_leads_to_the_newer_one(studio: Studio) -> None:
    said = studio.page(f"/inbox/{studio.id('old_gate')}")
    assert "A newer question has taken its place" in said.text
    assert f"/inbox/{studio.id('gate')}" in said.links
    assert f"/projects/{studio.id('tools')}/phases/1?version=2&against=1" in said.links


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unknown", ("held", "GitHub closed the connection", "Nobody knows whether “Start the workflow” was done")),
        (
            "failed",
            ("failed", "Vercel answers 403", "The project's accounts", "Then try it again"),
        ),
        ("done", ("done", "6 mails queued for 2 confirmed addresses")),
        ("denied", ("Denied", "Not now.", "the same is not proposed again")),
    ],
)
def test_a_decided_approval_says_what_became_of_it(studio: Studio, name: str, words: tuple[str, ...]) -> None:
    said = studio.page(f"/inbox/{studio.id(name)}")
    for word in words:
        assert word in said.text
    assert "data-api" not in said.source or name == "failed"
    assert (f"/outbox/{studio.id('effect')}" in said.links) == (name == "unknown")


def test_a_revised_gate_leads_to_the_job_that_follows(studio: Studio) -> None:
    company = studio.scene.company("Again", 1)
    gate = studio.scene.gate(company, studio.scene.packet(company, 1))
    made = decisions.decide(
        studio.db, gate.id, "revised", version=1, decided_by="ada", guidance="Say who carries the bread."
    )
    said = studio.page(f"/inbox/{gate.id}")
    assert "Say who carries the bread." in said.text
    assert f"/jobs/{made.job_id}" in said.links
    assert "queued" in said.text


def test_what_cannot_be_approved_now_says_why(studio: Studio) -> None:
    company = studio.scene.company("Halted", 1)
    asked = studio.scene.asked(company, EMAIL, packet=studio.scene.packet(company, 1))
    lifecycle.set_status(studio.db, company.id, "paused", "ada")
    said = studio.page(f"/inbox/{asked.id}")
    assert "The project is paused: nothing can be approved in it." in said.text
    assert 'value="approved"' not in said.source
    assert 'value="denied"' in said.source
    assert f"/projects/{company.id}/settings#life" in said.links


# --- outbox


def test_the_outbox_says_why_mails_wait(studio: Studio) -> None:
    said = studio.page("/outbox").text
    assert "1 The project's cap of 0 mails a day is reached." in said
    assert "It is for later: 01 May 2126" in said
    assert "2 entries held" in said
    assert "Resend refuses the address: mailbox unavailable." in said


def test_the_outbox_filters_by_state_kind_and_project(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def entries(query: str) -> set[str]:
        return set(re.findall(r'href="/outbox/([0-9a-f-]{36})"', studio.page(f"/parts/outbox{query}").source))

    assert entries("?state=held") == {str(studio.id("held_mail")), str(studio.id("effect"))}
    assert entries("?state=held&kind=mail") == {str(studio.id("held_mail"))}
    assert entries("?state=sent&kind=mail") == {str(studio.id("sent"))}
    assert entries(f"?state=waiting&project={studio.id('bread')}") == {str(studio.id(n)) for n in ("waiting", "later")}
    assert entries("?state=ended") == set()
    assert "Nothing of this kind" in studio.page("/outbox?state=ended").text
    monkeypatch.setattr(outbox, "PER_PAGE", 2)
    assert "/outbox?page=2" in studio.page("/outbox").links
    assert studio.page("/outbox?state=none", status=422)


def test_a_sent_mail_is_readable_as_it_was_sent(studio: Studio) -> None:
    said = studio.page(f"/outbox/{studio.id('sent')}")
    assert "as it was sent" in said.text
    assert "Wheels & Bread <greenlight@localhost.localdomain>" in said.text
    assert "Message-ID" in said.text
    assert "Which tool did you miss last?" in said.text
    assert f'src="/outbox/{studio.id("sent")}/body" sandbox' in said.source
    body = studio.page(f"/outbox/{studio.id('sent')}/body")
    assert "Which tool did you <b>miss</b> last?" in body.source
    policy = body.headers["content-security-policy"]
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def test_links_that_only_a_receiver_may_have_are_not_shown_to_others(studio: Studio) -> None:
    company = studio.scene.company("Letters", 1)
    html = '<p><a href="https://unsubscribe.invalid/0123456789abcdef">Unsubscribe</a></p>'
    mail_id = mail.add_mail(
        studio.db, company.id, html_body=html, link_marker="0123456789abcdef", unsubscribe_reason="unsubscribed"
    )
    mail.send(studio.db, studio.web.settings)
    row = mail.mail(studio.db, mail_id)
    assert row["status"] == "sent"
    own = outbox.letter(studio.web.settings, row, with_links=True)
    assert own.sent_as == "file"
    assert "/unsubscribe/" in (own.html or "")
    others = outbox.letter(studio.web.settings, row, with_links=False)
    assert others.sent_as == "stored"
    assert "/unsubscribe/" not in (others.html or "") + others.text


def test_a_file_name_leads_nowhere_else(studio: Studio, tmp_path: Any) -> None:
    (tmp_path / "secret.eml").write_text("Subject: secret\n\nsecret")
    row = {**mail.mail(studio.db, studio.id("sent")), "provider_message_id": str(tmp_path / "secret.eml")}
    assert outbox.letter(studio.web.settings, row, with_links=True).sent_as == "stored"
    row["provider_message_id"] = "../../secret.eml"
    assert outbox.letter(studio.web.settings, row, with_links=True).sent_as == "stored"


def test_what_nobody_knows_of_can_be_settled(studio: Studio) -> None:
    for name in ("held_mail", "effect"):
        said = studio.page(f"/outbox/{studio.id(name)}")
        assert "Did it happen?" in said.text
        assert {"done", "retry"} == set(re.findall(r'name="resolution" value="(\w+)"', said.source))
        assert f'data-api="POST /api/outbox/{studio.id(name)}/resolve"' in said.source
    assert "it happens twice" in studio.page(f"/parts/outbox/{studio.id('effect')}").source
    assert "resolution" not in studio.page(f"/outbox/{studio.id('waiting')}").source
    effect = studio.page(f"/outbox/{studio.id('effect')}").text
    assert "greenlight_phase3_launch" in effect
    assert studio.page(f"/outbox/{studio.id('effect')}/body", status=404)


# --- settings


def test_a_project_says_what_it_may_do_and_what_that_makes_possible(studio: Studio) -> None:
    said = studio.page(f"/projects/{studio.id('bread')}/settings")
    assert "Makes possible: Send the welcome sequence (phase 1, low risk), Send the lifecycle mails" in said.text
    assert re.search(r'name="ads_enabled"[^>]* checked', said.source)
    begun = studio.page(f"/projects/{studio.id('begun')}/settings")
    assert not re.search(r'name="email_send"[^>]* checked', begun.source)
    assert "The project does not permit “Send mails to people”." in begun.text
    assert "Not before the pitch" in begun.text
    # No permission opens it, so it is no line of the table.
    assert '<th scope="row">Go back' not in said.source
    assert '<th scope="row">Publish the landing page' in said.source
    assert "Going back to an earlier page needs no permission" in said.text


def test_a_project_says_what_it_has_spent_and_when_its_mail_leaves(studio: Studio) -> None:
    said = studio.page(f"/projects/{studio.id('bread')}/settings")
    assert "$54.90 of $60.00" in said.text
    assert 'value="22:00"' in said.source
    assert "<option selected>Europe/Berlin</option>" in said.source
    assert "timezone: UTC → Europe/Berlin" in said.text


def test_a_projects_accounts_are_masked_and_their_secrets_never_shown(studio: Studio) -> None:
    said = studio.page(f"/projects/{studio.id('bread')}/settings")
    for secret in ("re_1234567890abcdef", "EAAmetatoken0123456789", "hello@wheels.example"):
        assert secret not in said.source
    assert "re_" in said.text
    assert "its own, switched off" in said.text
    passwords = re.findall(r'<input id="([\w-]+)"[^>]*type="password"', said.source)
    assert set(passwords) == {"resend-api_key", "meta-access_token", "github-token", "vercel-deploy_hook_url"}
    assert not re.search(r'type="password"[^>]*value=', said.source)


def test_a_projects_life_is_ended_by_its_name(studio: Studio) -> None:
    said = studio.page(f"/parts/projects/{studio.id('bread')}/settings/life")
    assert "denies 2 open approvals, and stops 2 mails. It cannot be undone." in said.text
    assert "published page" not in said.text, "none was ever published"
    assert 'data-must-be="Wheels &amp; Bread"' in said.source
    assert "Resume" in studio.page(f"/parts/projects/{studio.id('paused')}/settings/life").text
    killed = studio.page(f"/parts/projects/{studio.id('killed')}/settings/life")
    assert "This project has ended." in killed.text
    assert "data-api" not in killed.source
    assert "Nobody wanted it" in studio.page(f"/parts/projects/{studio.id('killed')}/settings/audit").text


def test_a_killed_projects_settings_are_read_only_and_a_paused_ones_say_that_nothing_happens(studio: Studio) -> None:
    killed = studio.page(f"/projects/{studio.id('killed')}/settings")
    assert "Its settings can be read, and do nothing any more." in killed.text
    assert "nobody works on it at night" in killed.text
    assert not re.search(r'data-api="PUT ', killed.source)
    paused = studio.page(f"/projects/{studio.id('paused')}/settings")
    assert "nothing happens before it is resumed" in paused.text
    assert "tonight" not in paused.text
    assert 'data-api="PUT /api/projects/' in paused.source
    assert "<option>Factory" not in paused.source
    assert "<option>localtime" not in paused.source
    assert "<option selected>UTC" in paused.source


def test_what_the_end_of_a_project_has_denied_nobody_has_said_no_to(studio: Studio) -> None:
    company = studio.scene.company("Ended", 1)
    gate = studio.scene.gate(company, studio.scene.packet(company, 1))
    lifecycle.set_status(studio.db, company.id, "killed", "ada")
    for path in (f"/inbox/{gate.id}", f"/projects/{company.id}/phases/1"):
        said = studio.page(path).text
        assert "Killing the project ended this" in said, path
        assert "said no" not in said
    assert "killing the project ended it" in studio.page("/inbox").text
    assert "ended with the project" in studio.page(f"/projects/{company.id}").text


def test_a_page_that_is_live_already_is_said_to_be_and_does_not_lead(studio: Studio) -> None:
    company = studio.scene.company("Live", 2)
    packet = studio.scene.packet(company, 1)
    asset, digest = studio.scene.page(company, "<!doctype html><title>Live</title>")
    asked = studio.scene.asked(company, DEPLOY, packet=packet, asset_id=asset, content_hash=digest)
    assert "is live already" not in studio.page(f"/inbox/{asked.id}").text
    studio.db.execute(
        "insert into public.page_publications (project_id, publication_no, content_hash, html, live_url, published_by)"
        " values (%s, 1, %s, '<!doctype html><title>Live</title>', 'https://live.example', 'ada')",
        [company.id, digest],
    )
    for path in (f"/inbox/{asked.id}", "/inbox", f"/projects/{company.id}"):
        assert "his very page is live already" in studio.page(path).text, path
    assert "Nothing new waits for you" in studio.page(f"/parts/projects/{company.id}/next").text
    assert "takes the published page down" in studio.page(f"/parts/projects/{company.id}/settings/life").text


def test_a_decided_approval_names_the_version_that_was_decided(studio: Studio) -> None:
    said = studio.page(f"/inbox/{studio.id('denied')}")
    assert "version 1" in said.text.partition("Denied")[2]
    assert "version 2" not in said.text.partition("Denied")[2]
    does = studio.page(f"/parts/inbox/{studio.id('old_gate')}/does").text
    assert "What it was about" in does
    assert "The project moves on" not in does


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("python-httpx/0.28.1", "python-httpx"),
        ("", "An unknown browser"),
        (None, "An unknown browser"),
    ],
)
def test_a_browser_is_named_in_words(sent: str | None, said: str) -> None:
    assert browser_name(sent) == said


def test_the_settings_say_who_has_signed_in_and_what_stands_in(studio: Studio) -> None:
    other = studio.web.sign_in("ada")
    said = studio.page("/settings")
    assert "ada" in said.text
    assert re.search(r"this one signed in .+?, last used now", said.text)
    assert 'title="python-httpx/' in said.source
    assert len(re.findall(r'data-api="DELETE /api/sessions/', said.source)) >= 1
    assert "The sandbox model writes everything" in said.text
    assert "Mails are written to the outbox folder" in said.text
    assert "PostgreSQL" in said.text
    assert "http://127.0.0.1:3000" in said.links
    assert "/api/openapi.json" in said.links
    other.close()


# --- sign-in, errors


def test_the_sign_in_page_says_how(studio: Studio) -> None:
    assert "greenlight sign-in" in studio.page("/sign-in", "nobody").text
    no_link = studio.page("/sign-in/none", "nobody", status=410).text
    assert "This link opens nothing: it was used, has expired, or is not whole." in no_link
    answer = studio.clients["nobody"].get(f"/inbox/{studio.id('gate')}")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in?next=%2Finbox%2F")


def test_an_error_is_a_page_of_the_studio(studio: Studio) -> None:
    said = studio.page(f"/inbox/{uuid4()}", status=404)
    assert "There is no such approval" in said.text
    assert "/outbox" in said.links
    assert "/outbox" not in studio.page("/no-such-page", "nobody", status=404).links


# --- whose, and how


def test_nobody_sees_what_is_somebody_elses(studio: Studio) -> None:
    for name in ("gate", "page", "unknown"):
        assert studio.page(f"/inbox/{studio.id(name)}", "bob", status=404)
        assert studio.page(f"/parts/inbox/{studio.id(name)}/decision?version=1", "bob", status=404)
    for name in ("sent", "effect"):
        for path in ("/outbox/{}", "/outbox/{}/body", "/parts/outbox/{}"):
            assert studio.page(path.format(studio.id(name)), "bob", status=404)
    for path in ("/projects/{}/settings", "/parts/projects/{}/settings/life", "/parts/projects/{}/settings/audit"):
        assert studio.page(path.format(studio.id("bread")), "bob", status=404)
    for path in (
        "/",
        "/inbox",
        "/outbox",
        f"/inbox?project={studio.id('bread')}",
        f"/outbox?project={studio.id('bread')}",
    ):
        said = studio.page(path, "bob").text
        assert "Wheels" not in said
        assert "Toolhaus" not in said


def test_pages_are_nobodys_to_keep_and_run_no_script_but_their_own(studio: Studio) -> None:
    for path in ("/", "/inbox", "/outbox", "/settings", f"/projects/{studio.id('bread')}/settings", "/parts/inbox"):
        said = studio.page(path)
        assert said.headers["cache-control"] == "private, no-store"
        assert "script-src 'self';" in said.headers["content-security-policy"]
        assert not re.search(r"<script(?![^>]* src=)", said.source)
        assert not re.search(r"\son\w+=|\sstyle=", said.source)


def test_hostile_text_is_text_everywhere(studio: Studio) -> None:
    scene = Scene(studio.db, studio.web.settings, "mallory")
    company = scene.company(HOSTILE[:80], 1, live_url="javascript:alert(1)")
    packet = scene.packet(company, 1, summary=HOSTILE, recommendation=HOSTILE)
    gate = scene.gate(company, packet)
    letters = [{"day": HOSTILE, "subject": HOSTILE, "goal": HOSTILE, "body": [HOSTILE], "cta_label": HOSTILE}]
    asked = scene.asked(
        company,
        EMAIL,
        packet=scene.packet(company, 1, email_sequence={"emails": letters}),
        title=HOSTILE,
        description=HOSTILE,
    )
    refine = scene.asked(company, REFINE, packet=packet, title=HOSTILE, payload={"guidance": HOSTILE})
    decisions.decide(studio.db, refine.id, "denied", version=1, decided_by="mallory", guidance=HOSTILE)
    job = scene.failed(company, "phase.generate_packet", HOSTILE)
    scene.running(company, "chat.reply", HOSTILE, agent=HOSTILE)
    mail_id = mail.add_mail(
        studio.db,
        company.id,
        subject=HOSTILE,
        to_email="x@example.org",
        status="unknown",
        error=HOSTILE,
        html_body=HOSTILE,
        text_body=HOSTILE,
    )
    studio.clients["mallory"] = studio.web.sign_in("mallory")
    paths = [
        "/",
        "/inbox",
        f"/inbox/{gate.id}",
        f"/inbox/{asked.id}",
        f"/inbox/{refine.id}",
        "/outbox",
        f"/outbox/{mail_id}",
        f"/projects/{company.id}/settings",
    ]
    for path in paths:
        said = studio.page(path, "mallory")
        assert "<script>alert" not in said.source, path
        assert "<img src=x" not in said.source, path
        assert "alert('x')" in said.text, path
        assert 'href="javascript:' not in said.source, path
    lifecycle.set_status(studio.db, company.id, "paused", "mallory", HOSTILE)
    assert "<script>alert" not in studio.page("/", "mallory").source
    assert str(job) in studio.page("/", "mallory").source
