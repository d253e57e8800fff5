"""The terminal of a run: commands at their instants, and the lines that came back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kubesim.api.corev1 import Pod
from kubesim.api.labels import label_selector_matches
from kubesim.api.metav1 import KubeObject, controller_of
from kubesim.cluster import Simulation
from kubesim.facts import EventRecorded
from kubesim.scenario.transcript.commands import Command, parse_command, parse_url
from kubesim.scenario.transcript.describing import describe, merged
from kubesim.scenario.transcript.tables import columns, custom_table, table
from kubesim.sim import Event
from kubesim.telemetry import Observer
from kubesim.wire.http import ConnectionRefused, HttpResponse

NOTHING = "No resources found"


class Transcript:
    """What was typed so far, and what was said.

    Args:
        simulation: The cluster.
        observer: What was seen so far: logs and events.

    Attributes:
        rows: Instant, command and output of each, in the order in which they were typed.
    """

    def __init__(self, simulation: Simulation, observer: Observer) -> None:
        self._simulation = simulation
        self._observer = observer
        self.rows: list[dict[str, Any]] = []

    def kubectl(self, text: str) -> None:
        """Look at the cluster now."""
        command = parse_command(text)
        is_events = command.resource is None or command.verb == "events"
        lines = self._events(command) if is_events else self._printed(command)
        self._say(f"kubectl {command.text}", "\n".join(lines))

    def curl(self, url: str) -> None:
        """Send a request; what is answered is said when it is there."""
        row = self._say(f"curl {url}", "")
        host, path, query = parse_url(url)

        def answered(done: Event) -> None:
            answer = done.value
            if isinstance(answer, HttpResponse):
                body = answer.body.decode(errors="replace").rstrip("\n")
                row["output"] = body if answer.status == 200 else f"HTTP {answer.status} {body}"
            else:
                assert isinstance(answer, ConnectionRefused), answer
                row["output"] = f"curl: (7) {answer.reason}"

        sim = self._simulation.sim
        sim.when(self._simulation.curl(host, path=path, query=query), answered)

    def _say(self, command: str, output: str) -> dict[str, Any]:
        row = {"at_ns": self._simulation.sim.now, "command": command, "output": output}
        self.rows.append(row)
        return row

    def _printed(self, command: Command) -> Iterator[str]:
        assert command.resource is not None
        found = sorted(self._selected(command), key=lambda obj: (obj.namespace, obj.name))
        if command.verb == "describe" and any(obj.name == command.name for obj in found):
            found = [obj for obj in found if obj.name == command.name]
        if command.name and not found:
            name = f"{command.resource.plural} {command.name!r}".replace("'", '"')
            return iter([f"Error from server (NotFound): {name} not found"])
        if command.verb == "logs":
            return self._logs(command, found)
        if not found:
            where = f" in {command.namespace} namespace" if command.resource.namespaced else ""
            return iter([f"{NOTHING}{where}."])
        if command.verb == "describe":
            return self._described(found)
        wall_ns = self._simulation.sim.wall_ns
        if command.custom:
            return iter(columns(custom_table(found, command.custom)))
        rows = table(command.resource.kind, found, now_ns=wall_ns, wide=command.wide)
        return iter(columns(rows))

    def _selected(self, command: Command) -> Iterator[KubeObject]:
        assert command.resource is not None
        for obj in self._simulation.store.values(command.resource.model):
            if command.resource.namespaced and command.namespace not in ("", obj.namespace):
                continue
            # ``describe`` takes the beginning of a name, too.
            begins = command.verb == "describe" and obj.name.startswith(command.name)
            if command.name and obj.name != command.name and not begins:
                continue
            fits = label_selector_matches(command.selector, obj.metadata.labels)
            if command.selector is None or fits:
                yield obj

    def _described(self, found: Iterable[KubeObject]) -> Iterator[str]:
        for number, obj in enumerate(found):
            if number:
                yield ""
            about = [
                (at_ns, event) for at_ns, event in self._observer.events if _is_about(event, obj)
            ]
            yield from describe(obj, about, self._simulation.sim.now)

    def _events(self, command: Command) -> Iterator[str]:
        found = [
            (at_ns, event)
            for at_ns, event in self._observer.events
            if command.namespace in ("", event.namespace or "default")
            and (not command.types or event.type in command.types)
            and (command.resource is None or event.kind == command.resource.kind)
            and command.name in ("", event.name)
        ]
        if not found:
            yield f"{NOTHING} in {command.namespace} namespace."
            return
        head = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE")
        rows = [
            (when, event.type, event.reason, f"{event.kind.lower()}/{event.name}", event.message)
            for when, event in merged(found, self._simulation.sim.now)
        ]
        yield from columns([head, *rows])

    def _logs(self, command: Command, found: list[KubeObject]) -> Iterator[str]:
        """The lines of pods; of a workload, those of its first pod, as kubectl has it."""
        if not found:
            yield f"{NOTHING} in {command.namespace} namespace."
        for pod in found:
            pods = [pod] if isinstance(pod, Pod) else list(self._pods_of(pod))[:1]
            for each in pods:
                totals = self._observer.pods.get(each.uid)
                lines = [
                    line
                    for _, container, _, line in (totals.log if totals is not None else ())
                    if command.container in ("", container)
                ]
                yield from lines if command.tail is None else lines[-command.tail :]

    def _pods_of(self, owner: KubeObject) -> Iterator[Pod]:
        """The pods that belong to a workload, through what it owns."""
        owned = {owner.uid}
        for resource in ("ReplicaSet", "Deployment", "ReplicaSet"):
            owned |= {o.uid for o in self._of_kind(resource) if _owner(o) in owned}
        yield from (p for p in self._of_kind("Pod") if _owner(p) in owned)

    def _of_kind(self, kind: str) -> Iterator[Any]:
        command = parse_command(f"get {kind}")
        assert command.resource is not None
        return iter(self._simulation.store.values(command.resource.model))


def _owner(obj: KubeObject) -> str:
    owner = controller_of(obj)
    return owner.uid if owner is not None else ""


def _is_about(event: EventRecorded, obj: KubeObject) -> bool:
    return (event.kind, event.name) == (obj.kind, obj.name) and (
        event.namespace in ("", obj.namespace) or not obj.namespace
    )
