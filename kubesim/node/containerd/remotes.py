"""Where images come from, as containerd sees it.

Mirrors: containerd core/remotes (Resolver, Fetcher).
"""

from __future__ import annotations

from typing import Protocol

from kubesim.sim import SimProcess
from kubesim.wire.image import Image, Layer


class Remote(Protocol):
    """A registry and the way to it from this node."""

    def resolve(self, reference: str) -> SimProcess[Image | None]:
        """The manifest behind a reference; ``None`` when there is none."""
        ...

    def fetch(self, layer: Layer) -> SimProcess[None]:
        """Download one blob."""
        ...
