"""Which release this is."""

from __future__ import annotations

import functools
import importlib.metadata
import tomllib

from studio.paths import ROOT


@functools.cache
def release() -> str:
    """Return the release of this checkout, such as `0.1.0`."""
    try:
        # The file of the checkout first: an editable installation keeps the number it was installed with.
        with (ROOT / "pyproject.toml").open("rb") as file:
            return str(tomllib.load(file)["project"]["version"])
    except FileNotFoundError:
        return importlib.metadata.version("greenlight")
