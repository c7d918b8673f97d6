"""The language model and the guarded outbound client as Dagster resources: one of each per process."""

import functools
import os
from typing import TYPE_CHECKING

import dagster as dg

from resources.database import StudioDatabase
from studio.outbound import OutboundClient
from studio.settings import get_settings

if TYPE_CHECKING:
    from studio.model.client import Model


@functools.cache
def _model(_process: int, database: StudioDatabase) -> "Model":
    # The SDK takes a second to import: a code server, which only tells what there is, never needs it.
    from studio.model.client import Model

    return Model(get_settings(), database.get())


class AnthropicResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Lends the process's model client, whose calls reserve and settle in the spend ledger."""

    database: dg.ResourceDependency[StudioDatabase]

    def get(self) -> "Model":
        """Return the client; raise `SettingsError` where no model is configured."""
        return _model(os.getpid(), self.database)


class OutboundResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Lends the guarded client for addresses that a person or a model gave."""

    def get(self) -> OutboundClient:
        """Return the client as the settings allow it."""
        return OutboundClient.from_settings(get_settings())
