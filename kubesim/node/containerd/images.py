"""Pulling an image: layers side by side, unpacked in order.

Up to three layers of an image are downloaded at the same time; each is unpacked as soon as it is
there and the one below it is unpacked, so unpacking overlaps downloading. A layer that another
image brought is neither downloaded nor unpacked again, and two pulls of one image are one pull.

Mirrors: containerd core/unpack/unpacker.go, core/transfer/local/pull.go; internal/cri/server/
images/image_pull.go for the wording.
Departs: whether a layer's snapshot is there is decided by the layer alone, not by its chain.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.facts import ImagePulled, LayerPulled
from kubesim.node.containerd.remotes import Remote
from kubesim.node.cri.messages import CriError
from kubesim.node.machine import Machine
from kubesim.sim import Event, Resource, Sim, SimProcess
from kubesim.sim.time import SECOND
from kubesim.wire.image import Image, Layer

MAX_CONCURRENT_DOWNLOADS = 3  # containerd's max_concurrent_downloads, layers of one image


@dataclass(slots=True)
class _Pull:
    done: Event
    error: CriError | None = None


class ImageStore:
    """The images and layers of one node.

    Args:
        sim: The run.
        node: The node's name.
        machine: Where unpacking takes a core.
        remote: The registry.
        unpack_rate: Bytes of compressed layer a second, one layer at a time.
    """

    def __init__(
        self, sim: Sim, *, node: str, machine: Machine, remote: Remote, unpack_rate: int
    ) -> None:
        self._sim = sim
        self._node = node
        self._machine = machine
        self._remote = remote
        self._unpack_rate = unpack_rate
        self._images: dict[str, Image] = {}
        self._layers: dict[str, Event] = {}  # a layer's snapshot; triggered when it is unpacked
        self._pulls: dict[str, _Pull] = {}
        self._down = False

    def get(self, reference: str) -> Image | None:
        """The image of that reference, if it is here."""
        return self._images.get(reference)

    def all(self) -> tuple[Image, ...]:
        """Every image here, largest first."""
        return tuple(sorted(self._images.values(), key=lambda i: (-i.size_bytes, i.name)))

    def power_off(self) -> None:
        """The machine is gone: what was on its way never arrives."""
        self._down = True

    def pull(self, reference: str) -> SimProcess[Image]:
        """Bring an image here; joins a pull of it that is already under way.

        Raises:
            CriError: If the registry does not have it.
        """
        under_way = self._pulls.get(reference)
        if under_way is None:
            under_way = self._pulls[reference] = _Pull(self._sim.event())
            # Its own process: a caller that gives up must not take the pull down for the others.
            self._sim.process(self._pull(reference, under_way))
        yield under_way.done
        if under_way.error is not None:
            raise under_way.error
        return self._images[reference]

    def _pull(self, reference: str, pull: _Pull) -> SimProcess[None]:
        began_ns = self._sim.now
        image = yield from self._remote.resolve(reference)
        if image is None:
            pull.error = CriError(
                "NotFound",
                f'failed to pull and unpack image "{reference}": failed to resolve image: '
                f"{reference}: not found",
            )
        else:
            resolved_ns = self._sim.now
            downloaded = yield from self._fetch_layers(image)
            self._images[reference] = image
            self._sim.emit(
                ImagePulled(
                    node=self._node,
                    image=reference,
                    size_bytes=image.size_bytes,
                    downloaded_bytes=downloaded,
                    began_ns=began_ns,
                    resolved_ns=resolved_ns,
                )
            )
        del self._pulls[reference]
        pull.done.succeed()

    def _fetch_layers(self, image: Image) -> SimProcess[int]:
        slots = self._sim.resource(MAX_CONCURRENT_DOWNLOADS)
        downloaded = 0
        below: Event | None = None
        for layer in image.layers:
            snapshot = self._layers.get(layer.digest)
            if snapshot is None:
                snapshot = self._layers[layer.digest] = self._sim.event()
                downloaded += layer.size_bytes
                self._sim.process(self._fetch_and_unpack(image, layer, slots=slots, below=below))
            below = snapshot
        yield self._sim.all_of([self._layers[layer.digest] for layer in image.layers])
        return downloaded

    def _fetch_and_unpack(
        self, image: Image, layer: Layer, *, slots: Resource, below: Event | None
    ) -> SimProcess[None]:
        with slots.request() as slot:
            yield slot
            began_ns = self._sim.now
            yield from self._remote.fetch(layer)
        if self._down:
            return
        downloaded_ns = self._sim.now
        if below is not None and not below.processed:
            yield below
        yield from self._machine.compute(layer.size_bytes * SECOND // self._unpack_rate)
        self._layers[layer.digest].succeed()
        self._sim.emit(
            LayerPulled(
                node=self._node,
                image=image.name,
                digest=layer.digest,
                size_bytes=layer.size_bytes,
                began_ns=began_ns,
                downloaded_ns=downloaded_ns,
            )
        )
