"""Registries: what they know, what they refuse, what a client makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from harness import MB, MILLISECOND, SECOND, Cluster, NodeUnderTest, bound, image, run_process

from kubesim.facts import ImagePulled
from kubesim.node.cri.messages import CriError
from kubesim.sim import Sim
from kubesim.sim.distribution import Constant
from kubesim.world.network import LinkConfig, Topology, TopologyConfig
from kubesim.world.registry import Registry, RegistryConfig, RegistryError
from kubesim.world.registry.registry import host_of

APP = "ghcr.io/acme/app:v1"


def world(*configs: RegistryConfig, **network: Any) -> tuple[Sim, Registry, Topology]:
    """A registry that has one image, and one node."""
    sim = Sim(seed=1)
    config = TopologyConfig(node_link=LinkConfig(bandwidth=10 * MB), **network)
    topology = Topology(sim, config)
    topology.add_node("n1")
    registry = Registry(
        sim,
        images={APP: image(APP, 20 * MB)},
        resolve=Constant(100 * MILLISECOND),
        request=Constant(50 * MILLISECOND),
        topology=topology,
        configs=configs,
    )
    return sim, registry, topology


def test_a_manifest_is_found_or_not() -> None:
    """After the time it takes to ask."""
    sim, registry, _ = world()
    found = run_process(sim, registry.resolve(APP, "n1"))

    assert found is not None
    assert APP == found.name
    assert 100 * MILLISECOND == sim.now
    assert None is run_process(sim, registry.resolve("ghcr.io/acme/other:v1", "n1"))


def test_a_blob_takes_its_request_and_its_bytes() -> None:
    """Over the node's link."""
    sim, registry, _ = world()
    layer = image(APP, 20 * MB).layers[0]
    run_process(sim, registry.fetch(layer, "n1", reference=APP))

    assert 2 * SECOND + 50 * MILLISECOND == sim.now


def test_distance_costs_a_round_trip_a_request() -> None:
    """A registry 30 ms away; its own link may be the narrow one."""
    far = LinkConfig(latency_ns=30 * MILLISECOND, bandwidth=5 * MB)
    sim, registry, _ = world(registries=(("ghcr.io", far),))
    layer = image(APP, 20 * MB).layers[0]
    run_process(sim, registry.resolve(APP, "n1"))

    assert 160 * MILLISECOND == sim.now

    run_process(sim, registry.fetch(layer, "n1", reference=APP))

    assert (160 + 110 + 4000) * MILLISECOND == sim.now


def test_a_limit_is_429_after_six_tries() -> None:
    """Two in a minute; the third gives up after six answers, and a minute later all is well."""
    sim, registry, _ = world(RegistryConfig(host="ghcr.io", limit=2, window_ns=60 * SECOND))
    for _ in range(2):
        run_process(sim, registry.resolve(APP, "n1"))
    began = sim.now
    with pytest.raises(RegistryError) as refused:
        run_process(sim, registry.resolve(APP, "n1"))

    assert (
        "unexpected status from HEAD request to https://ghcr.io/v2/acme/app/manifests/v1: "
        "429 Too Many Requests"
    ) == str(refused.value)
    assert (100 + 5 * 50) * MILLISECOND == sim.now - began

    sim.run_until(70 * SECOND)

    assert run_process(sim, registry.resolve(APP, "n1")) is not None


def test_blobs_do_not_count() -> None:
    """A limit is on manifests."""
    sim, registry, _ = world(RegistryConfig(host="ghcr.io", limit=1, window_ns=60 * SECOND))
    layer = image(APP, MB).layers[0]
    run_process(sim, registry.resolve(APP, "n1"))
    for _ in range(3):
        run_process(sim, registry.fetch(layer, "n1", reference=APP))

    assert sim.now < 60 * SECOND


@pytest.mark.parametrize(
    ("silent", "said", "took_ms"),
    [(False, "503 Service Unavailable", 150), (True, "i/o timeout", 30_000)],
)
def test_an_outage(silent: bool, said: str, took_ms: int) -> None:
    """503 twice, or no answer until the client's patience ends; then it is back."""
    sim, registry, _ = world()
    registry.fail("ghcr.io", silent=silent)
    with pytest.raises(RegistryError, match=said):
        run_process(sim, registry.resolve(APP, "n1"))

    assert took_ms * MILLISECOND == sim.now

    registry.restore("ghcr.io")

    assert run_process(sim, registry.resolve(APP, "n1")) is not None


def test_a_download_over_a_cut_link_waits_for_it_or_gives_up() -> None:
    """``image_pull_progress_timeout``; what was there stays there."""
    sim, registry, topology = world()
    layer = image(APP, 20 * MB).layers[0]
    sim.call_in(SECOND, topology.isolate, "node/n1")
    sim.call_in(61 * SECOND, topology.rejoin, "node/n1")
    run_process(sim, registry.fetch(layer, "n1", reference=APP, patience_ns=300 * SECOND))

    assert 62 * SECOND + 50 * MILLISECOND == sim.now

    topology.isolate("node/n1")
    with pytest.raises(RegistryError, match="context canceled"):
        run_process(sim, registry.fetch(layer, "n1", reference=APP, patience_ns=300 * SECOND))

    assert 362 * SECOND + 50 * MILLISECOND == sim.now


@pytest.mark.parametrize(
    ("reference", "host"),
    [
        ("nginx", "docker.io"), ("library/nginx:1", "docker.io"), ("acme/app", "docker.io"),
        ("ghcr.io/acme/app:v1", "ghcr.io"), ("localhost:5000/x", "localhost:5000"),
        ("localhost/x", "localhost"), ("registry.k8s.io/pause:3.9", "registry.k8s.io"),
    ],
)  # fmt: skip
def test_whom_a_reference_means(reference: str, host: str) -> None:
    """The part before the first slash, if it looks like a host."""
    assert host == host_of(reference)


def test_the_pod_is_told() -> None:
    """ErrImagePull with containerd's words, and the pull comes back with the back-off."""
    node = NodeUnderTest(Cluster(), image(APP))
    node.registry.fail("ghcr.io")
    main = {"name": "main", "image": APP}
    node.cluster.api.create(bound(containers=[main]))
    node.cluster.run(5)
    node.registry.restore("ghcr.io")
    node.cluster.run(20)
    (failed,) = [m for m in node.cluster.events("Failed") if m.startswith("Failed to pull")]

    assert (
        f'Failed to pull image "{APP}": rpc error: code = Unknown desc = failed to pull and unpack '
        f'image "{APP}": failed to resolve image: unexpected status from HEAD request to '
        "https://ghcr.io/v2/acme/app/manifests/v1: 503 Service Unavailable"
    ) == failed
    assert 1 == len(node.starts())


def test_a_layer_that_failed_is_asked_for_again() -> None:
    """And what had come is here."""
    node = NodeUnderTest(Cluster(), image(APP, MB, MB, MB, MB), kubelet=False)
    # Out while three layers are on their way: the fourth is refused.
    node.cluster.sim.call_in(250 * MILLISECOND, node.registry.fail, "ghcr.io")
    with pytest.raises(CriError, match="failed to copy: unexpected status from GET request"):
        node.cluster.do(node.containerd.images.pull(APP))

    assert 6 * MB == node.containerd.image_fs_info()

    node.registry.restore("ghcr.io")
    node.cluster.do(node.containerd.images.pull(APP))

    assert [MB] == [fact.downloaded_bytes for fact in node.cluster.facts(ImagePulled)]
    assert 8 * MB == node.containerd.image_fs_info()
