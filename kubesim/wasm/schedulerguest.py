"""Scheduler plugins in Wasm: the calls between a scheduler and a guest, without an engine.

A guest exports functions named after the extension points (``filter``, ``score``, ...) that take
nothing and give a code. What they are about they ask the host for, one import each: the pod and the
nodes come as protobuf, lists and maps as JSON; a buffer that is too small is left untouched, and its
right size is the answer. Reasons and names go to the host through imports, too.

``Call`` is what one call is about and what it said; ``IMPORTS`` are the host's functions.

Mirrors: kube-scheduler-wasm-extension, scheduler/plugin (host.go, guest.go) and guest/.
Departs: events that a guest records and lines that it logs are kept, not sent anywhere; waiting pods
    are not offered (``handle.*`` answers that there are none).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kubesim.wasm.errors import WasmError
from kubesim.wasm.exports import ExportedFunction
from kubesim.wasm.wasi.guest import Memory

API, KLOG, SCHEDULER = "k8s.io/api", "k8s.io/klog", "k8s.io/scheduler"
SEVERITY_INFO = 0
LOG_LINES_MAX = 1000

POINTS: Mapping[str, str] = {
    "enqueue": "",
    "prefilter": "i32",
    "filter": "i32",
    "postfilter": "i64",
    "prescore": "i32",
    "score": "i64",
    "normalizescore": "i32",
    "reserve": "i32",
    "unreserve": "",
    "permit": "i64",
    "prebind": "i32",
    "bind": "i32",
    "postbind": "",
    "addpod": "i32",
    "removepod": "i32",
}
"""What a guest may export, and what each function gives back."""
MAIN_POINTS = ("filter", "score", "reserve", "permit", "bind", "prefilter")

SUCCESS, ERROR, UNSCHEDULABLE, UNRESOLVABLE, WAIT, SKIP = range(6)
"""Status codes of the ABI."""


class Cluster(Protocol):
    """What a guest can ask about the cluster; objects come encoded."""

    def node(self, name: str) -> bytes:
        """One node; empty when there is none."""
        ...

    def node_list(self) -> bytes:
        """All nodes."""
        ...

    def image_states(self, name: str) -> Mapping[str, Mapping[str, int]]:
        """By image name, its ``Size`` and the number of nodes that have it."""
        ...


@dataclass(slots=True, kw_only=True)
class Call:
    """What one call is about, and what the guest said beside its code.

    Attributes:
        cluster: Where nodes are looked up.
        config: The plugin's arguments as JSON.
        pod: The pod that is being placed.
        target: The pod that is added or removed, in ``addpod`` and ``removepod``.
        node_name: The node that it is about.
        filtered: The nodes that passed, in ``prescore``.
        statuses: By node why it was refused, in ``postfilter``.
        scores: By node its score, in ``normalizescore``.
        reason: Why, for codes other than success.
        node_names: The only nodes worth looking at; ``None`` for all.
        nominated: The nominated node.
        normalized: The new scores.
        events: The registered cluster events: resource and action.
        log: What it logged.
        recorded: The Kubernetes Events that it wants recorded.
    """

    cluster: Cluster
    config: str = ""
    pod: bytes = b""
    target: bytes = b""
    node_name: str = ""
    filtered: Sequence[str] = ()
    statuses: Mapping[str, int] = field(default_factory=dict)
    scores: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""
    node_names: tuple[str, ...] | None = None
    nominated: str = ""
    normalized: Mapping[str, int] | None = None
    events: tuple[tuple[int, int], ...] = ()
    log: list[str] = field(default_factory=list)
    recorded: list[str] = field(default_factory=list)


class Session(Protocol):
    """A guest that is being called."""

    @property
    def memory(self) -> Memory:
        """Its memory."""
        ...

    @property
    def call(self) -> Call:
        """What the call is about."""
        ...


class GuestError(Exception):
    """A call did not return: the guest trapped, ended, or used up its fuel."""


class Guest(Protocol):
    """A plugin that can be called."""

    @property
    def points(self) -> frozenset[str]:
        """The extension points that it exports."""
        ...

    def call(self, point: str, call: Call) -> int:
        """Call an extension point; returns its raw result, 0 where there is none.

        Raises:
            GuestError: If the guest does not return.
        """
        ...


@dataclass(frozen=True, slots=True)
class HostFunction:
    """One function that a guest may import.

    Attributes:
        module: The module it is imported from.
        name: Its name there.
        parameters: How many 32-bit numbers it takes.
        returns: Whether it gives one back.
        work: What it does.
    """

    module: str
    name: str
    parameters: int
    returns: bool
    work: Callable[..., int | None]


def _answer(session: Session, content: bytes, buffer: int, limit: int) -> int:
    """Write a result if it fits; its size in any case."""
    if content and len(content) <= limit:
        session.memory.write(buffer, content)
    return len(content)


def _text(session: Session, address: int, length: int) -> str:
    return session.memory.read(address, length).decode("utf-8", "replace")


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _node(session: Session, name: int, length: int, buffer: int, limit: int) -> int:
    wanted = _text(session, name, length)
    return _answer(session, session.call.cluster.node(wanted), buffer, limit)


def _node_list(session: Session, buffer: int, limit: int) -> int:
    return _answer(session, session.call.cluster.node_list(), buffer, limit)


def _image_states(session: Session, name: int, length: int, buffer: int, limit: int) -> int:
    states = session.call.cluster.image_states(_text(session, name, length))
    return _answer(session, _json(states), buffer, limit)


def _current_node_name(session: Session, buffer: int, limit: int) -> int:
    return _answer(session, session.call.node_name.encode(), buffer, limit)


def _current_pod(session: Session, buffer: int, limit: int) -> int:
    return _answer(session, session.call.pod, buffer, limit)


def _target_pod(session: Session, buffer: int, limit: int) -> int:
    return _answer(session, session.call.target, buffer, limit)


def _config(session: Session, buffer: int, limit: int) -> int:
    return _answer(session, session.call.config.encode(), buffer, limit)


def _filtered(session: Session, buffer: int, limit: int) -> int:
    return _answer(session, _json(list(session.call.filtered)), buffer, limit)


def _statuses(session: Session, buffer: int, limit: int) -> int:
    return _answer(session, _json(dict(session.call.statuses)), buffer, limit)


def _scores(session: Session, buffer: int, limit: int) -> int:
    return _answer(session, _json(dict(session.call.scores)), buffer, limit)


def _set_reason(session: Session, address: int, length: int) -> None:
    session.call.reason = _text(session, address, length)


def _set_node_names(session: Session, address: int, length: int) -> None:
    names = _text(session, address, length).split("\0")
    session.call.node_names = tuple(name for name in names if name)


def _set_nominated(session: Session, address: int, length: int) -> None:
    session.call.nominated = _text(session, address, length)


def _set_normalized(session: Session, address: int, length: int) -> None:
    session.call.normalized = json.loads(session.memory.read(address, length))


def _set_events(session: Session, address: int, length: int) -> None:
    content = session.memory.read(address, length)
    pairs = (content[i : i + 8] for i in range(0, len(content) - 7, 8))
    session.call.events = tuple(
        (int.from_bytes(pair[:4], "little"), int.from_bytes(pair[4:], "little")) for pair in pairs
    )


def _log(session: Session, _severity: int, address: int, length: int) -> None:
    if len(session.call.log) < LOG_LINES_MAX:
        session.call.log.append(_text(session, address, length))


def _logs(session: Session, severity: int, address: int, length: int, *rest: int) -> None:
    _log(session, severity, address, length)
    pairs = [part for part in _text(session, *rest).split("\0") if part]
    if session.call.log and pairs:
        session.call.log[-1] += " " + " ".join(
            f"{key}={value}" for key, value in zip(pairs[::2], pairs[1::2], strict=False)
        )


def _severity(_session: Session) -> int:
    return SEVERITY_INFO


def _eventf(session: Session, address: int, length: int) -> None:
    session.call.recorded.append(_text(session, address, length))


def _no_waiting_pod(session: Session, _uid: int, _length: int, buffer: int, _limit: int) -> None:
    session.memory.write_u64(buffer, 0)


IMPORTS = (
    HostFunction(API, "node", 4, True, _node),
    HostFunction(API, "nodeList", 2, True, _node_list),
    HostFunction(KLOG, "log", 3, False, _log),
    HostFunction(KLOG, "logs", 5, False, _logs),
    HostFunction(KLOG, "severity", 0, True, _severity),
    HostFunction(SCHEDULER, "get_config", 2, True, _config),
    HostFunction(SCHEDULER, "currentPod", 2, True, _current_pod),
    HostFunction(SCHEDULER, "targetPod", 2, True, _target_pod),
    HostFunction(SCHEDULER, "currentNodeName", 2, True, _current_node_name),
    HostFunction(SCHEDULER, "filteredNodeList", 2, True, _filtered),
    HostFunction(SCHEDULER, "nodeImageStates", 4, True, _image_states),
    HostFunction(SCHEDULER, "nodeToStatusMap", 2, True, _statuses),
    HostFunction(SCHEDULER, "nodeScoreList", 2, True, _scores),
    HostFunction(SCHEDULER, "result.cluster_events", 2, False, _set_events),
    HostFunction(SCHEDULER, "result.node_names", 2, False, _set_node_names),
    HostFunction(SCHEDULER, "result.nominated_node_name", 2, False, _set_nominated),
    HostFunction(SCHEDULER, "result.status_reason", 2, False, _set_reason),
    HostFunction(SCHEDULER, "result.normalized_score_list", 2, False, _set_normalized),
    HostFunction(SCHEDULER, "handle.eventrecorder.eventf", 2, False, _eventf),
    HostFunction(SCHEDULER, "handle.reject_waiting_pod", 4, False, _no_waiting_pod),
    HostFunction(SCHEDULER, "handle.get_waiting_pod", 4, False, _no_waiting_pod),
)
"""Everything that a guest may import beside WASI."""


def require_points(functions: Mapping[str, ExportedFunction]) -> frozenset[str]:
    """The extension points that a guest exports.

    Raises:
        WasmError: If a function has another signature than the ABI says, or there is none at all.
    """
    found = frozenset(POINTS.keys() & functions.keys())
    for point in sorted(found):
        function = functions[point]
        results = (POINTS[point],) if POINTS[point] else ()
        if function.parameters or function.results != results:
            wanted = f"() -> ({', '.join(results)})"
            raise WasmError(
                f"guest exports the wrong signature for func[{point}]. should be {wanted}"
            )
    if not found.intersection(MAIN_POINTS):
        raise WasmError("filter, score, reserve, permit or bind must be exported")
    for extra, main in (("prescore", "score"), ("normalizescore", "score")):
        if extra in found and main not in found:
            raise WasmError(f"{extra} is exported without {main}")
    return found
