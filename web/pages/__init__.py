"""The studio's pages: rendered on the server from the rows of the database, and from nothing else.

rendering   templates, with what every page needs
static      style sheets and scripts, under addresses that change with their content
sign_in     getting in and out
"""

from __future__ import annotations

from fastapi import APIRouter

from web.pages import sign_in

ROUTERS: tuple[APIRouter, ...] = (sign_in.router,)
