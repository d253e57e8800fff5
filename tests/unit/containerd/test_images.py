"""Pulling images: layers side by side, unpacked in order, each one once."""

from dataclasses import replace

import pytest
from harness import MB, MILLISECOND, SECOND, Cluster, NodeUnderTest, image
from hypothesis import given, settings
from hypothesis import strategies as st

from kubesim.facts import ImagePulled, ImageRemoved, LayerPulled
from kubesim.node.cri.messages import CriError
from kubesim.sim import Interrupt, SimProcess
from kubesim.sim.distribution import Constant
from kubesim.wire.image import Image, Layer

RESOLVE_NS = 200 * MILLISECOND
DOWNLOAD_NS = 100  # a byte, at 10 MB/s
UNPACK_NS = 50  # a byte, at 20 MB/s


def node_with(*images: Image, bandwidth: int = 10 * MB) -> NodeUnderTest:
    return NodeUnderTest(Cluster(), *images, kubelet=False, bandwidth=bandwidth)


def pull(node: NodeUnderTest, name: str = "app:1") -> int:
    """Pull and say how long it took."""
    began = node.cluster.sim.now
    node.cluster.do(node.containerd.images.pull(name))
    return node.cluster.sim.now - began


def test_one_layer_is_a_sum() -> None:
    """Resolve, download, unpack."""
    node = node_with(image("app:1", 4 * MB))

    assert RESOLVE_NS + 4 * MB * (DOWNLOAD_NS + UNPACK_NS) == pull(node)


def test_two_layers_share_the_link_and_unpack_in_order() -> None:
    """The small upper layer is there first, and waits for the one below it to be unpacked."""
    node = node_with(image("app:1", 6 * MB, 2 * MB))
    took = pull(node)
    upper, lower = node.cluster.facts(LayerPulled)
    # Both at half the rate until 2 MB of each are there; then 4 MB alone.
    assert RESOLVE_NS + 4 * MB * DOWNLOAD_NS == upper.downloaded_ns
    assert RESOLVE_NS + 8 * MB * DOWNLOAD_NS == lower.downloaded_ns
    assert RESOLVE_NS + 8 * MB * DOWNLOAD_NS + 8 * MB * UNPACK_NS == took


def test_unpacking_overlaps_downloading() -> None:
    """A small base is unpacked while the large upper layer is still on its way."""
    node = node_with(image("app:1", 2 * MB, 6 * MB))

    assert RESOLVE_NS + 8 * MB * DOWNLOAD_NS + 6 * MB * UNPACK_NS == pull(node)


def test_every_image_and_every_layer_takes_time_to_unpack_beside_its_bytes() -> None:
    """Once 7 ms before the first, and 5 ms each; both only for what is not unpacked yet."""
    beside = {
        "unpack_image": Constant(7 * MILLISECOND), "unpack_layer": Constant(5 * MILLISECOND)
    }  # fmt: skip
    base, more = image("base:1", MB, MB), image("app:1", MB, MB, MB)
    app = replace(more, layers=(*base.layers, *more.layers[2:]))
    node = NodeUnderTest(
        Cluster(), base, app, kubelet=False, bandwidth=10 * MB, images_config=beside
    )
    # Both layers are downloaded side by side; then one after the other is unpacked.
    two = RESOLVE_NS + 2 * MB * (DOWNLOAD_NS + UNPACK_NS) + (7 + 5 + 5) * MILLISECOND
    assert two == pull(node, "base:1")
    assert RESOLVE_NS + MB * (DOWNLOAD_NS + UNPACK_NS) + (7 + 5) * MILLISECOND == pull(node)


