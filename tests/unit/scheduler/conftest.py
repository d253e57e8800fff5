"""A run with an API server and a scheduler."""

from __future__ import annotations

import pytest

from kubesim.api.corev1 import Namespace, Pod
from kubesim.controlplane.apiserver.server import APIServer
from kubesim.controlplane.client import Client, ClientConfig
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.scheduler import Scheduler, SchedulerTimings
from kubesim.sim import Sim
from kubesim.sim.distribution import Constant
from kubesim.sim.time import MILLISECOND

START_NS = 1_767_225_600 * 10**9  # 2026-01-01T00:00:00Z


class Cluster:
    """A run with an API server and a scheduler."""

    def __init__(self, config: KubeSchedulerConfiguration | None = None) -> None:
        self.sim = Sim(seed=1, start_time_ns=START_NS)
        self.api = APIServer(self.sim)
        self.api.create(Namespace.model_validate({"metadata": {"name": "default"}}))
        client_config = ClientConfig(
            qps=0,
            burst=0,
            request_latency=Constant(2 * MILLISECOND),
            watch_latency=Constant(MILLISECOND),
        )
        client = Client(
            self.sim, apiserver=self.api, component="kube-scheduler", config=client_config
        )
        self.scheduler = Scheduler(
            self.sim,
            client=client,
            config=config or KubeSchedulerConfiguration(),
            timings=SchedulerTimings(cycle=Constant(3 * MILLISECOND)),
        )

    def run(self, duration_ns: int) -> None:
        """Let virtual time pass."""
        self.sim.run_until(self.sim.now + duration_ns)

    def pod(self, name: str) -> Pod:
        """A pod as the API server has it."""
        return self.api.get(Pod, f"default/{name}")

    def messages(self, reason: str) -> list[str]:
        """The messages of the events with that reason."""
        facts = [entry.fact for entry in self.sim.journal]
        return [fact.message for fact in facts if getattr(fact, "reason", None) == reason]


@pytest.fixture
def cluster() -> Cluster:
    """A cluster without nodes."""
    return Cluster()
