"""A whole cluster that runs SpinApps of a real component, and somebody who asks its pods.

The component is ``visits``: ``/visits`` counts in the key-value store "default", ``/sql`` runs a
statement, ``/variable?NAME`` gives a variable, and every other path is a 404.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kubesim.api.corev1 import Pod
from kubesim.facts import LogWritten
from kubesim.scenario import LiveRun, Scenario
from kubesim.sim.time import SECOND
from kubesim.wire.http import ConnectionRefused, HttpRequest, Served

COMPONENTS = Path(__file__).parent / "fixtures" / "wasm" / "components"
NODE = "capacity: {cpu: '4', memory: 8Gi}"
POOLS = f"[{{name: pool, count: 1, {NODE}, runtimes: [runc, spin]}}]"
TWO_NODES = f"[{{name: pool, count: 2, {NODE}, runtimes: [runc, spin]}}]"
PLATFORM = """
{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: wasmtime-spin-v2}, handler: spin}
---
apiVersion: core.spinkube.dev/v1alpha1
kind: SpinAppExecutor
metadata: {name: containerd-shim-spin}
spec: {createDeployment: true, deploymentConfig: {runtimeClassName: wasmtime-spin-v2}}
---
"""
GRANTS = "{keyValueStores: [default], sqliteDatabases: [default]}"

Write = Callable[..., Path]


def spin_app(spec: str, name: str = "visits") -> str:
    """A SpinApp; ``spec`` is more of its spec, lines without indentation."""
    body = "\n".join(f"  {line}" for line in spec.splitlines())
    return f"""
apiVersion: core.spinkube.dev/v1alpha1
kind: SpinApp
metadata: {{name: {name}}}
spec:
  image: ghcr.io/example/visits:v1
{body}
"""


class SpinRun:
    """A run of manifests on nodes with the Spin shim.

    Args:
        write: The fixture ``write_scenario``.
        manifests: What is applied, beside the RuntimeClass and the executor.
        grants: What the component's spin.toml allows it.
        spec: More of the scenario's spec.
        pools: Its node pools.
        platform: The RuntimeClass and the executor.
    """

    def __init__(
        self,
        write: Write,
        manifests: str,
        *,
        grants: str = GRANTS,
        spec: str = "",
        pools: str = POOLS,
        platform: str = PLATFORM,
    ) -> None:
        module = COMPONENTS / "visits.wasm"
        images = f"""spinkube: {{}}
images:
- name: ghcr.io/example/visits:v1
  wasm: {{module: {module}, kind: http, spin: {grants}}}
- name: docker.io/library/redis:7
  layers: [{{size: 40M}}]
  program: {{role: redis, init: 100ms, service: 100us, memory: 20Mi}}
"""
        if "duration:" not in spec:
            spec += "\nduration: 600s"
        path = write(images + spec, platform + manifests, pools=pools)
        self.live = LiveRun(Scenario.load(path))
        self.scenario = self.live.scenario

    def until(self, second: float) -> SpinRun:
        """Let time pass up to a second of the run."""
        self.live.advance(int(second * SECOND))
        return self

    def pods(self, prefix: str = "visits-") -> list[Pod]:
        """The pods of an application, by name."""
        store = self.live.simulation.store
        return [pod for pod in store.values(Pod) if pod.name.startswith(prefix)]

    def ready(self, prefix: str = "visits-") -> list[str]:
        """The names of those that are ready."""
        rows = self.live.view.pods()
        return [row["name"] for row in rows if row["name"].startswith(prefix) and row["ready"]]

    def restarts(self, prefix: str = "visits-") -> int:
        """How often their containers were started again, together."""
        rows = self.live.view.pods()
        return sum(row["restarts"] for row in rows if row["name"].startswith(prefix))

    def ask(
        self, path: str, query: str = "", *, body: bytes = b"", pod: Pod | None = None
    ) -> Served | ConnectionRefused:
        """Ask a pod (the first one), and wait for its answer."""
        simulation = self.live.simulation
        ip = (pod or self.pods()[0]).status.pod_ip
        assert ip
        request = HttpRequest(method="POST" if body else "GET", path=path, query=query, body=body)
        asked = simulation.sim.process(simulation.network.request(ip, 80, request))
        while not asked.triggered:
            self.until(self.live.now_ns / SECOND + 0.1)
        answer: Served | ConnectionRefused = asked.value[0]
        return answer

    def body(
        self, path: str, query: str = "", *, body: bytes = b"", pod: Pod | None = None
    ) -> str:
        """What a pod answers."""
        answer = self.ask(path, query, body=body, pod=pod)
        assert isinstance(answer, Served), answer
        return answer.response.body.decode()

    def status(self, path: str, *, pod: Pod | None = None) -> int:
        """The status of a pod's answer."""
        answer = self.ask(path, pod=pod)
        assert isinstance(answer, Served), answer
        return answer.response.status

    def log(self, prefix: str = "visits-") -> list[str]:
        """The lines that the pods' containers wrote."""
        journal = self.live.simulation.sim.journal
        return [fact.line for _, fact in journal.of(LogWritten) if fact.name.startswith(prefix)]

    def events(self, reason: str) -> list[str]:
        """The messages of the events for a reason."""
        return [event["message"] for event in self.live.view.events() if event["reason"] == reason]

    def kill(self, pod: Pod) -> None:
        """Delete a pod, as ``kubectl delete`` does."""
        self.live.simulation.delete(Pod, pod.key)
