"""An alert opens when its condition holds, closes when it is gone, and is told once per spell and at most once an hour.

However many processes check at once, however they end, and whatever the ways do with what they are given.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from studio.database.connection import Database
from studio.errors import NotFound
from studio.operations import alert_checks, alert_slowdowns, alert_ways, alerts, issues
from studio.operations.alert import Alert, Delivery
from studio.operations.alert_findings import Finding
from studio.settings import Settings
from tests.support.mail import ResendServer, files, mail_settings, parts, read, resend_settings
from tests.support.queue import InBackground, claim_next, enqueue, make_project, separate_connection, set_lane
from tests.support.traces import make_trace, span

SECRET = "T0SECRET/B1SECRET/hook-secret-42"


@dataclass
class Hook:
    """A webhook's receiver: what it was sent, and what it answers, in this order; 200 when nothing is left."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    def keys(self) -> list[str]:
        return [headers["Idempotency-Key"] for _, headers, _ in self.requests]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.requests.append((self.path, dict(self.headers), json.loads(body)))
            self.send_response(hook.answers.pop(0) if hook.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hook.url = f"http://127.0.0.1:{server.server_port}/services/{SECRET}?token=query-secret"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield hook
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def hook(receiver: Hook) -> Hook:
    receiver.answers.clear()
    receiver.requests.clear()
    return receiver


@pytest.fixture
def settings(tmp_path: Path, hook: Hook) -> Settings:
    return mail_settings(tmp_path, alert_email="ops@example.org", alert_webhook_url=hook.url)


def break_down(db: Database, fingerprint: str = "f00d", message: str = "It broke.", **given: Any) -> None:
    """Let an attempt end with an error."""
    error = {"error": message, "error_type": "ValueError", "error_class": given.pop("error_class", "unknown")}
    given.setdefault("ago", timedelta(seconds=30))
    make_trace(db, spans=[span("job:test.work", 0, 1000, fingerprint=fingerprint, **error)], **given)


def let_time_pass(db: Database, **much: float) -> None:
    """Let everything that alerts know of have happened earlier."""
    db.execute(
        "update public.alerts set notified_at = notified_at - %(t)s, closed_at = closed_at - %(t)s,"
        " first_at = first_at - %(t)s, last_at = last_at - %(t)s",
        {"t": timedelta(**much)},
    )
    db.execute(
        "update public.alert_deliveries set hour = hour - %(t)s, next_at = next_at - %(t)s", {"t": timedelta(**much)}
    )


def the_alert(db: Database, **filters: Any) -> Alert:
    (alert,) = alerts.find(db, **filters)
    return alert


def sent(db: Database, alert: Alert) -> list[Delivery]:
    return alerts.deliveries(db, alert.id)


def findings(db: Database, kind: alert_checks.Kind, **values: Any) -> list[Finding]:
    with db.transaction() as conn:
        return list(alert_checks.CHECKS[kind](conn, Settings.model_validate(values)))


# --- what is found


def test_an_error_that_ends_attempts_is_an_alert_until_it_is_resolved(database: Database, settings: Settings) -> None:
    break_down(database)
    done = alerts.check(database, settings)
    assert (done.looked, done.open, done.told, done.sent, done.failed) == (True, 1, 1, 2, 0)
    assert str(done) == "1 alerts are open, 0 were closed, 1 told; 2 notifications sent, 0 failed."
    alert = the_alert(database)
    assert (alert.kind, alert.subject, alert.severity) == ("error", "f00d", "warning")
    assert alert.title == "New error in test.work: ValueError: It broke."
    with database.transaction() as conn:
        issues.resolve(conn, "f00d", "ada")
    assert alerts.check(database, settings).closed == 1
    assert alerts.find(database) == []
    assert the_alert(database, state="closed").closed_at is not None


@pytest.mark.parametrize("how", ["overcome", "cancelled", "long ago", "resolved"])
def test_an_error_is_no_alert_that_is(database: Database, how: str) -> None:
    if how == "overcome":
        overcome = span("tool:y", 0, 1, under=0, error="No.", fingerprint="f00d")
        make_trace(database, spans=[span("job:x", 0, 1000), overcome])
    elif how == "cancelled":
        stop = {"status": "cancelled", "error": "Stop.", "error_class": "cancelled", "fingerprint": "f00d"}
        make_trace(database, spans=[span("job:x", 0, 1, **stop)])
    elif how == "long ago":
        break_down(database, ago=timedelta(days=8))
    else:
        break_down(database)
        database.execute("update public.pipeline_issues set status = 'resolved', resolved_at = now()")
    assert findings(database, "error") == []


def test_an_error_that_comes_back_is_told_again(database: Database, settings: Settings, hook: Hook) -> None:
    break_down(database, ago=timedelta(minutes=50))
    alerts.check(database, settings)
    with database.transaction() as conn:
        issues.resolve(conn, "f00d", "ada")
    database.execute("update public.pipeline_issues set resolved_at = now() - interval '10 minutes'")
    # It is back before any check has seen it resolved.
    break_down(database)
    assert alerts.check(database, settings).told == 0
    let_time_pass(database, hours=1)
    assert alerts.check(database, settings).told == 1
    assert [body["alert"]["title"].partition(" in ")[0] for _, _, body in hook.requests] == ["New error", "Back again"]
    assert len({one.hour for one in sent(database, the_alert(database))}) == 2


def test_what_is_open_stays_open_however_many_errors_come_after_it(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_checks, "ERRORS_AT_ONCE", 2)
    for minutes, fingerprint in ((9, "one"), (8, "two")):
        break_down(database, fingerprint, ago=timedelta(minutes=minutes))
    alerts.check(database, settings)
    for minutes, fingerprint in ((7, "three"), (6, "four")):
        break_down(database, fingerprint, ago=timedelta(minutes=minutes))
    done = alerts.check(database, settings)
    assert (done.closed, {alert.subject for alert in alerts.find(database)}) == (0, {"one", "two"})
    # What has made room for it is told in its turn.
    with database.transaction() as conn:
        issues.resolve(conn, "one", "ada")
    alerts.check(database, settings)
    assert {alert.subject for alert in alerts.find(database)} == {"two", "four"}


def slow_spans(db: Database, name: str, count: int, ms: float, *, ago: timedelta, over: timedelta) -> None:
    """Store ended spans of one name, evenly over a time that ends `ago`."""
    db.execute(
        "insert into public.pipeline_spans (span_id, trace_id, span_name, start_time, end_time, duration_ms, self_ms,"
        " status) select left(md5(random()::text), 16), gen_random_uuid(), %(name)s, at, at, %(ms)s, %(ms)s, 'ok'"
        " from (select now() - %(ago)s - n * %(over)s / %(count)s as at from generate_series(0, %(count)s - 1) n) s",
        {"name": name, "count": count, "ms": ms, "ago": ago, "over": over},
    )


BEFORE = {"ago": timedelta(hours=2), "over": timedelta(days=13)}
LATELY = {"ago": timedelta(minutes=1), "over": timedelta(minutes=50)}


@pytest.mark.parametrize(
    ("before_ms", "count", "now_ms", "now_count", "found"),
    [
        pytest.param(1500, 40, 4000, 20, True, id="slower"),
        pytest.param(1500, 40, 2900, 20, False, id="not twice as slow"),
        pytest.param(300, 40, 1200, 20, False, id="four times as slow, but by less than a second"),
        pytest.param(1500, 40, 4000, 19, False, id="too few runs in the last hour"),
        pytest.param(1500, 19, 4000, 20, False, id="too few runs before"),
    ],
)
def test_what_has_become_slower_is_found(
    database: Database, before_ms: float, count: int, now_ms: float, now_count: int, found: bool
) -> None:
    slow_spans(database, "agent:researcher", count, before_ms, **BEFORE)
    slow_spans(database, "agent:researcher", now_count, now_ms, **LATELY)
    # Neither what has always been slow nor what is new is a regression.
    slow_spans(database, "step:always", 40, 9000, **BEFORE)
    slow_spans(database, "step:always", 20, 9000, **LATELY)
    slow_spans(database, "step:new", 20, 9000, **LATELY)
    slow_spans(database, "queue:wait", 40, 10, **BEFORE)
    slow_spans(database, "queue:wait", 40, 90_000, **LATELY)
    seen = findings(database, "slower")
    assert [(finding.subject, finding.data["samples"]) for finding in seen] == (
        [("span:agent:researcher", now_count)] if found else []
    )
    if found:
        assert seen[0].title == "agent:researcher has become 2.7 × slower"


def test_what_is_open_stays_open_however_many_become_slower_after_it(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_slowdowns, "AT_ONCE", 1)
    for name, ms in (("step:first", 3000), ("step:worse", 9000)):
        slow_spans(database, name, 20, 100, **BEFORE)
        slow_spans(database, name, 20, ms, **LATELY)
        done = alerts.check(database, settings)
        assert (done.closed, the_alert(database).subject) == (0, "span:step:first")


def test_a_pipeline_is_slower_by_its_work_and_not_by_its_wait(database: Database) -> None:
    statement = (
        "insert into public.pipeline_traces (trace_id, pipeline_name, start_time, duration_ms, queue_ms, status)"
        " select gen_random_uuid(), %(name)s, now() - %(ago)s - n * %(over)s / 30, %(ms)s, %(queue)s, 'ok'"
        " from generate_series(0, 29) n"
    )
    for name, ms, queue in (("work", 9000.0, 10.0), ("wait", 9000.0, 8000.0)):
        database.execute(statement, {"name": name, "ms": 1000.0, "queue": 10.0, **BEFORE})
        database.execute(statement, {"name": name, "ms": ms, "queue": queue, **LATELY})
    assert [finding.subject for finding in findings(database, "slower")] == ["pipeline:work"]


def test_a_lane_from_which_nobody_takes_what_is_due_is_found(database: Database) -> None:
    project = make_project(database)
    job = enqueue(database, project)
    late = {"alert_queue_seconds": 120}
    assert findings(database, "queue", **late) == []
    database.execute(
        "update public.agent_jobs set run_after = now() - interval '5 minutes', created_at = now() - interval '1 hour'"
    )
    (finding,) = findings(database, "queue", **late)
    assert (finding.subject, finding.severity) == ("standard", "critical")
    assert "has been waiting for 5 min" in finding.detail
    assert findings(database, "queue", alert_queue_seconds=400) == []
    # A slot that has just become free beside a long line: somebody was there a moment ago.
    other = make_project(database)
    enqueue(database, other, priority=1)
    claim_next(database, lane="standard").complete()
    assert findings(database, "queue", **late) == []
    database.execute("update public.agent_jobs set started_at = now() - interval '3 minutes' where id <> %s", [job])
    assert len(findings(database, "queue", **late)) == 1
    # Where all slots are taken, it waits for a slot and not for a worker.
    set_lane(database, "standard", 0, 1)
    assert findings(database, "queue", **late) == []


@pytest.mark.parametrize(
    ("spent", "found"),
    [
        pytest.param({"spent_micros": 7_900_000}, None, id="79 % of the money"),
        pytest.param({"spent_micros": 6_000_000, "reserved_micros": 2_000_000}, ("warning", "money"), id="reserved"),
        pytest.param({"spent_tokens": 900}, ("warning", "tokens"), id="90 % of the tokens"),
        pytest.param({"calls": 10}, ("critical", "calls"), id="all calls"),
        pytest.param({"cap_calls": 0}, None, id="a cap of nothing"),
    ],
)
def test_a_project_that_comes_near_to_a_cap_is_found(
    database: Database, spent: dict[str, int], found: tuple[str, str] | None
) -> None:
    project = make_project(database, name="Tea")
    row = {"cap_micros": 10_000_000, "cap_tokens": 1000, "cap_calls": 10, **spent}
    columns = ", ".join(row)
    with database.connection() as conn:
        conn.execute(
            f"insert into public.project_budgets (project_id, {columns})"
            f" values (%s, {', '.join(['%s'] * len(row))}) on conflict (project_id) do update set"
            f" ({columns}) = ({', '.join('excluded.' + name for name in row)})".encode(),
            [project, *row.values()],
        )
    seen = findings(database, "spend", alert_spend_percent=80)
    assert [(one.subject, one.severity, one.project_id) for one in seen] == (
        [(str(project), found[0], project)] if found else []
    )
    if found:
        assert f"of its {found[1]}" in seen[0].title
        database.execute("update public.project_budgets set updated_at = now() - interval '8 days'")
        assert findings(database, "spend", alert_spend_percent=80) == []


def test_spans_that_could_be_kept_nowhere_are_found(database: Database) -> None:
    make_trace(database, dropped_spans=12, ago=timedelta(0))
    (finding,) = findings(database, "losses")
    assert finding.title == "12 spans of the last hour could be kept nowhere"
    database.execute("update public.pipeline_traces set created_at = now() - interval '61 minutes'")
    assert findings(database, "losses") == []


def test_many_lost_workers_are_found(database: Database) -> None:
    for number in range(4):
        assert [one.data["lost"] for one in findings(database, "lost workers")] == ([3] if number == 3 else [])
        make_trace(database, status="lost", ago=timedelta(minutes=number))
    (finding,) = findings(database, "lost workers")
    assert finding.data == {"lost": 4, "attempts": 4}
    for _ in range(37):
        make_trace(database, ago=timedelta(minutes=5))
    assert findings(database, "lost workers") == []


def test_a_check_that_fails_leaves_its_alerts_and_does_not_keep_the_others_from_being_made(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_down(database)
    alerts.check(database, settings)

    def broken(conn: Any, _: Settings) -> Iterator[Finding]:
        conn.execute("select 1 / 0")
        yield from ()

    monkeypatch.setitem(alert_checks.CHECKS, "error", broken)
    make_trace(database, dropped_spans=1)
    done = alerts.check(database, settings)
    assert done.blind == ("error",)
    assert {alert.kind for alert in alerts.find(database)} == {"error", "losses"}


# --- when it is told


@pytest.fixture
def condition(monkeypatch: pytest.MonkeyPatch) -> dict[str, Finding]:
    """Findings that hold, by subject; a test adds and removes them."""
    holding: dict[str, Finding] = {}
    for kind in alert_checks.CHECKS:
        monkeypatch.setitem(
            alert_checks.CHECKS,
            kind,
            lambda conn, settings, kind=kind: iter([one for one in holding.values() if one.kind == kind]),
        )
    return holding


def losing(**values: Any) -> Finding:
    return Finding(**{"kind": "losses", "subject": "x", "severity": "warning", "title": "T", "detail": "D", **values})


def test_an_alert_is_told_once_per_spell(database: Database, settings: Settings, condition: dict[str, Finding]) -> None:
    condition["x"] = losing()
    assert alerts.check(database, settings).told == 1
    for _ in range(3):
        let_time_pass(database, hours=2)
        assert alerts.check(database, settings).told == 0
    assert the_alert(database).count == 4
    del condition["x"]
    assert alerts.check(database, settings).closed == 1
    let_time_pass(database, hours=2)
    condition["x"] = losing()
    assert alerts.check(database, settings).told == 1
    alert = the_alert(database)
    assert (alert.count, alert.notifications, len(sent(database, alert))) == (1, 2, 4)


def test_a_condition_that_comes_and_goes_is_not_told_each_time(
    database: Database, settings: Settings, condition: dict[str, Finding]
) -> None:
    told = 0
    for _ in range(8):
        condition["x"] = losing()
        told += alerts.check(database, settings).told
        condition.clear()
        told += alerts.check(database, settings).told
        let_time_pass(database, minutes=50)
    assert told == 1


def test_an_alert_that_becomes_critical_is_told_again_an_hour_later(
    database: Database, settings: Settings, condition: dict[str, Finding]
) -> None:
    condition["x"] = losing()
    alerts.check(database, settings)
    with database.transaction() as conn:
        alerts.acknowledge(conn, the_alert(database).id, "ada")
    condition["x"] = losing(severity="critical")
    assert alerts.check(database, settings).told == 0
    assert the_alert(database).acknowledged_at is None
    # A value that wavers around the limit is critical for the rest of the spell.
    condition["x"] = losing()
    let_time_pass(database, minutes=61)
    assert alerts.check(database, settings).told == 1
    condition["x"] = losing(severity="critical")
    let_time_pass(database, minutes=61)
    assert alerts.check(database, settings).told == 0
    assert the_alert(database).severity == "critical"


def test_a_queue_that_nobody_serves_is_told_every_hour_until_somebody_knows(
    database: Database, settings: Settings, condition: dict[str, Finding]
) -> None:
    condition["x"] = losing(kind="queue", severity="critical")
    told = []
    for _ in range(3):
        told += [alerts.check(database, settings).told for _ in range(2)]
        let_time_pass(database, minutes=61)
    assert told == [1, 0, 1, 0, 1, 0]
    with database.transaction() as conn:
        known = alerts.acknowledge(conn, the_alert(database).id, "ada")
        assert alerts.acknowledge(conn, known.id, "bob").acknowledged_by == "ada"
        with pytest.raises(NotFound):
            alerts.acknowledge(conn, uuid4(), "ada")
    assert alerts.check(database, settings).told == 0


def test_many_that_check_at_once_tell_it_once(
    database: Database, database_url: str, settings: Settings, hook: Hook
) -> None:
    for fingerprint in ("one", "two"):
        break_down(database, fingerprint)
    line_up = threading.Barrier(6)

    def process() -> int:
        # Each has a pool of its own, as a process has.
        with Database(database_url, pool_size=2) as own:
            line_up.wait(30)
            return sum(alerts.check(own, settings).told for _ in range(2))

    told = [work.result() for work in [InBackground(process) for _ in range(6)]]
    assert sum(told) == 2
    assert sorted(hook.keys()) == sorted(set(hook.keys()))
    assert len(hook.keys()) == len(files(settings)) == 2


def test_many_that_send_at_once_send_each_once(
    database: Database, settings: Settings, hook: Hook, condition: dict[str, Finding]
) -> None:
    for number in range(3):
        condition[f"{number}"] = losing(subject=f"{number}")
    alerts.check(database, settings)
    hook.requests.clear()
    database.execute("delete from public.alert_deliveries where way = 'mail'")
    database.execute("update public.alert_deliveries set status = 'pending', attempts = 0, next_at = now()")
    with separate_connection(database) as conn:
        with conn.transaction():
            # Another process is about to send the first of them.
            conn.execute("select 1 from public.alert_deliveries order by next_at, id limit 1 for update")
            assert InBackground(lambda: alert_ways.deliver(database, settings)).result(10).sent == 2
        assert alert_ways.deliver(database, settings).sent == 1
    assert len(hook.keys()) == len(set(hook.keys())) == 3


def test_where_nobody_can_be_told_it_waits_until_somebody_can(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    break_down(database)
    assert alerts.check(database, mail_settings(tmp_path)).told == 0
    assert the_alert(database).notified_at is None
    assert alerts.check(database, settings).told == 1


def test_a_flood_is_told_in_portions_and_the_urgent_first(
    database: Database, settings: Settings, condition: dict[str, Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "TOLD_AT_ONCE", 2)
    for number in range(3):
        condition[f"{number}"] = losing(subject=f"{number}", severity="critical" if number == 2 else "warning")
    assert alerts.check(database, settings).told == 2
    assert next(one for one in alerts.find(database) if one.severity == "critical").notifications == 1
    assert alerts.check(database, settings).told == 1


# --- the ways


def test_a_mail_and_a_webhook_say_the_same(database: Database, settings: Settings, hook: Hook) -> None:
    break_down(database, message="Bad <script> & 'quotes'")
    alerts.check(database, settings)
    alert = the_alert(database)
    ((path, headers, body),) = hook.requests
    assert path == f"/services/{SECRET}?token=query-secret"
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"].startswith(f"greenlight/alert/{alert.id}/20")
    address = "https://studio.test/operations/errors/f00d"
    assert body["text"] == f"[warning] {alert.title}\n{alert.detail}\n{address}"
    assert body["alert"]["data"]["fingerprint"] == "f00d"
    assert (body["alert"]["alert_id"], body["alert"]["url"]) == (str(alert.id), address)
    message = read(files(settings)[0])
    text, html = parts(message)
    assert (message["To"], message["Auto-Submitted"]) == ("ops@example.org", "auto-generated")
    assert message["Subject"] == f"[warning] {alert.title}"
    assert alert.title in text
    assert address in text
    assert "<script>" not in html
    assert [(one.way, one.status, one.attempts) for one in sent(database, alert)] == [
        ("mail", "sent", 1),
        ("webhook", "sent", 1),
    ]


def test_what_fails_is_tried_again_later_and_never_after_it_has_arrived(
    database: Database, settings: Settings, hook: Hook
) -> None:
    break_down(database)
    hook.answers = [503, 404]
    first = alerts.check(database, settings)
    assert (first.sent, first.failed) == (1, 1)
    # Not before its pause is over.
    assert (alerts.check(database, settings).failed, len(hook.requests)) == (0, 1)
    for minutes, outcome in ((1, (0, 1)), (2, (1, 0)), (4, (0, 0))):
        database.execute("update public.alert_deliveries set next_at = next_at - %s", [timedelta(minutes=minutes)])
        done = alerts.check(database, settings)
        assert (done.sent, done.failed) == outcome
    assert (len(hook.requests), len(set(hook.keys()))) == (3, 1)
    assert len({json.dumps(body) for _, _, body in hook.requests}) == 1
    webhook = next(one for one in sent(database, the_alert(database)) if one.way == "webhook")
    assert (webhook.status, webhook.attempts, webhook.error) == ("sent", 3, None)


def test_what_never_arrives_is_given_up(database: Database, settings: Settings, hook: Hook) -> None:
    break_down(database)
    hook.answers = [500] * 20
    alerts.check(database, settings)
    for _ in range(10):
        database.execute("update public.alert_deliveries set next_at = now() where status = 'pending'")
        alert_ways.deliver(database, settings)
    assert len(hook.requests) == alert_ways.MAX_ATTEMPTS
    webhook = next(one for one in sent(database, the_alert(database)) if one.way == "webhook")
    assert (webhook.status, webhook.error) == (
        "failed",
        "The alert webhook answered 500. Check GREENLIGHT_ALERT_WEBHOOK_URL.",
    )


def test_a_sender_that_died_is_followed_by_another_under_the_same_key(
    database: Database, settings: Settings, hook: Hook
) -> None:
    break_down(database)
    alerts.check(database, settings)
    # As if it had died between the answer and its note.
    died = "update public.alert_deliveries set status = 'sending', sent_at = null, next_at = now() + %s"
    database.execute(died, [timedelta(minutes=1)])
    assert alert_ways.deliver(database, settings).sent == 0
    database.execute(died, [timedelta(0)])
    assert alert_ways.deliver(database, settings).sent == 2
    assert len(hook.requests) == 2
    assert len(set(hook.keys())) == len(files(settings)) == 1


def test_resend_is_asked_again_with_the_same_words_under_the_same_key(database: Database, tmp_path: Path) -> None:
    with ResendServer() as resend:
        resend.lose_answers = 1
        settings = resend_settings(tmp_path, resend, alert_email="ops@example.org")
        break_down(database)
        assert alerts.check(database, settings).failed == 1
        # Meanwhile it has happened again, and the address is another one.
        break_down(database, message="It broke again.")
        database.execute("update public.alert_deliveries set next_at = now()")
        changed = resend_settings(tmp_path, resend, alert_email="else@example.org")
        assert alerts.check(database, changed).sent == 1
        assert resend.to() == {"ops@example.org": 1}
        assert len({json.dumps(body) for _, body in resend.requests}) == 1


@pytest.mark.parametrize("trouble", ["unreachable", "refused", "no address", "nonsense"])
def test_the_secret_of_a_webhook_stands_nowhere(
    database: Database, settings: Settings, hook: Hook, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = hook.url
    if trouble == "unreachable":
        url = f"http://127.0.0.1:1/services/{SECRET}?token=query-secret"
    elif trouble == "no address":
        url = f"ftp://user:query-secret@127.0.0.1/services/{SECRET}"
    elif trouble == "nonsense":
        url = f"http://[::{SECRET}"
    hook.answers = [403]
    settings = Settings.model_validate({**settings.model_dump(), "alert_webhook_url": url})
    break_down(database)
    assert alerts.check(database, settings).failed == 1
    stored = database.fetch_all("select to_jsonb(d)::text as row from public.alert_deliveries d") + database.fetch_all(
        "select to_jsonb(a)::text as row from public.alerts a"
    )
    said = "\n".join([caplog.text, *(row["row"] for row in stored)])
    assert "could not be told by webhook" in said
    for secret in (*SECRET.split("/"), "query-secret"):
        assert secret not in said


def test_a_way_that_is_no_longer_configured_ends_in_failure(
    database: Database, settings: Settings, hook: Hook, tmp_path: Path
) -> None:
    break_down(database)
    hook.answers = [500]
    alerts.check(database, settings)
    database.execute("update public.alert_deliveries set next_at = now()")
    assert alert_ways.deliver(database, mail_settings(tmp_path)).failed == 1
    assert len(hook.requests) == 1


# --- looking at them


def test_an_owner_sees_the_alerts_of_his_projects(database: Database, settings: Settings) -> None:
    mine, theirs = make_project(database, owner_clerk_id="ada"), make_project(database, owner_clerk_id="bob")
    for project in (mine, theirs):
        database.execute(
            "insert into public.project_budgets (project_id, cap_calls, calls) values (%s, 10, 9)"
            " on conflict (project_id) do update set cap_calls = 10, calls = 9",
            [project],
        )
    break_down(database)
    alerts.check(database, settings)
    assert len(alerts.find(database)) == 3
    assert the_alert(database, owner="ada").project_id == mine
    assert len(alerts.find(database, kind="spend", limit=1)) == 1
    alert = the_alert(database, kind="error")
    assert alerts.get(database, alert.id) == alert
    with pytest.raises(NotFound):
        alerts.get(database, uuid4())


def test_closed_alerts_are_forgotten_in_the_end(
    database: Database, settings: Settings, condition: dict[str, Finding]
) -> None:
    condition["x"] = losing()
    alerts.check(database, settings)
    assert alerts.prune(database, timedelta(0)) == 0
    condition.clear()
    alerts.check(database, settings)
    let_time_pass(database, days=91)
    assert alerts.prune(database, timedelta(days=90)) == 1
    assert alerts.find(database, state=None) == []
