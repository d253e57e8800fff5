"""The tree of cgroups as the kubelet lays it out."""

from __future__ import annotations

from kubesim.node.machine import Machine, Resources
from kubesim.sim import Sim, SimProcess

SECOND = 10**9


def machine(cpu: int = 1) -> tuple[Sim, Machine]:
    """A machine of so many cores."""
    sim = Sim(seed=1)
    return sim, Machine(sim, cpu_millis=cpu * 1000, memory_bytes=0)


def test_a_cgroup_has_a_path() -> None:
    """Made where it was not, found where it was."""
    _, node = machine()
    pod = node.pod_cgroup("/kubepods/burstable/pod1", Resources(cpu_shares=512))

    assert "/kubepods/burstable/pod1" == pod.path
    assert pod is node.pod_cgroup("/kubepods/burstable/pod1")
    assert ["main", "main-2"] == [pod.make("main", Resources()).name for _ in range(2)]


def test_burstable_weighs_what_its_pods_weigh() -> None:
    """Best effort always 2."""
    _, node = machine()
    pods = [
        node.pod_cgroup(f"/kubepods/burstable/p{i}", Resources(cpu_shares=300)) for i in (1, 2)
    ]
    both = node.kubepods.children["burstable"].resources.cpu_shares
    for pod in pods:
        node.remove_pod_cgroup(pod)

    assert (600, 2) == (both, node.kubepods.children["burstable"].resources.cpu_shares)
    assert 2 == node.kubepods.children["besteffort"].resources.cpu_shares


def test_best_effort_gets_what_is_left() -> None:
    """One core: a burstable pod of 500m against a best-effort one is 512 to 2."""
    sim, node = machine()
    burstable = node.pod_cgroup("/kubepods/burstable/p", Resources(cpu_shares=512)).child("main")
    idle = node.pod_cgroup("/kubepods/besteffort/p", Resources(cpu_shares=2)).child("main")
    for cgroup in (burstable, idle):
        sim.process(cgroup.compute(10**12))
    sim.run_until(514 * 1_000_000)

    assert [512_000_000, 2_000_000] == [c.cpu_usage_ns() for c in (burstable, idle)]


def test_use_stays_with_the_pod() -> None:
    """A container that is removed has used what it has used; a waiting thread is told at once."""
    sim, node = machine()
    pod = node.pod_cgroup("/kubepods/p", Resources())
    main = pod.child("main")
    ends: list[int] = []

    def work() -> SimProcess[None]:
        yield from main.compute(10 * SECOND)
        ends.append(sim.now)

    sim.process(work())
    sim.run_until(3 * SECOND)
    main.remove()
    sim.run_until(4 * SECOND)

    assert (3 * SECOND, [3 * SECOND]) == (pod.cpu_usage_ns(), ends)
    assert 3 * SECOND == node.root.cpu_usage_ns()


def test_looking_changes_nothing() -> None:
    """Use and cpu.stat are exact at any instant and may be read at any."""
    sim, node = machine(2)
    cgroup = node.pod_cgroup("/kubepods/p").child("main", Resources(cpu_quota_us=30_000))
    sim.process(cgroup.compute(200_000_000))
    seen = []
    for at in (10_000_000, 30_000_000, 50_000_000, 115_000_000):
        sim.run_until(at)
        stat = cgroup.cpu_stat()
        seen.append((stat.usage_ns, stat.nr_throttled, stat.throttled_ns))

    assert [(10_000_000, 0, 0), (30_000_000, 0, 0), (30_000_000, 0, 20_000_000),
            (45_000_000, 1, 70_000_000)] == seen  # fmt: skip


def test_a_background_load_shares_with_requests() -> None:
    """One core, 600m of background and a thread: each half; on two cores the thread has one."""
    ends = []
    for cores in (1, 2):
        sim, node = machine(cores)
        cgroup = node.kubepods.child("main")
        cgroup.set_background(600)
        process = sim.process(cgroup.compute(SECOND))
        while process.is_alive:
            sim.step()
        ends.append((sim.now, cgroup.cpu_usage_ns()))

    assert [(2 * SECOND, 2 * SECOND), (SECOND, 1_600_000_000)] == ends
