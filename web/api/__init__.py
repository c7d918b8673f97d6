"""The HTTP API: JSON routes with the paths and answers of the seed (domain specification §8).

No route does long work: it validates, enqueues in its transaction and answers with the job's id.
"""

from __future__ import annotations

from fastapi import APIRouter

ROUTERS: tuple[APIRouter, ...] = ()
