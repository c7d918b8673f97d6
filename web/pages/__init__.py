"""The studio's pages: rendered on the server from the rows of the database, and from nothing else.

rendering   templates, with what every page needs
static      style sheets and scripts, under addresses that change with their content
errors      what a person gets instead of a page
sign_in     getting in and out
dashboard   what needs the owner, what runs, what happened at night, spend, projects
inbox       approvals: the lists, and one to decide on
outbox      what leaves for the world, and what became of it
projects    all projects; new_project, the form of a new one with its scan
project     what comes next in a project, and what its agents are doing
builders    code, reports and looks at a page: asking for them, and what came of it
packet      a phase's packet as a document, its versions and what changed between them
chat        what was said
activity    what was done, and one job with all there is to say of it
dagster     the door of the Dagster UI
settings    the account and the installation; project_settings, a project's limits, accounts, life, audit log
"""

from __future__ import annotations

from fastapi import APIRouter

from web.pages import (
    activity,
    builders,
    chat,
    dagster,
    dashboard,
    inbox,
    new_project,
    operations,
    outbox,
    packet,
    project,
    project_settings,
    projects,
    settings,
    sign_in,
    static,
)

ROUTERS: tuple[APIRouter, ...] = (
    static.router,
    sign_in.router,
    dashboard.router,
    dagster.router,
    inbox.router,
    outbox.router,
    projects.router,
    # Before a project's own page, or "new" would be one.
    new_project.router,
    project.router,
    builders.router,
    packet.router,
    chat.router,
    activity.router,
    *operations.ROUTERS,
    project_settings.router,
    settings.router,
)
