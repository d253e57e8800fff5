"""Container starts as recorded and as simulated: the preset ``measured-2026-11`` on an idle node.

One node of a whole cluster, with nothing else on it, is driven through CRI the way the recorded one
was: one call after another, a pod at a time, an image pulled and removed again. The recorded figures
are those of ``models/measured``; the simulated ones come from the simulator's own call log.

Of ``PHASES`` the preset is made. ``HELD_OUT`` are pulls of images of five layers, which nothing is
fitted to: their times follow from how layers are downloaded, at most three at a time, and unpacked, one
after the other. ``unpack/*`` was recorded with ``ctr``, which unpacks after the download; it is compared
with the time that a pull's layers spend being unpacked, which overlaps the download of those above.
``runc/*`` and ``crun/*`` were recorded without containerd; they are compared with the runtime's part of
StartContainer and StopContainer. Sandboxes in the host's network are asked for through CRI; no pod of a
scenario has one, for ``hostNetwork`` is not simulated. Nothing that was recorded is left out.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from kubesim.bench.calibrating.samples import load_samples, recorded_path
from kubesim.bench.result import Result
from kubesim.cluster.node import NodeAssembly
from kubesim.cluster.simulation import Simulation
from kubesim.facts import CriCalled, LayerUnpacked, RuntimeCalled
from kubesim.node.cri.messages import (
    ContainerConfig,
    LinuxPodSandboxConfig,
    PodSandboxConfig,
    PodSandboxMetadata,
)
from kubesim.scenario import Scenario
from kubesim.sim import Fact, Sim, SimProcess
from kubesim.sim.time import MILLISECOND, SECOND

PRESET = "measured-2026-11"
PODS = 4_000
PULLS = 1_000
PHASES = (
    "cri/RunPodSandbox",
    "cri/RunPodSandbox/host",
    "cri/CreateContainer",
    "cri/StartContainer",
    "cri/StopContainer",
    "cri/StopContainer/kill",
    "cri/RemoveContainer",
    "cri/StopPodSandbox",
    "cri/StopPodSandbox/host",
    "cri/RemovePodSandbox",
    "cri/RemovePodSandbox/host",
    "pull/present",
    "pull/1050315/1",
    "pull/10490224/1",
    "pull/104890786/1",
    "unpack/1050315/1",
    "unpack/10490224/1",
    "unpack/104890786/1",
    "unpack/1053492/5",
    "unpack/10495820/5",
    "unpack/104896027/5",
    "runc/create",
    "runc/start",
    "runc/delete",
    "crun/create",
    "crun/start",
    "crun/delete",
)
HELD_OUT = ("pull/1053492/5", "pull/10495820/5", "pull/104896027/5")
IMAGES = tuple(
    phase
    for phase in (*PHASES, *HELD_OUT)
    if phase.startswith("pull/") and phase != "pull/present"
)

_TERM, _KILL, _HOST, _CRUN = "term", "kill", "host", "crun"
_PAUSE_NS = 30 * MILLISECOND
_SCENARIO = """
apiVersion: kubesim.dev/v1alpha1
kind: Scenario
metadata: {name: bench-node}
spec:
  seed: 1
  duration: 100h
  nodePools:
    - {name: only, count: 1, capacity: {cpu: "2", memory: 24Gi}}
  images:
