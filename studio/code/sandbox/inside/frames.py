"""The frames between the studio and the server: a JSON object and bytes, each with its length in front.

Nothing but lengths is ever trusted: whoever reads decides how much of either it takes.
"""

from __future__ import annotations

import json
import struct
from typing import Any

LENGTHS = struct.Struct(">II")


def encode(message: dict[str, Any], body: bytes = b"") -> bytes:
    """Return one frame."""
    header = json.dumps(message).encode("ascii")
    return LENGTHS.pack(len(header), len(body)) + header + body