def test_at_most_three_layers_of_an_image_are_downloaded_at_once() -> None:
    """The fourth begins when the first of three ends."""
    node = node_with(image("app:1", *[MB] * 4))
    pull(node)
    began = sorted(layer.began_ns for layer in node.cluster.facts(LayerPulled))

    assert [RESOLVE_NS] * 3 + [RESOLVE_NS + 3 * MB * DOWNLOAD_NS] == began


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(min_value=1, max_value=4 * MB), min_size=1, max_size=3))
def test_an_uncontended_pull_equals_its_closed_form(sizes: list[int]) -> None:
    """Downloads share fluidly; each layer is unpacked after its download and the layer below it."""
    node = node_with(image("app:1", *sizes))
    done, at, sharing = {}, 0.0, len(sizes)
    sent = 0
    for index in sorted(range(len(sizes)), key=lambda i: sizes[i]):
        at += (sizes[index] - sent) * sharing * DOWNLOAD_NS
        sent, sharing, done[index] = sizes[index], sharing - 1, at
    unpacked = 0.0
    for index, size in enumerate(sizes):
        unpacked = max(unpacked, done[index]) + size * UNPACK_NS

    assert RESOLVE_NS + unpacked == pytest.approx(pull(node), abs=10)


def downloaded_at(sizes: list[int], slots: int = 3) -> list[float]:
    """When each layer is here, from the definition: three at a time, in order, with equal shares."""
    missing = dict(enumerate(map(float, sizes)))
    ends, now = [0.0] * len(sizes), 0.0
    while missing:
        under_way = list(missing)[:slots]
        first = min(missing[index] for index in under_way)
        now += first * len(under_way) * DOWNLOAD_NS
        for index in under_way:
            missing[index] -= first
            if missing[index] < 1e-6:
                ends[index] = now
                del missing[index]
    return ends


def unpacked_at(sizes: list[int], downloaded: list[float]) -> float:
    """When the last layer is unpacked: each after its download and the layer below it."""
    now = 0.0
    for size, here in zip(sizes, downloaded, strict=True):
        now = max(now, here) + size * UNPACK_NS
    return now


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(min_value=1, max_value=4 * MB), min_size=4, max_size=9))
def test_an_image_of_many_layers_equals_its_closed_form(sizes: list[int]) -> None:
    """More layers than are downloaded at once: to the nanosecond or so, not only to 1 %."""
    expected = RESOLVE_NS + unpacked_at(sizes, downloaded_at(sizes))

    assert expected == pytest.approx(pull(node_with(image("app:1", *sizes))), abs=20)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(min_value=1, max_value=4 * MB), min_size=1, max_size=3))
def test_two_layered_images_share_the_link_exactly(sizes: list[int]) -> None:
    """Two alike at a time: every layer takes twice as long, and unpacking what it always takes."""
    node = node_with(image("a:1", *sizes), image("b:1", *sizes))
    for name in ("a:1", "b:1"):
        node.cluster.sim.process(node.containerd.images.pull(name))
    node.cluster.run(60)
    ends = [at for at, _ in node.cluster.sim.journal.of(ImagePulled)]
    expected = RESOLVE_NS + unpacked_at(sizes, [2 * at for at in downloaded_at(sizes)])

    assert [pytest.approx(expected, abs=20)] * 2 == ends


def test_two_names_of_one_digest_are_one_download() -> None:
    """Two tags of an image, pulled at the same time."""
    first = image("app:1", 4 * MB, MB)
    node = node_with(first, replace(first, name="app:latest"))
    for name in ("app:1", "app:latest"):
        node.cluster.sim.process(node.containerd.images.pull(name))
    node.cluster.run(5)
    pulled = node.cluster.facts(ImagePulled)

    assert [5 * MB, 0] == [fact.downloaded_bytes for fact in pulled]
    assert 2 == len(node.cluster.facts(LayerPulled))


def test_two_pulls_of_one_image_are_one_pull() -> None:
    """The second waits for the first."""
    node = node_with(image("app:1", 4 * MB))
    ended = []

    def one(delay_ns: int) -> SimProcess[None]:
        yield node.cluster.sim.timeout(delay_ns)
        yield from node.containerd.images.pull("app:1")
        ended.append(node.cluster.sim.now)

    for delay_ns in (0, 100 * MILLISECOND):
        node.cluster.sim.process(one(delay_ns))
    node.cluster.run(5)

    assert 1 == len(node.cluster.facts(ImagePulled))
    assert [RESOLVE_NS + 600 * MILLISECOND] * 2 == ended


