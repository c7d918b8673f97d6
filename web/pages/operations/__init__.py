"""Operations in the browser: where the time went, what went wrong, what it costs, and how the installation fares.

An operator sees all of it, everybody else what his own projects do (`web.identity.viewer`).

overview   health at a glance, or one's own figures
traces     the list
trace      one trace: waterfall, flame graph, critical path, all of a span
errors     errors by kind, and one kind with its occurrences
time       how long things take over time, and what takes the time
compare    one run beside others
cost       money and tokens over time
alerts     what the installation has warned of

asked      what addresses say: since when, which of several
kinds      what kinds of work there are, and their signs
writing    how figures are written
lines      the lines of a waterfall
picture    what a trace's page draws
payload    what went in and out, as it is read
charts     lines and bars over time
"""

from __future__ import annotations

from fastapi import APIRouter

from web.pages import rendering
from web.pages.operations import alerts, compare, cost, errors, overview, time, trace, traces, writing

writing.install(rendering.environment)

ROUTERS: tuple[APIRouter, ...] = (
    overview.router,
    traces.router,
    trace.router,
    errors.router,
    time.router,
    compare.router,
    cost.router,
    alerts.router,
)
