"""What goes wrong, as the API's description tells it: one shape for everything."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Error(BaseModel):
    """Why a request was refused, and what to do about it."""

    model_config = ConfigDict(title="Error")

    error: str = Field(description="What is wrong and what to do, in a sentence or two.")
    expectedVersion: int | None = Field(  # noqa: N815 - the name on the wire
        default=None, description="Of a decision: the version that is to be looked at now. Left out otherwise."
    )


Responses = dict[int | str, dict[str, Any]]

_MEANINGS: dict[int, str] = {
    400: "The request cannot be read, or is for a host that is not served here.",
    401: "Nobody has signed in.",
    403: "A page of another site asked, or the project may not do this.",
    404: "There is no such thing, or it belongs to somebody else.",
    409: "It has changed meanwhile, or its state does not allow this.",
    410: "The permission has expired.",
    413: "The body is larger than is taken.",
    415: "The body is of a kind that is not taken.",
    422: "A value cannot be used.",
    429: "Too much at once; `Retry-After` says how many seconds to wait.",
    503: "The database or another part is away for a moment, or too many ask at once.",
}
ERRORS: Responses = {
    status: {
        "model": Error,
        "description": meaning,
        **({"headers": {"Retry-After": {"schema": {"type": "integer"}}}} if status == 429 else {}),
    }
    for status, meaning in _MEANINGS.items()
}


def errors(*statuses: int) -> Responses:
    """Return the description of these refusals."""
    return {status: ERRORS[status] for status in statuses}


# Of every route, before it does anything: the host, the query, the load.
ALWAYS = errors(400, 422, 503)
# Of every route that names something of the owner's.
NAMED = errors(404)
# Of every route that changes something. A page of another origin is refused first, what is too large or too much next.
CHANGING = errors(403, 404, 409, 413, 429)