def test_a_pull_outlives_the_one_who_asked() -> None:
    """Somebody else waits for it, too."""
    node = node_with(image("app:1", 4 * MB))
    ended = []

    def one() -> SimProcess[None]:
        try:
            yield from node.containerd.images.pull("app:1")
            ended.append(node.cluster.sim.now)
        except Interrupt:
            pass

    first = node.cluster.sim.process(one())
    node.cluster.sim.process(one())
    node.cluster.run(0.3)
    first.interrupt()
    node.cluster.run(5)

    assert [RESOLVE_NS + 600 * MILLISECOND] == ended


def test_a_layer_that_is_here_is_not_fetched_again() -> None:
    """Two images on one base download it once, one after the other or at the same time."""
    base = image("base:1", 4 * MB)
    top = image("top:1", 2 * MB)
    both = Image(name="app:1", digest="d", layers=base.layers + top.layers, program=base.program)
    node = node_with(base, both)

    assert RESOLVE_NS + 600 * MILLISECOND == pull(node, "base:1")
    assert RESOLVE_NS + 300 * MILLISECOND == pull(node)
    assert [4 * MB, 2 * MB] == [f.downloaded_bytes for f in node.cluster.facts(ImagePulled)]

    together = node_with(base, both)
    for name in ("base:1", "app:1"):
        together.cluster.sim.process(together.containerd.images.pull(name))
    together.cluster.run(5)

    assert 2 == len(together.cluster.facts(LayerPulled))


def test_an_image_that_is_here_is_only_resolved_again() -> None:
    """Always asks the registry and downloads nothing."""
    node = node_with(image("app:1", 4 * MB))
    pull(node)

    assert RESOLVE_NS == pull(node)


def test_two_images_contend_for_the_link_and_for_nothing_else() -> None:
    """Each has its own three downloads; unpacking takes a core each."""
    node = node_with(image("a:1", 4 * MB), image("b:1", 4 * MB))
    for name in ("a:1", "b:1"):
        node.cluster.sim.process(node.containerd.images.pull(name))
    node.cluster.run(5)
    ends = [at for at, _ in node.cluster.sim.journal.of(ImagePulled)]

    assert [RESOLVE_NS + 8 * MB * DOWNLOAD_NS + 4 * MB * UNPACK_NS] * 2 == ends


def test_an_unknown_image_is_refused_after_the_registry_said_so() -> None:
    """Not found, in containerd's words, and a later pull asks again."""
    node = node_with()
    with pytest.raises(CriError, match="not found") as refused:
        pull(node)

    assert "NotFound" == refused.value.code
    assert RESOLVE_NS == node.cluster.sim.now

    with pytest.raises(CriError):
        pull(node)

    assert 2 * RESOLVE_NS == node.cluster.sim.now


def test_images_are_listed_by_size() -> None:
    """Largest first, then by name: what a node's status shows."""
    node = node_with(image("b:1", MB), image("a:1", MB), image("large:1", 3 * MB))
    for name in ("b:1", "a:1", "large:1"):
        pull(node, name)

    assert ["large:1", "a:1", "b:1"] == [i.repo_tags[0] for i in node.containerd.list_images()]


def test_an_image_without_layers_is_only_a_manifest() -> None:
    """Nothing to download, nothing to unpack."""
    empty = Image(name="app:1", digest="d", layers=(), program=image().program)

    assert RESOLVE_NS == pull(node_with(empty))


def test_seconds_are_what_they_seem() -> None:
    """The constants above are those of the node under test."""
    assert SECOND == 10 * MB * DOWNLOAD_NS == 20 * MB * UNPACK_NS


def layered(name: str, *layers: Layer) -> Image:
    """An image of those layers."""
    like = image(name)
    return Image(name=name, digest=name, layers=layers, program=like.program)


def test_a_layer_on_another_base_is_unpacked_again() -> None:
    """Its blob is here, its snapshot is not: a snapshot is known by its chain."""
    first, second = image("first:1", 2 * MB), image("second:1", 2 * MB)
    (top,) = image("top:1", 4 * MB).layers
    node = node_with(
        layered("a:1", *first.layers, top), layered("b:1", *second.layers, top), second
    )
    pull(node, "a:1")
    pull(node, "second:1")

    assert RESOLVE_NS + 4 * MB * UNPACK_NS == pull(node, "b:1")


