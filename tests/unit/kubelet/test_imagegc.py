"""Image garbage collection: thresholds, order, ages; what is used stays."""

from __future__ import annotations

from typing import Any

from harness import MB, SECOND, Cluster, NodeUnderTest, bound, image, program
from hypothesis import given
from hypothesis import strategies as st

from kubesim.api.corev1 import Pod
from kubesim.facts import ImageRemoved
from kubesim.node.kubelet.configuration import KubeletConfiguration
from kubesim.node.kubelet.imagegc import ImageRecord, bytes_to_free, chosen, eviction_order

MINUTE = 60 * SECOND


def node_with_disk(megabytes: int, *sizes: int, **settings: Any) -> NodeUnderTest:
    """A node with a small disk and images ``app:0``, ``app:1`` ... of those sizes in MB."""
    images = [
        image(f"app:{number}", size * MB, runs=program(port=0))
        for number, size in enumerate(sizes)
    ]
    return NodeUnderTest(Cluster(), *images, disk=f"{megabytes}M", **settings)


def start(node: NodeUnderTest, number: int) -> None:
    """A pod of that image."""
    main = {"name": "main", "image": f"app:{number}"}
    node.cluster.api.create(bound(f"web-{number}", containers=[main]))


def delete(node: NodeUnderTest, number: int) -> None:
    """It goes."""
    node.cluster.api.delete(Pod, f"default/web-{number}", grace_period_seconds=1)


def removed(node: NodeUnderTest) -> list[tuple[int, str]]:
    """When which image went, in seconds."""
    journal = node.cluster.sim.journal
    return [(at // SECOND, fact.image) for at, fact in journal.of(ImageRemoved)]


def test_unused_images_go_least_recently_used_first() -> None:
    """At the five-minute look, from over 85 % to below 80 %; the one in use stays."""
    # Each takes twice its size: compressed and unpacked.
    node = node_with_disk(100, 15, 15, 15)
    for number in range(3):
        start(node, number)
    node.cluster.run(400)
    delete(node, 1)
    node.cluster.run(100)
    delete(node, 0)
    node.cluster.run(50)

    assert [] == removed(node)

    node.cluster.run(1000)

    # 90 % at 300 s, with everything in use. At 600 s two are unused, and one is enough.
    assert [600] == [at for at, _ in removed(node)]
    assert removed(node)[0][1] != "app:2"
    assert 60 * MB == node.containerd.image_fs_info()


def test_a_young_image_stays() -> None:
    """imageMinimumGCAge: it may have been pulled for a container that is about to start."""
    node = node_with_disk(100, 45, image_minimum_gc_age_ns=7 * MINUTE)
    start(node, 0)
    node.cluster.run(20)
    delete(node, 0)
    node.cluster.run(2000)

    # Seen first at 300 s; seven minutes later is between two looks.
    assert [(900, "app:0")] == removed(node)


def test_a_full_disk_that_nothing_can_free_is_said() -> None:
    """Everything is in use: FreeDiskSpaceFailed each time, ImageGCFailed from the second on."""
    node = node_with_disk(100, 45)
    start(node, 0)
    node.cluster.run(601)

    assert 2 == len(node.cluster.events("FreeDiskSpaceFailed"))
    assert 1 == len(node.cluster.events("ImageGCFailed"))
    assert "(90% of 95.4 MiB used)" in node.cluster.events("FreeDiskSpaceFailed")[0]
    assert [] == removed(node)


def test_below_the_threshold_nothing_is_looked_at_for_long() -> None:
    """A day of a quiet node costs a handful of events."""
    node = node_with_disk(1000, 45)
    start(node, 0)
    node.cluster.run(400)
    before = node.cluster.sim.events_processed
    node.cluster.run(86_400)

    assert node.cluster.sim.events_processed - before < 20


def test_old_images_go_when_a_maximum_age_is_set() -> None:
    """However much room there is."""
    node = node_with_disk(1000, 45, image_maximum_gc_age_ns=60 * MINUTE)
    start(node, 0)
    node.cluster.run(20)
    delete(node, 0)
    node.cluster.run(2 * 3600)

    assert [(65 * 60, "app:0")] == removed(node)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(-1, 9), st.integers(0, 9)), max_size=12),
    st.integers(0, 300),
)
def test_as_few_as_will_do_and_only_old_ones(
    images: list[tuple[int, int, int]], need: int
) -> None:
    """A prefix of the eligible ones in eviction order, none longer than needed."""
    records = [
        ImageRecord(str(number), size, first, used)
        for number, (size, used, first) in enumerate(images)
    ]
    order = eviction_order(records)
    going = chosen(order, to_free=need, now_ns=9, minimum_age_ns=2)
    eligible = [r for r in order if r.last_used_ns < 9 and r.first_detected_ns <= 7]

    assert eligible[: len(going)] == going
    assert not going or sum(r.size_bytes for r in going[:-1]) < need
    assert sum(r.size_bytes for r in going) >= need or going == eligible


def test_the_thresholds_arithmetic() -> None:
    """85 % is over, 84 % is not; down to 80 %."""
    config = KubeletConfiguration()

    assert 0 == bytes_to_free(1000, 160, config)
    assert 50 == bytes_to_free(1000, 150, config)
