"""From a profile's configuration to its plugins, in order.

Mirrors: pkg/scheduler/framework/plugins/registry.go, pkg/scheduler/framework/runtime/framework.go
(NewFramework, expandMultiPointPlugins).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from kubesim.controlplane.scheduler import config
from kubesim.controlplane.scheduler.config import KubeSchedulerProfile, PluginSet
from kubesim.controlplane.scheduler.contrib.coscheduling import Coscheduling
from kubesim.controlplane.scheduler.contrib.gpushare import GpuShare
from kubesim.controlplane.scheduler.framework.interface import (
    BindPlugin,
    FilterPlugin,
    Handle,
    PermitPlugin,
    Plugin,
    PostBindPlugin,
    PostFilterPlugin,
    PreBindPlugin,
    PreEnqueuePlugin,
    PreFilterPlugin,
    PreScorePlugin,
    QueueSortPlugin,
    ReservePlugin,
    ScorePlugin,
)
from kubesim.controlplane.scheduler.framework.runtime import PluginLists
from kubesim.controlplane.scheduler.plugins.defaultbinder import DefaultBinder
from kubesim.controlplane.scheduler.plugins.defaultpreemption import DefaultPreemption
from kubesim.controlplane.scheduler.plugins.dynamicresources import DynamicResources
from kubesim.controlplane.scheduler.plugins.imagelocality import ImageLocality
from kubesim.controlplane.scheduler.plugins.interpodaffinity import InterPodAffinity
from kubesim.controlplane.scheduler.plugins.nodeaffinity import NodeAffinity
from kubesim.controlplane.scheduler.plugins.nodename import NodeName
from kubesim.controlplane.scheduler.plugins.nodeports import NodePorts
from kubesim.controlplane.scheduler.plugins.noderesources_balancedallocation import (
    BalancedAllocation,
)
from kubesim.controlplane.scheduler.plugins.noderesources_fit import Fit
from kubesim.controlplane.scheduler.plugins.nodeunschedulable import NodeUnschedulable
from kubesim.controlplane.scheduler.plugins.nodevolumelimits import NodeVolumeLimits
from kubesim.controlplane.scheduler.plugins.podtopologyspread import PodTopologySpread
from kubesim.controlplane.scheduler.plugins.queuesort import PrioritySort
from kubesim.controlplane.scheduler.plugins.schedulinggates import SchedulingGates
from kubesim.controlplane.scheduler.plugins.tainttoleration import TaintToleration
from kubesim.controlplane.scheduler.plugins.volumebinding import VolumeBinding
from kubesim.controlplane.scheduler.plugins.volumerestrictions import VolumeRestrictions
from kubesim.controlplane.scheduler.plugins.volumezone import VolumeZone
from kubesim.errors import InputError

PluginFactory = Callable[[Mapping[str, Any], Handle], Plugin]
"""Makes a plugin from its arguments, as the file has them, and what it may see."""

A = TypeVar("A", bound=config.PluginArgs)
P = TypeVar("P")


def _with(kind: type[A], make: Callable[[A, Handle], Plugin]) -> PluginFactory:
    return lambda args, handle: make(kind.model_validate(dict(args)), handle)


DEFAULT_REGISTRY: Mapping[str, PluginFactory] = {
    "SchedulingGates": lambda _args, _handle: SchedulingGates(),
    "PrioritySort": lambda _args, _handle: PrioritySort(),
    "NodeUnschedulable": lambda _args, _handle: NodeUnschedulable(),
    "NodeName": lambda _args, _handle: NodeName(),
    "TaintToleration": lambda _args, handle: TaintToleration(handle.version),
    "NodeAffinity": _with(config.NodeAffinityArgs, lambda args, _handle: NodeAffinity(args)),
    "NodePorts": lambda _args, _handle: NodePorts(),
    "NodeResourcesFit": _with(
        config.NodeResourcesFitArgs, lambda args, handle: Fit(args, handle.version)
    ),
    "VolumeRestrictions": lambda _args, handle: VolumeRestrictions(handle),
    "NodeVolumeLimits": lambda _args, handle: NodeVolumeLimits(handle),
    "VolumeBinding": lambda _args, handle: VolumeBinding(handle),
    "VolumeZone": lambda _args, handle: VolumeZone(handle),
    "PodTopologySpread": _with(config.PodTopologySpreadArgs, PodTopologySpread),
    "InterPodAffinity": _with(config.InterPodAffinityArgs, InterPodAffinity),
    "DynamicResources": lambda _args, _handle: DynamicResources(),
    "DefaultPreemption": _with(config.DefaultPreemptionArgs, DefaultPreemption),
    "NodeResourcesBalancedAllocation": _with(
        config.NodeResourcesBalancedAllocationArgs,
        lambda args, handle: BalancedAllocation(args, handle.version),
    ),
    "ImageLocality": lambda _args, handle: ImageLocality(handle),
    "DefaultBinder": lambda _args, handle: DefaultBinder(handle.binder),
    "Coscheduling": Coscheduling,
    "GpuShare": GpuShare,
}
"""The plugins that profiles can name; a user's own are added to a copy."""


