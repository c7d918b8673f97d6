"""Who looks at operations: an operator sees the whole installation, everybody else what his own projects do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from studio.errors import NotFound, PermissionRefused
from studio.operators import is_operator
from web.identity.owner import Owner, SignedIn
from web.studio_site import studio_site


@dataclass(frozen=True)
class Viewer:
    """Whose rows are shown: those of `scope`'s projects, or all where it is None."""

    owner: Owner
    is_operator: bool

    @property
    def scope(self) -> str | None:
        """What read models take as `owner`."""
        return None if self.is_operator else self.owner.clerk_id

    def require_operator(self) -> None:
        """Raise `PermissionRefused` where somebody else asks for what operators do."""
        if not self.is_operator:
            raise PermissionRefused("Only this studio's operators may do this.", "Whoever runs this studio can.")


def viewer(owner: SignedIn, request: Request) -> Viewer:
    """Return who looks."""
    return Viewer(owner, is_operator(studio_site(request).settings, owner.clerk_id))


Looking = Annotated[Viewer, Depends(viewer)]


def operating(looking: Looking) -> Viewer:
    """Return who looks at what is for operators alone; for everybody else it is not there."""
    if not looking.is_operator:
        raise NotFound("There is no such page.")
    return looking


Operating = Annotated[Viewer, Depends(operating)]
