"""The API's errors, as the SDK of the client reads them."""

from __future__ import annotations

from typing import Any

TYPES_BY_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class ApiError(Exception):
    """A request is answered by an error: HTTP status, the API's type for it, one sentence, machine details."""

    def __init__(self, status: int, message: str, *, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the JSON body of the error."""
        return error_body(self.status, self.message, request_id, self.details)


def error_body(status: int, message: str, request_id: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the API's JSON for an error of this status; unknown statuses count as the server's fault."""
    kind = TYPES_BY_STATUS.get(status, "api_error" if status >= 500 else "invalid_request_error")
    error: dict[str, Any] = {"type": kind, "message": message}
    if details:
        error["details"] = details
    return {"type": "error", "error": error, "request_id": request_id}


def invalid(message: str) -> ApiError:
    """Return the 400 that names a field and what is wrong with it."""
    return ApiError(400, message)
