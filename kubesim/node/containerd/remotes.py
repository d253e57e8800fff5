"""Where images come from, as containerd sees it.

Mirrors: containerd core/remotes (Resolver, Fetcher).
"""

from __future__ import annotations

from typing import Protocol

from kubesim.sim import SimProcess
from kubesim.wire.image import Image, Layer


class RemoteError(Exception):
    """A registry that answered with an error, or not at all; the message is containerd's."""


class Remote(Protocol):
    """A registry and the way to it from this node."""

    def resolve(self, reference: str) -> SimProcess[Image | None]:
        """The manifest behind a reference; ``None`` when there is none.

        Raises:
            RemoteError: If the registry does not say.
        """
        ...

    def fetch(self, layer: Layer, *, reference: str) -> SimProcess[None]:
        """Download one blob of an image.

        Raises:
            RemoteError: If the registry does not send it.
        """
        ...
