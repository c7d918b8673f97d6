"""Database URLs in the two forms there are: libpq's for the studio, SQLAlchemy's for Dagster."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
from psycopg import conninfo

from studio.errors import SettingsError

# Without the driver's name SQLAlchemy takes psycopg 3, with which Dagster cannot send its NOTIFY.
_DAGSTER_SCHEME = "postgresql+psycopg2"


def libpq_url(url: str) -> str:
    """Return `url` without the driver that only SQLAlchemy understands."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme.split('+')[0]}{separator}{rest}" if separator else url


def sqlalchemy_url(url: str, database: str | None = None) -> str:
    """Return a libpq or SQLAlchemy `url` as a SQLAlchemy URL over psycopg2, for `database` if one is given.

    Raise `SettingsError` for what is neither.
    """
    parts = _parts(url)
    name = database or parts.get("dbname", "")
    user, password = parts.get("user"), parts.get("password")
    account = ""
    if user:
        account = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "") + "@"
    elsewhere = {"dbname", "user", "password"} if user else {"dbname"}
    # What stands in the query reaches libpq as it is: socket folders, several hosts, TLS files.
    query = urlencode({key: value for key, value in parts.items() if key not in elsewhere}, quote_via=quote)
    return f"{_DAGSTER_SCHEME}://{account}/{quote(name, safe='')}{f'?{query}' if query else ''}"


def lies_in(url: str, folder: Path) -> bool:
    """Say whether `url` leads to a socket below `folder`."""
    host = _parts(url).get("host", "")
    return host.startswith("/") and folder in Path(host).parents


def _parts(url: str) -> dict[str, str]:
    try:
        return {key: str(value) for key, value in conninfo.conninfo_to_dict(libpq_url(url)).items()}
    except psycopg.ProgrammingError as exc:
        raise SettingsError(
            f"A database URL cannot be read: {str(exc).strip()}.",
            "Write postgresql://user:password@host:port/database.",
        ) from exc
