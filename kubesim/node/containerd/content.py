"""What of images is on a node's disk: compressed layers by digest, unpacked ones by chain.

A blob is there once, whoever brought it. A snapshot is a layer on top of all those below it, so it is
known by its chain ID: two images that begin with the same layers share the snapshots of these, and a
layer on another base is unpacked again. What no image needs any more goes with the last one that did.

Mirrors: containerd core/content, core/snapshots; opencontainers/image-spec identity.ChainID.
Departs: manifests and configs take no room; collecting garbage takes no time. The room for a blob or
a snapshot is taken when it is begun.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kubesim.node.machine.disk import Disk, DiskFullError
from kubesim.sim import Event, Sim, SimProcess
from kubesim.wire.image import Layer, sha256_digest

ROOTFS_LAYERS = ("application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs.")


def is_unpacked(layer: Layer) -> bool:
    """Whether a layer becomes a part of a root file system; Wasm layers are read as they are."""
    return layer.media_type.startswith(ROOTFS_LAYERS)


def chain_ids(layers: Iterable[Layer]) -> tuple[str, ...]:
    """The chain ID at each layer; layers that are not unpacked keep that of the one below."""
    found: list[str] = []
    below = ""
    for layer in layers:
        if is_unpacked(layer):
            below = sha256_digest(f"{below} {layer.digest}".encode()) if below else layer.digest
        found.append(below)
    return tuple(found)


@dataclass(slots=True)
class Stored:
    """A blob or a snapshot.

    Attributes:
        size_bytes: What it takes on the disk.
        done: Happens when it is there (with ``None``) or could not be had (with the reason).
    """

    size_bytes: int
    done: Event

    @property
    def there(self) -> bool:
        """Whether it is complete."""
        return self.done.triggered and self.done.value is None


class ContentStore:
    """Blobs and snapshots of one node.

    Args:
        sim: The run.
        disk: Where they are.
        unpack_ratio_percent: Size of an unpacked layer in percent of the compressed one.
    """

    def __init__(self, sim: Sim, *, disk: Disk, unpack_ratio_percent: int) -> None:
        self._sim = sim
        self._disk = disk
        self._ratio = unpack_ratio_percent
        self.blobs: dict[str, Stored] = {}
        self.snapshots: dict[str, Stored] = {}
        self._labelled: dict[str, int] = {}
        self._dropped: list[Callable[[str], None]] = []

    @property
    def used_bytes(self) -> int:
        """What all of it takes on the disk."""
        stored = (*self.blobs.values(), *self.snapshots.values())
        return sum(self._labelled.values()) + sum(each.size_bytes for each in stored)

    def ingest(self, layer: Layer) -> Stored:
        """A blob that is about to be downloaded.

        Raises:
            DiskFullError: If there is no room for it.
        """
        self._disk.allocate(layer.size_bytes)
        stored = self.blobs[layer.digest] = Stored(layer.size_bytes, self._sim.event())
        return stored

    def prepare(self, chain_id: str, layer: Layer) -> Stored:
        """A snapshot that is about to be unpacked.

        Raises:
            DiskFullError: If there is no room for it.
        """
        size_bytes = layer.size_bytes * self._ratio // 100
        self._disk.allocate(size_bytes)
        stored = self.snapshots[chain_id] = Stored(size_bytes, self._sim.event())
        return stored

    def written(self, stored: Stored) -> SimProcess[None]:
        """Wait for the disk to have taken a snapshot's files."""
        yield from self._disk.read(stored.size_bytes)

    def abandon(self, stored: Stored) -> None:
        """What was begun could not be had: the room is free again."""
        for kind in (self.blobs, self.snapshots):
            for key in [key for key, each in kind.items() if each is stored]:
                del kind[key]
                self._disk.free(stored.size_bytes)

    def recover(self) -> None:
        """After a loss of power: what is not whole is thrown away, and what shims kept, too."""
        for stored in (*self.blobs.values(), *self.snapshots.values()):
            if not stored.there:
                self.abandon(stored)
        self._disk.free(sum(self._labelled.values()))
        self._labelled.clear()
        self._dropped.clear()

    def attach(self, digest: str, size_bytes: int) -> None:
        """More content that lives as long as a blob does; none where there is no room for it."""
        try:
            self._disk.allocate(size_bytes)
        except DiskFullError:
            return
        self._labelled[digest] = self._labelled.get(digest, 0) + size_bytes

    def on_dropped(self, listener: Callable[[str], None]) -> None:
        """Tell ``listener`` the digest of every blob that goes."""
        self._dropped.append(listener)

    def discard_blobs(self, layers: Iterable[Layer]) -> None:
        """``discard_unpacked_layers``: the compressed form is not needed when the snapshot is there."""
        for layer in layers:
            stored = self.blobs.get(layer.digest)
            if stored is not None and stored.there and is_unpacked(layer):
                self._disk.free(stored.size_bytes)
                stored.size_bytes = 0

    def collect(self, needed: Iterable[tuple[Layer, ...]]) -> int:
        """Drop what none of these images' layers need; returns how many bytes that were."""
        before = self.used_bytes
        digests: set[str] = set()
        chains: set[str] = set()
        for layers in needed:
            digests.update(layer.digest for layer in layers)
            chains.update(chain_ids(layers))
        for digest in [d for d, blob in self.blobs.items() if d not in digests and blob.there]:
            del self.blobs[digest]
            self._labelled.pop(digest, None)
            for listener in self._dropped:
                listener(digest)
        for chain in [c for c, s in self.snapshots.items() if c not in chains and s.there]:
            del self.snapshots[chain]
        freed = before - self.used_bytes
        self._disk.free(freed)
        return freed
