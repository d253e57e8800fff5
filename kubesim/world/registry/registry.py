"""A registry: image references to manifests, digests to blobs.

Mirrors: the pull half of the OCI distribution specification v1.1 (GET manifest, GET blob).
Departs: all registries of a scenario answer alike; rate limits and outages come with the faults.
"""

from __future__ import annotations

from collections.abc import Mapping

from kubesim.sim import Sim, SimProcess
from kubesim.sim.distribution import Distribution
from kubesim.wire.image import Image, Layer
from kubesim.world.network import Link


class Registry:
    """Everything a cluster can pull.

    Args:
        sim: The run.
        images: By reference.
        resolve: Finding a manifest (HEAD and GET).
        request: Until the first byte of a blob.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        images: Mapping[str, Image],
        resolve: Distribution,
        request: Distribution,
    ) -> None:
        self._sim = sim
        self._images = dict(images)
        self._resolve = resolve
        self._request = request
        self._rng = sim.rng("registry")

    def resolve(self, reference: str) -> SimProcess[Image | None]:
        """The manifest behind a reference; ``None`` when the registry does not know it."""
        yield self._sim.timeout(self._resolve.draw(self._rng))
        return self._images.get(reference)

    def fetch(self, layer: Layer, link: Link) -> SimProcess[None]:
        """Download a blob over a link."""
        yield self._sim.timeout(self._request.draw(self._rng))
        yield from link.transfer(layer.size_bytes)
