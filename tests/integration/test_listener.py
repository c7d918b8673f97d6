"""The process's listener: who subscribes, looks, waits and looks again misses nothing, over one connection for all."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.database.connection import Database
from studio.errors import InvalidInput
from studio.listener import Listener
from studio.subscriptions import Subscription
from tests.support.postgres import TestServer
from tests.support.queue import InBackground, enqueue, make_project
from tests.support.sessions import cut_off, sessions, unreachable
from tests.support.waiting import eventually

NAME = "listening"
# Nothing but what is tested may wake a subscription.
NEVER = 600.0
# As long as a busy machine may take.
LONG = 30.0
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def listening(database_url: str) -> Iterator[Database]:
    """The database as the listener sees it, whose sessions are told by their name."""
    with Database(database_url, application_name=NAME) as db:
        yield db


@pytest.fixture
def listener(listening: Database) -> Iterator[Listener]:
    with Listener(listening, idle_seconds=NEVER) as listener:
        yield listener


def notify(db: Database, channel: str = "news", payload: str = "") -> None:
    db.execute("select pg_notify(%s, %s)", [channel, payload])


def settle(db: Database, listener: Listener) -> None:
    """Return when everything that was notified before this has been handed out."""
    with listener.subscribe("settling", safety_poll_seconds=NEVER) as marker:
        # The first may find that the LISTEN is just becoming active; the second comes after all that came before, and
        # the third is heard only when all that was heard together with the second has been handed out.
        for _ in range(3):
            notify(db, "settling")
            assert marker.wait(LONG)


def subscribe(db: Database, listener: Listener, channel: str = "news", payload: str | None = None) -> Subscription:
    """Subscribe, and let the LISTEN be active and have said so."""
    subscription = listener.subscribe(channel, payload, safety_poll_seconds=NEVER)
    settle(db, listener)
    subscription.wait(0)
    return subscription


def listening_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "listener"]


# --- waking


def test_a_notification_wakes_once(database: Database, listener: Listener) -> None:
    with subscribe(database, listener) as subscription:
        assert not subscription.wait(0)
        notify(database)
        assert subscription.wait(LONG)
        assert not subscription.wait(0)


def test_many_notifications_between_two_waits_are_one(database: Database, listener: Listener) -> None:
    with subscribe(database, listener) as subscription:
        for number in range(50):
            notify(database, payload=str(number))
        settle(database, listener)
        assert subscription.wait(0)
        assert not subscription.wait(0)


def test_a_payload_is_for_those_who_asked_for_it_or_for_all(database: Database, listener: Listener) -> None:
    with (
        subscribe(database, listener) as everything,
        subscribe(database, listener, payload="mine") as mine,
        subscribe(database, listener, payload="yours") as yours,
        subscribe(database, listener, payload="") as nameless,
    ):
        settle(database, listener)
        for subscription in (everything, mine, yours, nameless):
            subscription.wait(0)
        notify(database, payload="mine")
        settle(database, listener)
        assert [s.wait(0) for s in (everything, mine, yours, nameless)] == [True, True, False, False]
        notify(database)
        settle(database, listener)
        assert [s.wait(0) for s in (everything, mine, yours, nameless)] == [True, False, False, True]


def test_several_channels_share_one_connection(database: Database, listener: Listener) -> None:
    project = make_project(database)
    with (
        subscribe(database, listener, "agent_jobs", "standard") as jobs,
        subscribe(database, listener, "agent_job_events", str(project)) as events,
        subscribe(database, listener, "agent_jobs", "heavy") as other,
    ):
        settle(database, listener)
        other.wait(0)
        jobs.wait(0)
        enqueue(database, project)
        assert jobs.wait(LONG)
        assert events.wait(LONG)
        settle(database, listener)
        assert not other.wait(0)
        assert len(sessions(database, NAME)) == 1
        assert len(listening_threads()) == 1


@pytest.mark.parametrize("channel", ["UPPER", 'with "quotes"', "; drop table projects", "ü" * 31])
def test_a_channel_is_taken_as_it_is_written(database: Database, listener: Listener, channel: str) -> None:
    with subscribe(database, listener, channel) as subscription:
        notify(database, channel)
        assert subscription.wait(LONG)


@pytest.mark.parametrize("channel", ["", "x" * 64, "ü" * 32, "nul\0"])
def test_what_cannot_be_a_channel_is_refused(listener: Listener, channel: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be a channel"):
        listener.subscribe(channel)


def test_a_subscription_takes_effect_while_the_thread_sleeps(database: Database, listener: Listener) -> None:
    with subscribe(database, listener, "first"):
        settle(database, listener)
        # Nothing but the subscription itself rouses the thread, whose next look at the clock is far away.
        with subscribe(database, listener, "second") as second:
            notify(database, "second")
            assert second.wait(LONG)


def test_a_channel_that_was_given_up_is_listened_to_again(database: Database, listener: Listener) -> None:
    with subscribe(database, listener, "kept"):
        for _ in range(3):
            with subscribe(database, listener, "now and then") as subscription:
                notify(database, "now and then")
                assert subscription.wait(LONG)
            settle(database, listener)


def test_what_a_wake_up_calls_is_called_each_time_and_may_fail(
    database: Database, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[str] = []

    def on_wake() -> None:
        calls.append(threading.current_thread().name)
        raise ZeroDivisionError

    with (
        listener.subscribe("news", None, on_wake, safety_poll_seconds=NEVER),
        subscribe(database, listener, "other") as other,
    ):
        for count in (1, 2, 3):
            eventually(lambda count=count: len(calls) == count, what=f"{count} calls")  # type: ignore[misc]
            notify(database)
        # Who fails harms nobody else.
        notify(database, "other")
        assert other.wait(LONG)
    assert set(calls) == {"listener"}
    assert "ZeroDivisionError" in caplog.text


def test_what_a_wake_up_calls_may_subscribe_and_close(database: Database, listener: Listener) -> None:
    made: list[Subscription] = []

    def on_wake() -> None:
        made.append(listener.subscribe("nested"))
        made[0].close()

    with listener.subscribe("news", None, on_wake, safety_poll_seconds=NEVER):
        eventually(lambda: len(made) == 1, what="the call")
        settle(database, listener)


def test_the_safety_net_wakes_without_a_notification(database: Database, listener: Listener) -> None:
    calls: list[None] = []
    with (
        listener.subscribe("news", safety_poll_seconds=0.02) as often,
        listener.subscribe("news", None, lambda: calls.append(None), safety_poll_seconds=0.02),
        subscribe(database, listener) as never,
    ):
        for _ in range(3):
            assert often.wait(LONG)
        eventually(lambda: len(calls) >= 3, what="three calls")
        settle(database, listener)
        assert not never.wait(0)


def test_many_threads_come_and_go_and_nobody_sleeps_through_his_own(database: Database, listener: Listener) -> None:
    def rounds(number: int) -> None:
        for round_number in range(20):
            payload = f"{number}/{round_number}"
            with listener.subscribe("news", payload, safety_poll_seconds=NEVER) as subscription:
                notify(database, payload=payload)
                assert subscription.wait(LONG)

    # It holds the channel, so that a LISTEN that begins wakes nobody else.
    with subscribe(database, listener):
        for work in [InBackground(lambda n=n: rounds(n)) for n in range(8)]:  # type: ignore[misc]
            work.result()


# --- what breaks


def test_a_connection_that_is_cut_off_loses_no_wake_up(database: Database, listener: Listener) -> None:
    with subscribe(database, listener) as subscription, subscribe(database, listener, "other") as other:
        for _ in range(3):
            before = sessions(database, NAME)
            assert cut_off(database, NAME) == 1
            # Perhaps while nobody listens: then the new LISTEN wakes, and not only the one who was notified.
            notify(database)
            assert subscription.wait(LONG)
            assert other.wait(LONG)
            settle(database, listener)
            subscription.wait(0)
            notify(database)
            assert subscription.wait(LONG)
            assert len(sessions(database, NAME) - before) == 1


def test_a_database_that_is_away_for_a_while_loses_no_wake_up(
    postgres: TestServer, database: Database, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    def failures() -> int:
        return sum("lost the database" in record.message for record in caplog.records)

    with subscribe(database, listener) as subscription:
        with unreachable(postgres, database, NAME):
            eventually(lambda: failures() >= 3, what="attempts to connect")
            notify(database)
            assert not subscription.wait(0)
            # Who comes now is served as soon as there is a server.
            late = listener.subscribe("late", safety_poll_seconds=NEVER)
            net = listener.subscribe("net", safety_poll_seconds=0.02)
            # The net is kept meanwhile.
            assert net.wait(LONG)
            assert not late.wait(0)
        assert subscription.wait(LONG)
        assert late.wait(LONG)


def test_a_server_that_is_not_there_at_first_is_waited_for(
    postgres: TestServer, database: Database, listener: Listener
) -> None:
    database.execute("select 1")
    with unreachable(postgres, database, NAME):
        subscription = listener.subscribe("news", safety_poll_seconds=NEVER)
        assert not subscription.wait(0)
    assert subscription.wait(LONG)


# --- without LISTEN


def test_without_listen_polling_does_it_alone_and_holds_no_connection(database: Database, listening: Database) -> None:
    calls: list[None] = []
    with Listener(listening, listen=False, poll_seconds=0.01) as listener:
        with listener.subscribe("news") as subscription, listener.subscribe("news", None, lambda: calls.append(None)):
            for _ in range(3):
                assert subscription.wait(LONG)
            eventually(lambda: len(calls) >= 3, what="three calls")
            assert sessions(database, NAME) == set()


def test_without_listen_a_short_wait_is_a_reason_to_look_too(listening: Database) -> None:
    with Listener(listening, listen=False, poll_seconds=NEVER) as listener, listener.subscribe("news") as subscription:
        assert subscription.wait(0.001)


# --- ends


def test_a_closed_listener_leaves_no_thread_and_no_connection(database: Database, listening: Database) -> None:
    listener = Listener(listening)
    subscription = listener.subscribe("news", safety_poll_seconds=NEVER)
    assert subscription.wait(LONG)
    waiting = InBackground(lambda: subscription.wait(NEVER))
    # By the time of this answer, its thread sleeps again.
    assert len(sessions(database, NAME)) == 1
    listener.close()
    assert waiting.result() is True
    assert listening_threads() == []
    eventually(lambda: sessions(database, NAME) == set(), what="the end of the session")
    with pytest.raises(RuntimeError, match="closed"):
        listener.subscribe("news")
    listener.close()


def test_a_closed_subscription_wakes_its_waiter_and_polls_from_then_on(database: Database, listening: Database) -> None:
    with Listener(listening, poll_seconds=0.01) as listener:
        subscription = subscribe(database, listener)
        waiting = InBackground(lambda: subscription.wait(NEVER))
        subscription.close()
        assert waiting.result() is True
        started = time.monotonic()
        assert subscription.wait(NEVER)
        # Neither at once, which would be a busy loop, nor at the end of the timeout.
        assert 0.01 <= time.monotonic() - started < LONG


def test_a_listener_that_was_never_used_starts_nothing(database: Database, listening: Database) -> None:
    with Listener(listening):
        assert listening_threads() == []
        assert sessions(database, NAME) == set()


def test_the_connection_is_given_back_when_nobody_subscribes_any_more(database: Database, listening: Database) -> None:
    with Listener(listening, idle_seconds=0.01) as listener:
        for _ in range(2):
            with subscribe(database, listener) as subscription:
                notify(database)
                assert subscription.wait(LONG)
            eventually(lambda: not listening_threads(), what="the end of the thread")
            eventually(lambda: sessions(database, NAME) == set(), what="the end of the session")


def test_who_comes_back_soon_finds_the_connection(database: Database, listener: Listener) -> None:
    with subscribe(database, listener):
        before = sessions(database, NAME)
    eventually(lambda: not listener._register.channels, what="the thread seeing that nobody is left")
    with listener.subscribe("news", safety_poll_seconds=NEVER) as subscription:
        settle(database, listener)
        # The LISTEN is active still, and has not begun anew.
        assert not subscription.wait(0)
        notify(database)
        assert subscription.wait(LONG)
        assert sessions(database, NAME) == before


# --- forks

FORKING = """
import json, os, sys
from studio.database.connection import Database
from studio.listener import Listener

