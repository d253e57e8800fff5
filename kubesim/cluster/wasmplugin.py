"""A Wasm guest as a scheduler plugin.

The guest says by its exports where it wants to be called. Built with the Go SDK it exports everything,
whatever it does; so a profile should name it at the points that it is for.

Mirrors: kube-scheduler-wasm-extension, scheduler/plugin/plugin.go.
Departs: there is one guest for scheduling and binding cycles, where upstream keeps a guest for each
pod that is being bound.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from typing_extensions import override

from kubesim.api.corev1 import Node, Pod
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.events import (
    ActionType,
    ClusterEvent,
    ClusterEventWithHint,
    EventResource,
)
from kubesim.controlplane.scheduler.framework.interface import (
    BindPlugin,
    EnqueueExtensions,
    FilterPlugin,
    Handle,
    NodeToStatus,
    PermitPlugin,
    Plugin,
    PostBindPlugin,
    PostFilterPlugin,
    PostFilterResult,
    PreBindPlugin,
    PreFilterExtensions,
    PreFilterPlugin,
    PreScorePlugin,
    ReservePlugin,
    ScoreExtensions,
    ScorePlugin,
    Snapshot,
)
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import Code, Status
from kubesim.controlplane.scheduler.registry import PluginFactory
from kubesim.errors import InputError
from kubesim.sim import SimProcess
from kubesim.sim.time import MILLISECOND
from kubesim.wasm.kubeproto import encoded, encoded_list
from kubesim.wasm.schedulerguest import Call, Guest, GuestError

CODES = (
    Code.SUCCESS,
    Code.ERROR,
    Code.UNSCHEDULABLE,
    Code.UNSCHEDULABLE_AND_UNRESOLVABLE,
    Code.WAIT,
    Code.SKIP,
)
RESOURCES: tuple[EventResource | None, ...] = (
    EventResource.POD,
    EventResource.NODE,
    EventResource.PERSISTENT_VOLUME,
    EventResource.PERSISTENT_VOLUME_CLAIM,
    None,  # PodSchedulingContext
    None,  # ResourceClaim
    EventResource.STORAGE_CLASS,
    EventResource.CSI_NODE,
    None,  # CSIDriver
    None,  # CSIStorageCapacity
    EventResource.WILDCARD,
)
"""What the numbers of the ABI stand for; ``None`` for what is not simulated."""
ALL_EVENTS = tuple(
    ClusterEventWithHint(ClusterEvent(resource, ActionType.ALL))
    for resource in (
        EventResource.POD,
        EventResource.NODE,
        EventResource.CSI_NODE,
        EventResource.PERSISTENT_VOLUME,
        EventResource.PERSISTENT_VOLUME_CLAIM,
        EventResource.STORAGE_CLASS,
    )
)

StartGuest = Callable[[str], Guest]
"""Makes a guest, given its configuration."""


def wasm_plugin(name: str, start: StartGuest) -> PluginFactory:
    """The factory of a guest.

    Args:
        name: What profiles call it.
        start: Makes the guest.
    """

    def make(args: Mapping[str, Any], handle: Handle) -> Plugin:
        guest = start(_config(args))
        kinds = tuple(kind for kind in _KINDS if kind.POINT in guest.points)
        made = type("WasmPlugin", (*kinds, _WasmPlugin), {"name": name})
        plugin: _WasmPlugin = made(guest, _Nodes(handle.snapshot))
        return plugin

    return make


def _config(args: Mapping[str, Any]) -> str:
    """What the guest reads as its configuration: ``guestConfig``, or all arguments as JSON."""
    if "guestConfig" in args:
        given = args["guestConfig"]
        return given if isinstance(given, str) else json.dumps(given)
    own = {key: value for key, value in args.items() if key != "guestURL"}
    return json.dumps(own) if own else ""


class _Nodes:
    """The scheduler's nodes as guests see them; each version of a node is encoded once."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._encoded: dict[str, tuple[Node, bytes]] = {}

    def node(self, name: str) -> bytes:
        info = self._snapshot.get(name)
        return self._bytes(info.node) if info is not None else b""

    def node_list(self) -> bytes:
        return encoded_list([self._bytes(info.node) for info in self._snapshot.node_infos])

    def image_states(self, name: str) -> Mapping[str, Mapping[str, int]]:
        info = self._snapshot.get(name)
        states = info.image_states if info is not None else {}
        return {
            image: {"Size": state.size_bytes, "NumNodes": len(state.nodes)}
            for image, state in states.items()
        }

    def _bytes(self, node: Node) -> bytes:
        known = self._encoded.get(node.name)
        if known is None or known[0] is not node:
            known = self._encoded[node.name] = (node, encoded(node))
        return known[1]


