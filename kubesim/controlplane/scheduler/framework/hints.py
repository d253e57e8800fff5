"""The queueing hints of a profile: which events are worth a try, for which plugin's refusals.

Mirrors: pkg/scheduler/scheduler.go (buildQueueingHintMap).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kubesim.controlplane.scheduler.framework.events import (
    ActionType,
    ClusterEvent,
    EventResource,
    HintFunction,
)
from kubesim.controlplane.scheduler.framework.interface import (
    EnqueueExtensions,
    FilterPlugin,
    PermitPlugin,
    Plugin,
    PreEnqueuePlugin,
    PreFilterPlugin,
    ReservePlugin,
)

_REJECTING = (PreEnqueuePlugin, PreFilterPlugin, FilterPlugin, ReservePlugin, PermitPlugin)
_ANY_EVENT = ClusterEvent(EventResource.WILDCARD, ActionType.ALL)


@dataclass(frozen=True, slots=True)
class RegisteredHint:
    """One event that one plugin registered for; without a function every such event counts."""

    event: ClusterEvent
    plugin: str
    hint: HintFunction | None


def queueing_hints(plugins: Iterable[Plugin]) -> tuple[RegisteredHint, ...]:
    """All registrations of a profile's plugins.

    Who can refuse pods and registers for nothing is taken to care about everything. Who cares
    about new nodes also cares about taints going away, because a node usually comes with some.
    """
    hints: list[RegisteredHint] = []
    for plugin in plugins:
        if isinstance(plugin, EnqueueExtensions):
            hints.extend(_of_plugin(plugin))
        elif isinstance(plugin, _REJECTING):
            hints.append(RegisteredHint(_ANY_EVENT, plugin.name, None))
    return tuple(hints)


def _of_plugin(plugin: EnqueueExtensions) -> Iterable[RegisteredHint]:
    cares_for_new_nodes = cares_for_taints = False
    for registered in plugin.events_to_register():
        if registered.event.resource is EventResource.NODE:
            cares_for_new_nodes |= bool(registered.event.action & ActionType.ADD)
            cares_for_taints |= bool(registered.event.action & ActionType.UPDATE_NODE_TAINT)
        yield RegisteredHint(registered.event, plugin.name, registered.hint)
    if cares_for_new_nodes and not cares_for_taints:
        taint = ClusterEvent(EventResource.NODE, ActionType.UPDATE_NODE_TAINT)
        yield RegisteredHint(taint, plugin.name, None)