"""


def measure() -> list[Result]:
    """Median and 99th percentile of every phase, recorded and simulated."""
    recorded = load_samples(recorded_path(PRESET.removeprefix("measured-")))
    simulated = simulate(PRESET, pods=PODS, pulls=PULLS)
    return [
        _result(phase, f"{source}-p{percent}", float(np.percentile(samples[phase], percent)))
        for phase in (*PHASES, *HELD_OUT)
        for source, samples in (("recorded", recorded.ms), ("simulated", simulated))
        for percent in (50, 99)
    ]


def _result(phase: str, column: str, ms: float) -> Result:
    name = f"{phase}_{column}_ms"
    return Result(name=name, value=ms, unit="ms", higher_is_better=False, row=phase)


def simulate(preset: str, *, pods: int, pulls: int) -> dict[str, list[float]]:
    """Milliseconds of every call, by the names under which they are recorded.

    Args:
        preset: Its numbers.
        pods: How many pods are started and ended.
        pulls: How often each image is pulled.
    """
    text = _SCENARIO + "".join(_image(image) for image in IMAGES)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scenario.yaml"
        file.write_text(text, encoding="utf-8")
        scenario = Scenario.load(file, preset=preset)
    simulation = Simulation(scenario.cluster_config(seed=1, horizon_ns=scenario.spec.duration))
    sim = simulation.sim
    (node,) = simulation.nodes.values()
    watch = _Stopwatch()
    sim.journal.subscribe(watch.note)
    done = sim.process(_drive(sim, node, pods=pods, pulls=pulls))
    while not done.processed:
        sim.run_until(sim.now + 60 * SECOND)
    return dict(watch.found)


class _Stopwatch:
    """What took how long; ``found`` has the milliseconds by phase."""

    def __init__(self) -> None:
        self.found: dict[str, list[float]] = defaultdict(list)
        self._unpacking_ns = 0

    def note(self, at_ns: int, fact: Fact) -> None:
        """Look at a fact."""
        match fact:
            case RuntimeCalled():
                self._add(f"{fact.runtime}/{fact.command}", at_ns - fact.began_ns)
            case LayerUnpacked():
                self._unpacking_ns += at_ns - fact.began_ns
            case CriCalled() if fact.pod_uid:
                assert not fact.error, fact
                self._called(fact, at_ns - fact.began_ns)

    def _called(self, call: CriCalled, took_ns: int) -> None:
        phase = _phase(call)
        if phase in IMAGES:
            self._add(phase.replace("pull/", "unpack/"), self._unpacking_ns)
        if call.method == "PullImage":
            self._unpacking_ns = 0
        self._add(phase, took_ns)

    def _add(self, phase: str, took_ns: int) -> None:
        self.found[phase].append(took_ns / MILLISECOND)


def _drive(sim: Sim, node: NodeAssembly, *, pods: int, pulls: int) -> SimProcess[None]:
    containerd = node.containerd
    yield from node.add_shim(_CRUN, _CRUN)
    for image in IMAGES:
        for _ in range(pulls):
            digest = yield from containerd.pull_image(_reference(image), _sandbox(image))
            yield from containerd.remove_image(digest)
    reference = _reference(IMAGES[0])
    yield from containerd.pull_image(reference, _sandbox("first"))
    for _ in range(pulls):
        yield from containerd.pull_image(reference, _sandbox("pull/present"))
    container = ContainerConfig(name="c", attempt=0, image=reference)
    long_ns = 10 * SECOND
    ways = ((_TERM, "", long_ns), (_KILL, "", 0), (_HOST, "", long_ns), (_CRUN, _CRUN, long_ns))
    for how, handler, timeout_ns in ways:
        config = _sandbox(how)
        for _ in range(pods):
            sandbox_id = yield from containerd.run_pod_sandbox(config, handler)
            container_id = yield from containerd.create_container(sandbox_id, container, config)
            yield from containerd.start_container(container_id)
            yield sim.timeout(_PAUSE_NS)
            yield from containerd.stop_container(container_id, timeout_ns)
            yield from containerd.remove_container(container_id)
            yield from containerd.stop_pod_sandbox(sandbox_id)
            yield from containerd.remove_pod_sandbox(sandbox_id)


def _image(phase: str) -> str:
    """An image in the scenario: of so many bytes in so many layers."""
    _, size, layers = phase.split("/")
    part, more = divmod(int(size), int(layers))
    sizes = (part + (number < more) for number in range(int(layers)))
    listed = ", ".join(f"{{size: {size}}}" for size in sizes)
    return f"    - {{name: {_reference(phase)}, layers: [{listed}]}}\n"


def _reference(phase: str) -> str:
    return "image-" + phase.removeprefix("pull/").replace("/", "-")


def _sandbox(uid: str) -> PodSandboxConfig:
    """A pod whose UID says what is measured with it."""
    metadata = PodSandboxMetadata(name=uid, namespace="bench", uid=uid)
    linux = LinuxPodSandboxConfig(host_network=uid == _HOST)
    return PodSandboxConfig(metadata=metadata, linux=linux)


def _phase(call: CriCalled) -> str:
    if call.method == "PullImage":
        return call.pod_uid
    if call.pod_uid == _CRUN or (call.pod_uid == _HOST and call.method.endswith("PodSandbox")):
        return f"cri/{call.method}/{call.pod_uid}"
    killed = call.method == "StopContainer" and call.pod_uid == _KILL
    return f"cri/{call.method}/kill" if killed else f"cri/{call.method}"