def build_plugins(
    profile: KubeSchedulerProfile, handle: Handle, registry: Mapping[str, PluginFactory]
) -> PluginLists:
    """Make a profile's plugins and put them in order.

    Raises:
        InputError: If the profile names a plugin that does not exist, or does not make sense.
    """
    merged = config.merged_multi_point(profile)
    plugins = profile.plugins
    made = _make_all(profile, merged, handle, registry)

    def at(point: PluginSet, kind: type[P]) -> tuple[P, ...]:
        return _at_point(made, point, merged, kind)

    queue_sort = at(plugins.queue_sort, QueueSortPlugin)  # type: ignore[type-abstract]
    if len(queue_sort) != 1:
        raise InputError(
            "only one queue sort plugin required for profile with scheduler name "
            f'"{profile.name}", but got {len(queue_sort)}'
        )
    bind = at(plugins.bind, BindPlugin)  # type: ignore[type-abstract]
    if not bind:
        raise InputError(
            f'at least one bind plugin is needed for profile with scheduler name "{profile.name}"'
        )
    return PluginLists(
        pre_enqueue=at(plugins.pre_enqueue, PreEnqueuePlugin),  # type: ignore[type-abstract]
        queue_sort=queue_sort[0],
        pre_filter=at(plugins.pre_filter, PreFilterPlugin),  # type: ignore[type-abstract]
        filter=at(plugins.filter, FilterPlugin),  # type: ignore[type-abstract]
        post_filter=at(plugins.post_filter, PostFilterPlugin),  # type: ignore[type-abstract]
        pre_score=at(plugins.pre_score, PreScorePlugin),  # type: ignore[type-abstract]
        score=at(plugins.score, ScorePlugin),  # type: ignore[type-abstract]
        reserve=at(plugins.reserve, ReservePlugin),  # type: ignore[type-abstract]
        permit=at(plugins.permit, PermitPlugin),  # type: ignore[type-abstract]
        pre_bind=at(plugins.pre_bind, PreBindPlugin),  # type: ignore[type-abstract]
        bind=bind,
        post_bind=at(plugins.post_bind, PostBindPlugin),  # type: ignore[type-abstract]
        all=tuple(made.values()),
        weights=_weights(made, (plugins.score, merged)),
    )


def _make_all(
    profile: KubeSchedulerProfile,
    merged: PluginSet,
    handle: Handle,
    registry: Mapping[str, PluginFactory],
) -> dict[str, Plugin]:
    sets = [merged, *(getattr(profile.plugins, name) for name in _POINTS)]
    made: dict[str, Plugin] = {}
    for name in dict.fromkeys(ref.name for one in sets for ref in one.enabled):
        factory = registry.get(name)
        if factory is None:
            if any(name == default for default, _weight in config.DEFAULT_PLUGINS):
                continue
            raise InputError(f'scheduler profile "{profile.name}": plugin "{name}" does not exist')
        made[name] = factory(profile.args_of(name), handle)
    return made


_POINTS = tuple(
    name
    for name in config.Plugins.model_fields
    if name not in ("multi_point", "placement_generate", "placement_score")
)


def _at_point(
    made: Mapping[str, Plugin], point: PluginSet, merged: PluginSet, kind: type[P]
) -> tuple[P, ...]:
    """The plugins of one extension point.

    First those that are named here although the general list has them too, then the rest of the
    general list, then those that are only named here.
    """
    disabled = {ref.name for ref in point.disabled}
    general = {ref.name: None for ref in merged.enabled if ref.name in made}
    special = {ref.name: None for ref in point.enabled if ref.name in made}
    names: list[str] = [name for name in special if name in general]
    if "*" not in disabled:
        names += [name for name in general if name not in special and name not in disabled]
    names += [name for name in special if name not in general]
    return tuple(_of_kind((made[name] for name in names), kind))


def _of_kind(plugins: Iterable[Plugin], kind: type[P]) -> Iterable[P]:
    return (plugin for plugin in plugins if isinstance(plugin, kind))


def _weights(made: Mapping[str, Plugin], sets: Iterable[PluginSet]) -> dict[str, int]:
    weights: dict[str, int] = {}
    for one in sets:
        for ref in one.enabled:
            if isinstance(made.get(ref.name), ScorePlugin):
                weights.setdefault(ref.name, ref.weight or 1)
    return weights
