"""What the figures have to reach, and why so much.

The first number of a goal is a promise: the command fails beyond it, so it leaves room for a busy two-core machine.
The second is the aim: what the design allows on an idle one.
"""

from __future__ import annotations

from benchmarks.figures import at_least, at_most

# --- from a row to its op

# Below 150 ms or so a person takes an answer for immediate, and a model's first word needs its share of them.
LATENCY_P50_MS = at_most(120, 50)
LATENCY_P99_MS = at_most(400, 150)
# Stock Dagster polls, then starts an interpreter and imports itself: seconds. Waiting on LISTEN in front of workers
# that have imported already leaves neither.
LATENCY_RATIO = at_least(40, 40)
# Ten chats a second are more than half of what two cores can start; they queue now and then, but are no batch.
CHATS_P50_MS = at_most(400, 100)
CHATS_P99_MS = at_most(1500, 400)
# Behind a burst a chat shares two cores with it, but neither lane nor slot.
REALTIME_DURING_BURST_P50_MS = at_most(500, 150)
# What a founder waits for a chat's first word, besides the model: route, pickup, context, first flush, stream.
FIRST_DELTA_P50_MS = at_most(300, 180)
FIRST_DELTA_P99_MS = at_most(600, 300)

# --- many at once

# A run costs two cores about 1.5 s each in stock Dagster, nearly all of it imports.
BURST_RATIO = at_least(40, 40)
BURST_PER_SECOND = at_least(12, 25)

# --- the queue alone

# A claim happens under the lane's lock: at 5 ms a lane hands out 2,000 jobs a second, whatever waits behind them.
CLAIM_P50_MS = at_most(5, 2)
# One transaction each, as a web request enqueues; what bounds it is a statement's way there and back and the commit.
SINGLE_ENQUEUE_PER_SECOND = at_least(1_000, 3_000)
# An import or a night shift over all projects. Beyond 100,000 the checks of payloads in Python are what is left.
BULK_ENQUEUE_PER_SECOND = at_least(20_000, 100_000)

# --- events

# A model streams some 100 pieces a second: the least carries a hundred chats at once.
EVENT_APPEND_PER_SECOND = at_least(10_000, 50_000)
# Streamed text that is later than a frame or two of a screen looks like stutter.
FOLLOW_P50_MS = at_most(15, 5)
FOLLOW_P99_MS = at_most(100, 25)

# --- event streams in the browser

# Five hundred browsers at once. One append is five hundred frames, which one core sends one after the other.
STREAMS_P50_MS = at_most(75, 30)
STREAMS_P99_MS = at_most(150, 75)
# Two tasks, some timers and a connection's buffers; nothing that grows with what the stream carries.
STREAM_KILOBYTES = at_most(150, 100)
STREAMS_GROWTH_MB = at_most(5, 2)

# --- doing nothing

# A studio of one founder idles nearly always; it has to be free to leave it on.
IDLE_CPU_PERCENT = at_most(6, 2)
IDLE_STATEMENTS_PER_SECOND = at_most(4, 1)
# Spares share what they have imported with the process they were forked from.
SPARE_WORKER_MB = at_most(60, 25)

# --- tracing

# OpenTelemetry's own span is half of it. A Phase 0 has some thirty: a thousandth of a second of its seconds.
SPAN_MICROSECONDS = at_most(30, 20)
# A look at a context variable.
UNTRACED_MICROSECONDS = at_most(1, 0.3)
# What waits for the database is bounded, whatever the work does.
CROWD_MEGABYTES = at_most(500, 250)
CROWD_LOST = at_most(0, 0)
# A wire's delay. Models take half a second to their first word, so that nobody can measure a thousandth of it.
TRACED_REQUEST_MS = at_most(1, 0.5)
TRACED_PIECE_MS = at_most(0.2, 0.05)
# With a real model a Phase 0 takes minutes instead of seconds, and its spans no longer than here.
TRACED_PHASE0_PERCENT = at_most(2, 1)