def test_one_layer_twice_in_an_image_is_one_download() -> None:
    """And two snapshots, for the second lies on the first."""
    (one,) = image("one:1", 2 * MB).layers
    node = node_with(layered("a:1", one, one))

    assert RESOLVE_NS + 2 * MB * DOWNLOAD_NS + 4 * MB * UNPACK_NS == pull(node, "a:1")
    assert 2 * MB + 4 * MB == node.containerd.image_fs_info()


def test_wasm_layers_are_not_unpacked() -> None:
    """The shim reads them from the content store."""
    (layer,) = image("w:1", 4 * MB).layers
    wasm = replace(layer, media_type="application/wasm")
    node = node_with(layered("w:1", wasm))

    assert RESOLVE_NS + 4 * MB * DOWNLOAD_NS == pull(node, "w:1")
    assert 4 * MB == node.containerd.image_fs_info()


def test_removing_an_image_leaves_what_others_need() -> None:
    """Shared layers stay until the last image that has them goes."""
    base = image("base:1", 4 * MB)
    top = image("top:1", 2 * MB)
    both = layered("app:1", *base.layers, *top.layers)
    node = node_with(base, both)
    pull(node, "base:1")
    pull(node)
    used = [node.containerd.image_fs_info()]
    for image_id in (both.digest, base.digest):
        node.cluster.do(node.containerd.remove_image(image_id))
        used.append(node.containerd.image_fs_info())

    assert [12 * MB, 8 * MB, 0] == used
    assert [4 * MB, 8 * MB] == [fact.freed_bytes for fact in node.cluster.facts(ImageRemoved)]
    assert RESOLVE_NS + 6 * MB * DOWNLOAD_NS + 6 * MB * UNPACK_NS == pull(node)


def test_compressed_layers_may_be_discarded() -> None:
    """discard_unpacked_layers: half the disk, and the image still counts as here."""
    node = NodeUnderTest(
        Cluster(),
        image("app:1", 4 * MB),
        kubelet=False,
        images_config={"discard_unpacked_layers": True},
    )
    pull(node)

    assert 4 * MB == node.containerd.image_fs_info()
    assert RESOLVE_NS == pull(node)


def test_a_lazy_image_starts_before_it_is_here() -> None:
    """The pull ends with the tables of contents; a start waits for a tenth; the rest comes later."""
    app = image("app:1", 10 * MB)
    lazy = {"lazy": True, "prefetch_per_mille": 100}
    node = NodeUnderTest(Cluster(), app, kubelet=False, images_config=lazy)

    assert RESOLVE_NS == pull(node)

    node.cluster.do(node.containerd.images.arrived(app))

    assert RESOLVE_NS + MB * DOWNLOAD_NS == node.cluster.sim.now

    node.cluster.run(10)
    (layer,) = node.cluster.facts(LayerPulled)

    assert RESOLVE_NS + 10 * MB * DOWNLOAD_NS == layer.downloaded_ns


@given(
    st.lists(
        st.lists(st.integers(0, 5), min_size=1, max_size=5, unique=True), min_size=1, max_size=4
    )
)
@settings(max_examples=60, deadline=None)
def test_every_layer_is_downloaded_once_and_accounted_once(stacks: list[list[int]]) -> None:
    """However many images share it, pulled at the same time; and all of it goes in the end."""
    layers = [image(f"l:{number}", (number + 1) * 100_000).layers[0] for number in range(6)]
    images = [
        layered(f"app:{number}", *(layers[index] for index in stack))
        for number, stack in enumerate(stacks)
    ]
    node = node_with(*images)
    for each in images:
        node.cluster.sim.process(node.containerd.images.pull(each.name))
    node.cluster.run(60)
    used = {index for stack in stacks for index in stack}
    chains = {tuple(stack[: end + 1]) for stack in stacks for end in range(len(stack))}
    size = sum(layers[index].size_bytes for index in used)
    size += sum(layers[chain[-1]].size_bytes for chain in chains)

    assert len(used) == len(node.cluster.facts(LayerPulled))
    assert size == node.containerd.image_fs_info()

    for each in images:
        node.cluster.do(node.containerd.remove_image(each.digest))

    assert 0 == node.containerd.image_fs_info()
