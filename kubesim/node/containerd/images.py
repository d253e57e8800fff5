"""Pulling an image: layers side by side, unpacked in order.

Up to three layers of an image are downloaded at the same time; each is unpacked as soon as it is
there and the one below it is unpacked, so unpacking overlaps downloading. A layer that another
image brought is neither downloaded nor, on the same base, unpacked again; two pulls of one image are
one pull, and two images that want one layer at the same time wait for one download of it.

With a lazy snapshotter a pull ends when the layers' tables of contents are there. What a container
needs to start arrives next (``arrived``), the rest in the background.

Mirrors: containerd core/unpack/unpacker.go, core/transfer/local/pull.go; internal/cri/server/
images/image_pull.go for the wording; stargz-snapshotter (prefetch up to its landmark, then background
fetch).
Departs: all of a lazy image beyond the landmark is taken to be read after the start: a program's
later reads never wait.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from kubesim.facts import ImagePulled, ImageRemoved, LayerPulled, LayerUnpacked
from kubesim.node.containerd.content import ContentStore, Stored, chain_ids, is_unpacked
from kubesim.node.containerd.remotes import Remote, RemoteError
from kubesim.node.cri.messages import CriError
from kubesim.node.cri.messages import Image as CriImage
from kubesim.node.machine import Machine
from kubesim.node.machine.disk import DiskFullError
from kubesim.sim import Event, Resource, Sim, SimProcess
from kubesim.sim.distribution import Constant, Distribution
from kubesim.sim.time import SECOND
from kubesim.wire.image import Image, Layer

NOTHING = Constant(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStoreConfig:
    """How images are brought and kept.

    Attributes:
        unpack_rate: Bytes of compressed layer a second, one layer at a time.
        unpack_ratio_percent: Size of an unpacked layer in percent of the compressed one.
        max_concurrent_downloads: Layers of one image that are downloaded at the same time.
        discard_unpacked_layers: Compressed layers are deleted once they are unpacked.
        lazy: Containers start before their image is here.
        prefetch_per_mille: How much of a lazy image has to be here for a container to start.
        unpack_image: Before the first layer is unpacked that is not yet.
        unpack_layer: What each layer takes beside its bytes.
    """

    unpack_rate: int
    unpack_ratio_percent: int = 100
    max_concurrent_downloads: int = 3
    discard_unpacked_layers: bool = False
    lazy: bool = False
    prefetch_per_mille: int = 1000
    unpack_image: Distribution = NOTHING
    unpack_layer: Distribution = NOTHING


@dataclass(slots=True)
class _Pull:
    done: Event
    error: CriError | None = None
    layers: tuple[Layer, ...] = ()


class ImageStore:
    """The images and layers of one node.

    Args:
        sim: The run.
        node: The node's name.
        machine: Where unpacking takes a core.
        remote: The registry.
        config: How images are brought and kept.
        content: Where they are kept.
    """

    def __init__(  # what a store is made of
        self,
        sim: Sim,
        *,
        node: str,
        machine: Machine,
        remote: Remote,
        config: ImageStoreConfig,
        content: ContentStore | None = None,
    ) -> None:
        self._sim = sim
        self._node = node
        self._machine = machine
        self._remote = remote
        self._config = config
        self.content = content or ContentStore(
            sim, disk=machine.disk, unpack_ratio_percent=config.unpack_ratio_percent
        )
        self._images: dict[str, Image] = {}
        self._pulls: dict[str, _Pull] = {}
        self._landmarks: dict[str, Event] = {}  # what a lazy layer's container waits for
        self._down = False
        self._rng = sim.rng(f"unpack/{node}")

    def get(self, reference: str) -> Image | None:
        """The image of that reference, if it is here."""
        return self._images.get(reference)

    def all(self) -> tuple[Image, ...]:
        """Every image here, largest first."""
        return tuple(sorted(self._images.values(), key=lambda i: (-i.size_bytes, i.name)))

    def power_off(self) -> None:
        """The machine is gone: what was on its way never arrives."""
        self._down = True

    def recover(self, before: ImageStore) -> None:
        """Have what another store had on the same disk; what was on its way is not whole."""
        self._images.update(before._images)
        self.content.recover()

    def arrived(self, image: Image) -> SimProcess[None]:
        """Wait until what a container of it needs to start is here."""
        for layer in image.layers:
            landmark = self._landmarks.get(layer.digest)
            if landmark is not None and not landmark.processed:
                yield landmark

    def remove(self, image_id: str) -> int:
        """Remove an image by its digest; returns how many bytes of the disk that freed."""
        names = [name for name, image in self._images.items() if image.digest == image_id]
        gone = [self._images.pop(name) for name in names]
        freed = self.content.collect(self._needed())
        for image in gone:
            self._sim.emit(
                ImageRemoved(
                    node=self._node,
                    image=image.name,
                    size_bytes=image.size_bytes,
                    freed_bytes=freed,
                )
            )
        return freed

    def pull(self, reference: str) -> SimProcess[Image]:
        """Bring an image here; joins a pull of it that is already under way.

        Raises:
            CriError: If the registry does not have it, or does not give it.
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

    def _needed(self) -> Iterable[tuple[Layer, ...]]:
        yield from (image.layers for image in self._images.values())
        yield from (pull.layers for pull in self._pulls.values())

    def _pull(self, reference: str, pull: _Pull) -> SimProcess[None]:
        began_ns = self._sim.now
        failed = f'failed to pull and unpack image "{reference}": '
        try:
            image = yield from self._remote.resolve(reference)
        except RemoteError as error:
            pull.error = CriError("Unknown", f"{failed}failed to resolve image: {error}")
        else:
            if image is None:
                message = f"{failed}failed to resolve image: {reference}: not found"
                pull.error = CriError("NotFound", message)
            else:
                yield from self._bring(reference, image, pull, began_ns)
        del self._pulls[reference]
        pull.done.succeed()

    def _bring(self, reference: str, image: Image, pull: _Pull, began_ns: int) -> SimProcess[None]:
        if self._down:
            yield self._sim.event()  # never: the disk has had another master since
        resolved_ns = self._sim.now
        pull.layers = image.layers
        fetch = self._fetch_lazily if self._config.lazy else self._fetch_layers
        try:
            downloaded = yield from fetch(image)
        except (RemoteError, DiskFullError) as error:
            message = f'failed to pull and unpack image "{reference}": {error}'
            pull.error = CriError("Unknown", message)
            return
        if self._down:
            yield self._sim.event()  # never
        self._images[reference] = image
        if self._config.discard_unpacked_layers:
            self.content.discard_blobs(image.layers)
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

    def _fetch_layers(self, image: Image) -> SimProcess[int]:
        """Download what is not here, unpack what is not unpacked; returns the bytes downloaded."""
        slots = self._sim.resource(self._config.max_concurrent_downloads)
        downloaded = 0
        below: Stored | None = None
        before = self._config.unpack_image
        wanted: list[Stored] = []
        for layer, chain in zip(image.layers, chain_ids(image.layers), strict=True):
            blob = self.content.blobs.get(layer.digest)
            if blob is None:
                downloaded += layer.size_bytes
                blob = self.content.ingest(layer)
                self._sim.process(self._download(image, layer, blob, slots=slots))
            wanted.append(blob)
            if not is_unpacked(layer):
                continue
            snapshot = self.content.snapshots.get(chain)
            if snapshot is None:
                snapshot = self.content.prepare(chain, layer)
                needed = (blob,) if below is None else (blob, below)
                work = self._unpack(image.name, layer, chain, needed=needed, before=before)
                self._sim.process(work)
                before = NOTHING
            wanted.append(snapshot)
            below = snapshot
        yield self._sim.all_of([stored.done for stored in wanted])
        for stored in wanted:
            if isinstance(stored.done.value, RemoteError):
                raise stored.done.value
        return downloaded

    def _download(
        self, image: Image, layer: Layer, blob: Stored, *, slots: Resource
    ) -> SimProcess[None]:
        with slots.request() as slot:
            yield slot
            began_ns = self._sim.now
            try:
                yield from self._remote.fetch(layer, reference=image.name)
            except RemoteError as error:
                self.content.abandon(blob)  # the next pull begins anew
                blob.done.succeed(error)
                return
        if self._down:
            return
        blob.done.succeed()
        self._sim.emit(
            LayerPulled(
                node=self._node,
                image=image.name,
                digest=layer.digest,
                size_bytes=layer.size_bytes,
                began_ns=began_ns,
                downloaded_ns=self._sim.now,
            )
        )

    def _unpack(
        self,
        image: str,
        layer: Layer,
        chain: str,
        *,
        needed: tuple[Stored, ...],
        before: Distribution,
    ) -> SimProcess[None]:
        """Unpack a layer when its blob and the layer below are here, and ``before`` is over."""
        snapshot = self.content.snapshots[chain]
        for stored in needed:
            if not stored.done.processed:
                yield stored.done
            if stored.done.value is not None:
                self.content.abandon(snapshot)
                snapshot.done.succeed(stored.done.value)
                return
        began_ns = self._sim.now
        beside_ns = before.draw(self._rng) + self._config.unpack_layer.draw(self._rng)
        bytes_ns = layer.size_bytes * SECOND // self._config.unpack_rate
        yield from self._machine.compute(beside_ns + bytes_ns)
        yield from self.content.written(snapshot)
        if self._down:
            return
        snapshot.done.succeed()
        self._sim.emit(
            LayerUnpacked(node=self._node, image=image, digest=layer.digest, began_ns=began_ns)
        )

    def _fetch_lazily(self, image: Image) -> SimProcess[int]:
        """Ask for each layer's table of contents; the layers themselves come afterwards."""
        missing = [layer for layer in image.layers if layer.digest not in self.content.blobs]
        tables = [
            self._sim.process(
                self._remote.fetch(replace(layer, size_bytes=0), reference=image.name)
            )
            for layer in missing
        ]
        yield self._sim.all_of(tables)
        if self._down:
            yield self._sim.event()  # never
        slots = self._sim.resource(self._config.max_concurrent_downloads)
        for layer in missing:
            if layer.digest not in self.content.blobs:
                blob = self.content.ingest(layer)
                landmark = self._landmarks[layer.digest] = self._sim.event()
                work = self._download_lazily(image, layer, blob, landmark=landmark, slots=slots)
                self._sim.process(work)
        return 0

    def _download_lazily(
        self, image: Image, layer: Layer, blob: Stored, *, landmark: Event, slots: Resource
    ) -> SimProcess[None]:
        """First what comes before the landmark, for a container may be waiting; then the rest."""
        first = layer.size_bytes * self._config.prefetch_per_mille // 1000
        began_ns = self._sim.now
        try:
            part = replace(layer, size_bytes=first)
            yield from self._remote.fetch(part, reference=image.name)
            landmark.succeed()
            with slots.request() as slot:
                yield slot
                rest = replace(layer, size_bytes=layer.size_bytes - first)
                yield from self._remote.fetch(rest, reference=image.name)
        except RemoteError as error:
            self.content.abandon(blob)
            blob.done.succeed(error)
            if not landmark.triggered:
                landmark.succeed()
            return
        if self._down:
            return
        blob.done.succeed()
        self._sim.emit(
            LayerPulled(
                node=self._node,
                image=image.name,
                digest=layer.digest,
                size_bytes=layer.size_bytes,
                began_ns=began_ns,
                downloaded_ns=self._sim.now,
            )
        )


def cri_image(image: Image) -> CriImage:
    """An image in CRI's words."""
    return CriImage(id=image.digest, repo_tags=(image.name,), size=image.size_bytes)
