"""The settings of an installation whose runs are pods of a Kubernetes cluster."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings

from studio.job_types import Lane


class LanePod(BaseModel):
    """What the pods of a lane's runs have of their own, in the words of Kubernetes.

    `container` holds fields of its container (`resources`, `securityContext`), `pod` fields of the pod's specification
    (`nodeSelector`, `tolerations`, `runtimeClassName`, `hostUsers`).
    """

    model_config = ConfigDict(extra="forbid")

    container: dict[str, Any] = Field(default_factory=dict)
    pod: dict[str, Any] = Field(default_factory=dict)


class KubernetesSettings(BaseSettings):
    """A part of `studio.settings.Settings`."""

    # --- runs as pods
    kubernetes_lanes: dict[Lane, LanePod] | None = Field(
        default=None,
        validation_alias="GREENLIGHT_KUBERNETES_LANES",
        description="JSON: what the pods of each lane's runs need, where runs are pods (deploy/kubernetes). Unset: runs"
        " carry nothing for Kubernetes.",
    )
