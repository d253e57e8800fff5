"""Which profiles the fast path can stand for, and how these score.

Mirrors: pkg/scheduler/framework/plugins/noderesources (the strategies), as columns can do them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from kubesim.controlplane.scheduler.config import ResourceSpec
from kubesim.controlplane.scheduler.equivalence import ScoringRules
from kubesim.controlplane.scheduler.framework.columnplugin import ColumnPlugin
from kubesim.controlplane.scheduler.framework.runtime import Framework
from kubesim.controlplane.scheduler.framework.scorers import least_allocated, most_allocated
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
from kubesim.controlplane.scheduler.plugins.tainttoleration import TaintToleration
from kubesim.controlplane.scheduler.plugins.volumebinding import VolumeBinding
from kubesim.controlplane.scheduler.plugins.volumerestrictions import VolumeRestrictions
from kubesim.controlplane.scheduler.plugins.volumezone import VolumeZone

T = TypeVar("T")

STATIC_FILTERS = (NodeUnschedulable, NodeName, TaintToleration, NodeAffinity)
SKIPPED_FILTERS = (VolumeRestrictions, NodeVolumeLimits, VolumeBinding, VolumeZone)
"""Filters with nothing to do for the pods that the fast path takes."""

FILTER_ORDER = (
    *STATIC_FILTERS,
    NodePorts,
    Fit,
    *SKIPPED_FILTERS,
    PodTopologySpread,
    InterPodAffinity,
    DynamicResources,
)
"""The first refusal is the one that is told, so the order has to be this one."""

COLUMN_RESOURCES = ("cpu", "memory")
KNOWN = (*FILTER_ORDER, BalancedAllocation, ImageLocality)


def rules_of(framework: Framework) -> ScoringRules | None:
    """How a profile scores; ``None`` when it has plugins that columns cannot stand for."""
    plugins = framework.plugins
    fit = find(plugins.score, Fit)
    balance = find(plugins.score, BalancedAllocation)
    if not _all_known(framework) or fit is None or balance is None:
        return None
    weights = {spec.name: spec.weight for spec in fit.resources}
    balanced = sorted(spec.name for spec in balance.resources)
    if fit.strategy.type == "RequestedToCapacityRatio" or not (
        tuple(sorted(weights)) == tuple(balanced) == COLUMN_RESOURCES
    ):
        return None
    in_order = [ResourceSpec(name=name, weight=weights[name]) for name in COLUMN_RESOURCES]
    most = fit.strategy.type == "MostAllocated"
    return ScoringRules(
        balance=balance.scorer,
        balance_alone=balance.alone,
        scores_best_effort=balance.scores_best_effort,
        ignored=fit.ignored,
        too_big_is_final=fit.too_big_is_final,
        fit=most_allocated(in_order) if most else least_allocated(in_order),
        most_allocated=most,
        fit_weight=plugins.weights[fit.name],
        balance_weight=plugins.weights[balance.name],
        cpu_weight=weights["cpu"],
        memory_weight=weights["memory"],
    )


def _all_known(framework: Framework) -> bool:
    """Whether a profile has only plugins that the fast path knows, and these in full."""
    plugins = framework.plugins
    points = (*plugins.pre_filter, *plugins.filter, *plugins.pre_score, *plugins.score)
    everything = [plugin for plugin in points if not isinstance(plugin, ColumnPlugin)]
    # A user's subclass may do something else, so the very classes are asked for.
    if not all(type(plugin) in KNOWN for plugin in everything):
        return False
    inter_pod = find(plugins.score, InterPodAffinity)
    if inter_pod is not None and inter_pod.args.ignore_preferred_terms_of_existing_pods:
        return False
    places = [
        FILTER_ORDER.index(type(plugin))
        for plugin in plugins.filter
        if not isinstance(plugin, ColumnPlugin)
    ]
    if places != sorted(places):
        return False
    return find(plugins.filter, Fit) is not None and _whole(plugins.filter, plugins.score)


def _whole(filters: Sequence[object], scores: Sequence[object]) -> bool:
    """Whether plugins that filter and score do both, or neither, in this profile."""
    return all(
        (find(filters, kind) is None) == (find(scores, kind) is None)
        for kind in (PodTopologySpread, InterPodAffinity)
    )


def find(plugins: Sequence[object], kind: type[T]) -> T | None:
    """The plugin of that class, if there is one."""
    return next((plugin for plugin in plugins if isinstance(plugin, kind)), None)