class _WasmPlugin(EnqueueExtensions, Plugin):
    """What all guests have: a name, events, and a way to be called."""

    POINT: ClassVar[str] = ""

    def __init__(self, guest: Guest, nodes: _Nodes) -> None:
        self._guest = guest
        self._nodes = nodes
        self._pod: tuple[Pod | None, bytes] = (None, b"")

    @override
    def events_to_register(self) -> tuple[ClusterEventWithHint, ...]:
        if "enqueue" not in self._guest.points:
            return ALL_EVENTS
        call = Call(cluster=self._nodes)
        self._raw("enqueue", call)
        events = [
            ClusterEventWithHint(ClusterEvent(known, ActionType(action)))
            for number, action in call.events
            if number < len(RESOURCES) and (known := RESOURCES[number]) is not None
        ]
        return tuple(events) or ALL_EVENTS

    def _about(self, info: PodInfo, **more: Any) -> Call:
        pod, content = self._pod
        if pod is not info.pod:
            content = encoded(info.pod)
            self._pod = (info.pod, content)
        return Call(cluster=self._nodes, pod=content, **more)

    def _raw(self, point: str, call: Call) -> int:
        try:
            return self._guest.call(point, call)
        except GuestError as error:
            raise InputError(f'plugin "{self.name}": wasm: {point} error: {error}') from None

    def _ask(self, point: str, call: Call) -> Status | None:
        """Call, and understand the code; a guest that breaks is an error of the attempt."""
        try:
            code = self._guest.call(point, call) & 0xFFFFFFFF
        except GuestError as error:
            return Status.error(f"wasm: {point} error: {error}", plugin=self.name)
        return self._status(code, call)

    def _status(self, code: int, call: Call) -> Status | None:
        if code == 0:
            return None
        reasons = (call.reason,) if call.reason else ()
        known = CODES[code] if code < len(CODES) else Code.ERROR
        return Status(known, reasons, "" if known is Code.SKIP else self.name)


