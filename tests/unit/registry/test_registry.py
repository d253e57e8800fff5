"""What can be pulled, and how long a registry takes to answer."""

from harness import MB, MILLISECOND, SECOND, image, run_process

from kubesim.sim import Sim
from kubesim.sim.distribution import Constant
from kubesim.world.network import Link
from kubesim.world.registry import Registry


def registry(sim: Sim) -> Registry:
    return Registry(
        sim,
        images={"app:1": image()},
        resolve=Constant(200 * MILLISECOND),
        request=Constant(30 * MILLISECOND),
    )


def test_a_reference_is_resolved_in_its_time() -> None:
    """Known or not, the answer takes as long."""
    sim = Sim(seed=1)
    known = run_process(sim, registry(sim).resolve("app:1"))
    unknown = run_process(sim, registry(sim).resolve("app:2"))

    assert (image(), None, 400 * MILLISECOND) == (known, unknown, sim.now)


def test_a_blob_begins_after_its_request() -> None:
    """The first byte comes after 30 ms, the last one when the link has carried them all."""
    sim = Sim(seed=1)
    (layer,) = image("app:1", 10 * MB).layers
    run_process(sim, registry(sim).fetch(layer, Link(sim, bandwidth=10 * MB)))

    assert SECOND + 30 * MILLISECOND == sim.now
