"""The HTTP API: JSON routes with the paths and answers of the seed (domain specification §8).

No route does long work: it validates, enqueues in its transaction and answers with the job's id.

routing       what all routes have in common
errors        what goes wrong, in one shape
wire          names and types on the wire
transactions  writing

Every other module is a noun with its routes.
"""

from __future__ import annotations

from fastapi import APIRouter

from web.api import (
    assets,
    audit,
    chat,
    checks,
    code,
    events,
    inbox,
    integrations,
    jobs,
    launch,
    limits,
    me,
    nightshift,
    onboarding,
    operations,
    outbox,
    packet,
    progress,
    projects,
    refine,
    reports,
    shares,
    traces,
    worker,
)

ROUTERS: tuple[APIRouter, ...] = (
    projects.router,
    launch.router,
    progress.router,
    events.router,
    jobs.router,
    chat.router,
    packet.router,
    shares.router,
    refine.router,
    code.router,
    reports.router,
    checks.router,
    assets.router,
    integrations.router,
    limits.router,
    audit.router,
    inbox.router,
    outbox.router,
    me.router,
    onboarding.router,
    nightshift.router,
    traces.router,
    operations.router,
    worker.router,
)
