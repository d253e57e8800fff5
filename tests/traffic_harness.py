"""A world without a cluster: production traffic, network and programs, and no control plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness import MILLISECOND, SECOND

from kubesim.node.machine import Machine
from kubesim.sim import Sim, SimProcess
from kubesim.sim.distribution import Constant, Distribution
from kubesim.telemetry import Observer
from kubesim.wire.http import HttpRequest
from kubesim.wire.image import LinuxProgram
from kubesim.world.network import PodNetwork
from kubesim.world.traffic import Meters, TrafficConfig, TrafficSource
from kubesim.world.traffic.exchange import Answer
from kubesim.world.workload import LinuxProcess
from kubesim.world.workload.linux import LinuxProcessHooks


@dataclass(frozen=True)
class Pod:
    ip: str
    port: int = 80

    @property
    def pod(self) -> str:
        return f"pod-{self.ip}"


class Servers:
    """Programs on cores of their own behind one Service."""

    def __init__(self, *, seed: int = 1, round_trip: Distribution = Constant(0)) -> None:  # noqa: B008
        self.sim = Sim(seed=seed)
        self.observer = Observer()
        self.sim.journal.subscribe(self.observer)
        self.network = PodNetwork(self.sim, round_trip=round_trip)
        self.meters = Meters(self.sim, waiting=self.network.waiting)
        self.pods: list[Pod] = []
        self.processes: dict[str, LinuxProcess] = {}
        self.sources: list[TrafficSource] = []
        self._rng = self.sim.rng("choice")

    def start(self, *, service: Distribution, node: str = "n1", **more: Any) -> Pod:
        """One more pod."""
        pod = Pod(f"10.0.0.{len(self.pods) + 1}")
        values: dict[str, Any] = {"init": Constant(0), "workers": 1, "memory_bytes": 0}
        program = LinuxProgram(service=service, **{**values, **more})
        machine = Machine(self.sim, cpu_millis=1_000_000, memory_bytes=0)
        process = LinuxProcess(
            self.sim,
            program=program,
            scope=pod.pod,
            hooks=LinuxProcessHooks(
                log=lambda data: None,
                listen=lambda: self.network.listen(pod.ip, 80, self.processes[pod.ip]),
                cgroup=machine.system,
                memory=machine.memory.process(machine.system, component="app"),
            ),
        )
        self.processes[pod.ip] = process
        self.network.attach(pod.ip, node)
        self.sim.process(process.run())
        self.pods.append(pod)
        return pod

    def send(self, name: str = "users", **config: Any) -> TrafficSource:
        """One more source."""
        values: dict[str, Any] = {"end_ns": 1000 * SECOND}
        source = TrafficSource(
            self.sim,
            config=TrafficConfig(
                name=name, namespace="default", service="web", port=80, **{**values, **config}
            ),
            transport=_Way(self),
            meters=self.meters,
        )
        self.sources.append(source)
        return source

    def run(self, seconds: float, *, end: bool = True) -> None:
        """Let time pass, and let it be the end."""
        self.sim.run_until(round(seconds * SECOND))
        if end:
            for source in self.sources:
                source.at_end()

    def stop(self, pod: Pod) -> None:
        """The pod's process is killed; its address stays."""
        self.processes[pod.ip].stop()
        self.network.close(pod.ip, pod.port)

    def choose(self, pods: Sequence[Pod]) -> Pod | None:
        return self._rng.choice(pods) if pods else None


@dataclass(frozen=True)
class _Way:
    servers: Servers

    def pick(self, service_key: str, port: int, client: str) -> Pod | None:
        return self.servers.choose(self.servers.pods)

    def send(self, ip: str, port: int, request: HttpRequest) -> SimProcess[tuple[Answer, int]]:
        return self.servers.network.request(ip, port, request)

    def socket(self, ip: str, port: int) -> object | None:
        return self.servers.network.socket(ip, port)


TEN_MS = Constant(10 * MILLISECOND)