db = Database(sys.argv[1], application_name=sys.argv[2])
listener = Listener(db, poll_seconds=0.01)
inherited = listener.subscribe("news", safety_poll_seconds=600)
assert inherited.wait(30)

def answer(who, subscription):
    print(json.dumps({"who": who, "woken": subscription.wait(30)}), flush=True)

child = os.fork()
if child == 0:
    assert inherited.wait(600)
    inherited.close()
    if sys.argv[3] == "idle":
        print(json.dumps({"who": "child", "woken": False}), flush=True)
        sys.stdin.readline()
        os._exit(0)
    own = listener.subscribe("news", safety_poll_seconds=600)
    answer("child", own)
    sys.stdin.readline()
    answer("child", own)
    listener.close()
    sys.exit(0)
_, status = os.waitpid(child, 0)
print(json.dumps({"who": "parent", "child": os.waitstatus_to_exitcode(status)}), flush=True)
answer("parent", inherited)
sys.stdin.readline()
answer("parent", inherited)
"""


@contextlib.contextmanager
def forking(url: str, mode: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program that subscribes and then forks; its lines are answers, and each line it gets lets it go on."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error::ResourceWarning", "-c", FORKING, url, NAME, mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def answer(process: subprocess.Popen[str]) -> dict[str, object]:
    assert process.stdout is not None
    return dict(json.loads(process.stdout.readline()))


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_forked_child_listens_by_itself_and_leaves_its_parent_alone(database: Database, database_url: str) -> None:
    with forking(database_url, "listening") as process:
        # The child's own LISTEN has become active.
        assert answer(process) == {"who": "child", "woken": True}
        both = sessions(database, NAME)
        assert len(both) == 2
        notify(database)
        go_on(process)
        assert answer(process) == {"who": "child", "woken": True}
        assert answer(process) == {"who": "parent", "child": 0}
        # The parent was notified as well; then it hears on, over the session that it has had all along.
        assert answer(process) == {"who": "parent", "woken": True}
        assert len(sessions(database, NAME)) == 1
        assert sessions(database, NAME) < both
        notify(database)
        go_on(process)
        assert answer(process) == {"who": "parent", "woken": True}


def test_a_forked_child_does_not_keep_the_session_of_a_killed_parent(database: Database, database_url: str) -> None:
    with forking(database_url, "idle") as process:
        assert answer(process) == {"who": "child", "woken": False}
        assert len(sessions(database, NAME)) == 1
        os.kill(process.pid, signal.SIGKILL)
        # The child lives until it gets its line.
        eventually(lambda: sessions(database, NAME) == set(), what="the end of the session")
        go_on(process)
