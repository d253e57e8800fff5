"""The puller: serial, parallel, throttled."""

from harness import MB, MILLISECOND, Cluster, NodeUnderTest, bound, image

from kubesim.facts import ImagePulled


def test_a_burst_of_parallel_pulls_is_throttled() -> None:
    """registryPullQPS 5 and registryBurst 10: of thirty at once ten pass, twenty fail at once."""
    images = [image(f"app:{number}") for number in range(30)]
    node = NodeUnderTest(Cluster(), *images, cpu=32, serialize=False)
    for number in range(30):
        main = {"name": "main", "image": f"app:{number}"}
        node.cluster.api.create(bound(f"web-{number}", containers=[main]))
    node.cluster.run(3)
    failed = [m for m in node.cluster.events("Failed") if "pull QPS exceeded" in m]

    assert 20 == len(failed)
    assert 'Failed to pull image "app:10": pull QPS exceeded' in failed
    assert 10 == node.cri_calls().count("PullImage")


def test_serial_pulls_in_a_burst_are_not() -> None:
    """One after another they are too slow to be too many."""
    images = [image(f"app:{number}") for number in range(30)]
    node = NodeUnderTest(Cluster(), *images)
    for number in range(30):
        main = {"name": "main", "image": f"app:{number}"}
        node.cluster.api.create(bound(f"web-{number}", containers=[main]))
    node.cluster.run(20)

    assert [] == node.cluster.events("Failed")
    assert 30 == node.cri_calls().count("PullImage")


def test_max_parallel_image_pulls_bounds_them() -> None:
    """Four images of a second each, two at a time."""
    images = [image(f"app:{number}", 4 * MB) for number in range(4)]
    node = NodeUnderTest(
        Cluster(), *images, serialize=False, max_parallel_image_pulls=2, bandwidth=10 * MB
    )
    for number in range(4):
        main = {"name": "main", "image": f"app:{number}"}
        node.cluster.api.create(bound(f"web-{number}", containers=[main]))
    node.cluster.run(10)
    pulled = [fact.began_ns for fact in node.cluster.facts(ImagePulled)]
    first, second, third, fourth = sorted(pulled)

    assert first == second
    assert third == fourth
    # Resolve, both downloads on one link, unpack.
    assert first + (200 + 800 + 200) * MILLISECOND == third
