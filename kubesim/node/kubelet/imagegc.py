"""Image garbage collection: when the disk is too full, what was not used for longest goes.

Every five minutes the kubelet looks at its images: which there are, and which a container uses. When
usage of the disk is at the high threshold or over it, it removes unused images, the least recently
used first, until the low threshold is reached; one that it has seen for less than the minimum age
stays. "Last used" is therefore as coarse as the five minutes. How much it counts as freed is the
image's compressed size, whatever the disk really gets back.

Nothing happens at a look unless images or containers changed since the one before, or the disk is
over the threshold; only then the kubelet looks. What the looks between would have noted is known:
images in use then were in use at each of them.

Mirrors: pkg/kubelet/images/image_gc_manager.go; pkg/kubelet/kubelet.go (StartGarbageCollection,
ImageGCPeriod).
Departs: images that volumes use are not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from kubesim.node.cri.messages import Image
from kubesim.node.cri.services import ImageService
from kubesim.node.kubelet.configuration import MINUTE, KubeletConfiguration
from kubesim.sim import Sim, SimProcess

IMAGE_GC_PERIOD_NS = 5 * MINUTE


@dataclass(slots=True)
class ImageRecord:
    """What the kubelet remembers of an image; ``last_used_ns`` is -1 when it never saw it used."""

    id: str
    size_bytes: int
    first_detected_ns: int
    last_used_ns: int = -1


def eviction_order(records: Iterable[ImageRecord]) -> list[ImageRecord]:
    """Least recently used first; of those equally long unused, the one seen first."""
    return sorted(records, key=lambda r: (r.last_used_ns, r.first_detected_ns))


def bytes_to_free(capacity: int, available: int, config: KubeletConfiguration) -> int:
    """How much has to go: 0 below the high threshold, else what brings usage to the low one."""
    usage_percent = 100 - available * 100 // capacity
    if usage_percent < config.image_gc_high_threshold_percent:
        return 0
    return capacity * (100 - config.image_gc_low_threshold_percent) // 100 - available


def chosen(
    candidates: Iterable[ImageRecord], *, to_free: int, now_ns: int, minimum_age_ns: int
) -> list[ImageRecord]:
    """The images that go, in their order."""
    going: list[ImageRecord] = []
    freed = 0
    for record in candidates:
        if freed >= to_free:
            break
        if record.last_used_ns < now_ns and now_ns - record.first_detected_ns >= minimum_age_ns:
            going.append(record)
            freed += record.size_bytes
    return going


class ImageGCManager:
    """One kubelet's image garbage collection.

    Args:
        sim: The run.
        images: The runtime's image service.
        config: Thresholds and ages.
        capacity_bytes: Of the file system that holds images.
        in_use: Ids of the images that containers, running or not, are of.
        failed: Is told why the disk could not be freed.
        removed: Is told that images went.
    """

    def __init__(  # noqa: PLR0913  # what a manager is made of
        self,
        sim: Sim,
        *,
        images: ImageService,
        config: KubeletConfiguration,
        capacity_bytes: int,
        in_use: Callable[[], frozenset[str]],
        failed: Callable[[str, str], None],
        removed: Callable[[], None],
    ) -> None:
        self._sim = sim
        self._images = images
        self._config = config
        self._capacity = capacity_bytes
        self._in_use = in_use
        self._failed = failed
        self._removed = removed
        self._began_ns = sim.now
        self._records: dict[str, ImageRecord] = {}
        self._used_at_last_look: frozenset[str] = frozenset()
        self._planned = False
        self._failed_before = False
        self._off = False

    def changed(self) -> None:
        """Images or containers changed: the next look may see something."""
        if self._planned or self._off or not self._capacity:
            return
        self._planned = True
        since_ns = self._sim.now - self._began_ns
        self._sim.call_in(IMAGE_GC_PERIOD_NS - since_ns % IMAGE_GC_PERIOD_NS, self._begin)

    def delete_unused(self) -> SimProcess[bool]:
        """Under disk pressure: remove all that nobody uses; whether some are too young yet.

        Mirrors: DeleteUnusedImages, which obeys ``imageMinimumGCAge`` too.
        """
        now_ns = self._sim.now
        used = self._detect(now_ns)
        unused = [record for record in self._records.values() if record.id not in used]
        going = chosen(
            eviction_order(unused),
            to_free=1 << 62,
            now_ns=now_ns,
            minimum_age_ns=self._config.image_minimum_gc_age_ns,
        )
        yield from self._remove(going)
        return len(going) < len(unused)

    def stop(self) -> None:
        """The kubelet is gone."""
        self._off = True

    def _begin(self) -> None:
        self._planned = False
        if not self._off:
            self._sim.process(self._look())

    def _look(self) -> SimProcess[None]:
        now_ns = self._sim.now
        used = self._detect(now_ns)
        unused = [record for record in self._records.values() if record.id not in used]
        order = eviction_order(unused)
        order = yield from self._free_old(order, now_ns)
        over = yield from self._free_space(order, now_ns)
        if over or (self._config.image_maximum_gc_age_ns and unused):
            self.changed()

    def _detect(self, now_ns: int) -> frozenset[str]:
        """Bring the records up to date; returns what is in use."""
        for image_id in self._used_at_last_look:
            if image_id in self._records:
                self._records[image_id].last_used_ns = now_ns - IMAGE_GC_PERIOD_NS
        listed = self._images.list_images()
        used = self._used_at_last_look = self._in_use()
        here: Mapping[str, Image] = {image.id: image for image in listed}
        for image_id in [image_id for image_id in self._records if image_id not in here]:
            del self._records[image_id]
        for image in here.values():
            record = self._records.get(image.id)
            if record is None:
                record = self._records[image.id] = ImageRecord(image.id, image.size, now_ns)
            if image.id in used:
                record.last_used_ns = now_ns
        return used

    def _free_old(self, order: list[ImageRecord], now_ns: int) -> SimProcess[list[ImageRecord]]:
        """``imageMaximumGCAge``: what was not used for so long goes, however full the disk is."""
        oldest_ns = self._config.image_maximum_gc_age_ns
        if not oldest_ns or now_ns - self._began_ns <= oldest_ns:
            return order
        old = [record for record in order if now_ns - max(record.last_used_ns, 0) > oldest_ns]
        yield from self._remove(old)
        return [record for record in order if record.id in self._records]

    def _free_space(self, order: list[ImageRecord], now_ns: int) -> SimProcess[bool]:
        """Free the disk if it is too full; returns whether it still is."""
        available = max(0, self._capacity - self._images.image_fs_info())
        to_free = bytes_to_free(self._capacity, available, self._config)
        if not to_free:
            self._failed_before = False
            return False
        going = chosen(
            order,
            to_free=to_free,
            now_ns=now_ns,
            minimum_age_ns=self._config.image_minimum_gc_age_ns,
        )
        yield from self._remove(going)
        freed = sum(record.size_bytes for record in going)
        if freed < to_free:
            usage_percent = 100 - available * 100 // self._capacity
            self._complain(usage_percent, freed)
        else:
            self._failed_before = False
        return True

    def _remove(self, going: list[ImageRecord]) -> SimProcess[None]:
        for record in going:
            yield from self._images.remove_image(record.id)
            del self._records[record.id]
        if going:
            self._removed()

    def _complain(self, usage_percent: int, freed: int) -> None:
        message = (
            f"Insufficient free disk space on the node's image filesystem ({usage_percent}% of "
            f"{_size(self._capacity)} used). Failed to free sufficient space by deleting unused "
            f"images (freed {freed} bytes). Investigate disk usage, as it could be used by active "
            "images, logs, volumes, or other data."
        )
        self._failed("FreeDiskSpaceFailed", message)
        if self._failed_before:  # only the second failure in a row is worth an event of its own
            self._failed("ImageGCFailed", message)
        self._failed_before = True


def _size(size_bytes: int) -> str:
    size, unit = float(size_bytes), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size_bytes} B" if unit == "B" else f"{size:.1f} {unit}"