class _PreFilter(_WasmPlugin, PreFilterPlugin):
    POINT = "prefilter"

    @override
    def pre_filter(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> tuple[frozenset[str] | None, Status | None]:
        call = self._about(info)
        status = self._ask("prefilter", call)
        return frozenset(call.node_names) if call.node_names else None, status


class _AddPod(_WasmPlugin, PreFilterExtensions):
    POINT = "addpod"

    @override
    def add_pod(self, state: CycleState, info: PodInfo, added: PodInfo, node: NodeInfo) -> None:
        self._ask("addpod", self._about(info, target=encoded(added.pod), node_name=node.name))

    @override
    def remove_pod(self, state: CycleState, info: PodInfo, gone: PodInfo, node: NodeInfo) -> None:
        if "removepod" in self._guest.points:
            target = encoded(gone.pod)
            self._ask("removepod", self._about(info, target=target, node_name=node.name))


class _Filter(_WasmPlugin, FilterPlugin):
    POINT = "filter"

    @override
    def filter(self, state: CycleState, info: PodInfo, node: NodeInfo) -> Status | None:
        return self._ask("filter", self._about(info, node_name=node.name))


class _PostFilter(_WasmPlugin, PostFilterPlugin):
    POINT = "postfilter"

    @override
    def post_filter(
        self, state: CycleState, info: PodInfo, statuses: NodeToStatus
    ) -> tuple[PostFilterResult | None, Status | None]:
        codes = {name: CODES.index(status.code) for name, status in statuses.statuses.items()}
        call = self._about(info, statuses=codes)
        status = self._ask("postfilter", call)
        return PostFilterResult(nominated_node_name=call.nominated), status


class _PreScore(_WasmPlugin, PreScorePlugin):
    POINT = "prescore"

    @override
    def pre_score(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> Status | None:
        names = [node.name for node in nodes]
        return self._ask("prescore", self._about(info, filtered=names))


class _Score(_WasmPlugin, ScorePlugin):
    POINT = "score"

    @override
    def score(self, state: CycleState, info: PodInfo, node: NodeInfo) -> int:
        call = self._about(info, node_name=node.name)
        raw = self._raw("score", call)
        status = self._status(raw & 0xFFFFFFFF, call)
        if status is not None:
            raise InputError(f'plugin "{self.name}": wasm: score: {status.message}')
        score = raw >> 32
        if "normalizescore" not in self._guest.points and not 0 <= score <= 100:
            raise InputError(
                f'plugin "{self.name}" returns an invalid score {score} for {node.name}, it should '
                "in the range of [0, 100] after normalizing"
            )
        return score


class _Normalize(_WasmPlugin, ScoreExtensions):
    POINT = "normalizescore"

    @override
    def normalize_score(
        self, state: CycleState, info: PodInfo, nodes: Sequence[NodeInfo], scores: list[int]
    ) -> list[int]:
        given = {node.name: score for node, score in zip(nodes, scores, strict=True)}
        call = self._about(info, scores=given)
        self._raw("normalizescore", call)
        # A guest that says nothing has no such function.
        found = call.normalized or given
        wrong = [name for name in given if not 0 <= found.get(name, -1) <= 100]
        if wrong:
            raise InputError(f'plugin "{self.name}" returns an invalid score for {wrong[0]}')
        return [found[node.name] for node in nodes]


class _Reserve(_WasmPlugin, ReservePlugin):
    POINT = "reserve"

    @override
    def reserve(self, state: CycleState, info: PodInfo, node_name: str) -> Status | None:
        return self._ask("reserve", self._about(info, node_name=node_name))

    @override
    def unreserve(self, state: CycleState, info: PodInfo, node_name: str) -> None:
        if "unreserve" in self._guest.points:
            self._ask("unreserve", self._about(info, node_name=node_name))


class _Permit(_WasmPlugin, PermitPlugin):
    POINT = "permit"

    @override
    def permit(
        self, state: CycleState, info: PodInfo, node_name: str
    ) -> tuple[Status | None, int]:
        call = self._about(info, node_name=node_name)
        raw = self._raw("permit", call)
        return self._status(raw >> 32 & 0xFFFFFFFF, call), (raw & 0xFFFFFFFF) * MILLISECOND


class _PreBind(_WasmPlugin, PreBindPlugin):
    POINT = "prebind"

    @override
    def pre_bind_pre_flight(
        self, state: CycleState, info: PodInfo, node_name: str
    ) -> Status | None:
        return None

    @override
    def pre_bind(
        self, state: CycleState, info: PodInfo, node_name: str
    ) -> SimProcess[Status | None]:
        yield from ()
        return self._ask("prebind", self._about(info, node_name=node_name))


class _Bind(_WasmPlugin, BindPlugin):
    POINT = "bind"

    @override
    def bind(self, state: CycleState, info: PodInfo, node_name: str) -> SimProcess[Status | None]:
        yield from ()
        return self._ask("bind", self._about(info, node_name=node_name))


class _PostBind(_WasmPlugin, PostBindPlugin):
    POINT = "postbind"

    @override
    def post_bind(self, state: CycleState, info: PodInfo, node_name: str) -> None:
        self._ask("postbind", self._about(info, node_name=node_name))


_KINDS: tuple[type[_WasmPlugin], ...] = (
    _PreFilter,
    _AddPod,
    _Filter,
    _PostFilter,
    _PreScore,
    _Score,
    _Normalize,
    _Reserve,
    _Permit,
    _PreBind,
    _Bind,
    _PostBind,
)
