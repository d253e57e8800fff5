"""The fast path: the same decisions from columns and equivalence classes.

It takes the attempts whose plugins have their numbers in columns, which are almost all,
and leaves the others to the reference path: pods with volumes or device claims, terms that select
namespaces by their labels, profiles with plugins that it does not know. Where spreading or affinity
is at stake it also leaves attempts during which somebody who counts waits for a node.

Invariant: for an attempt that it takes, every result equals the reference path's. A property test
holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kubesim.controlplane.scheduler.cache import Cache
from kubesim.controlplane.scheduler.columns import Columns, Ints
from kubesim.controlplane.scheduler.counters import Affinity, Topology
from kubesim.controlplane.scheduler.domains import Constraints, Domains, affinity_of, domains_of
from kubesim.controlplane.scheduler.equivalence import (
    EquivalenceClass,
    StaticVerdict,
    preorder_ranks,
)
from kubesim.controlplane.scheduler.framework.columnplugin import ColumnPlugin
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.interface import FilterPlugin, Plugin, ScorePlugin
from kubesim.controlplane.scheduler.framework.nodeinfo import NodeInfo
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo, PodSignature
from kubesim.controlplane.scheduler.framework.runtime import Framework
from kubesim.controlplane.scheduler.framework.status import Status
from kubesim.controlplane.scheduler.lacks import Mask
from kubesim.controlplane.scheduler.luck import Luck
from kubesim.controlplane.scheduler.nominator import PodNominator
from kubesim.controlplane.scheduler.plugins.imagelocality import ImageLocality, image_names
from kubesim.controlplane.scheduler.plugins.interpodaffinity import InterPodAffinity
from kubesim.controlplane.scheduler.plugins.nodeaffinity import (
    NodeAffinity,
    named_nodes,
    preferred_terms,
    required_terms,
)
from kubesim.controlplane.scheduler.plugins.nodeports import NodePorts
from kubesim.controlplane.scheduler.plugins.noderesources_fit import Fit
from kubesim.controlplane.scheduler.plugins.podtopologyspread import PodTopologySpread
from kubesim.controlplane.scheduler.plugins.tainttoleration import TaintToleration
from kubesim.controlplane.scheduler.rules import STATIC_FILTERS, find, rules_of
from kubesim.controlplane.scheduler.victims import RefusedNodes

ClassKey = tuple[Constraints, int]
StaticKey = tuple[object, ...]
NEVER = Status.error("this refusal is nobody's")
MAX_SCALARS = 8
MAX_CLASSES = 256  # a class costs a few numbers for each node


class Choice:
    """What the fast path found out: enough to go on, the rest on demand.

    Attributes:
        selected: The node; empty when none fits.
        num_feasible: How many nodes were found to fit.
        processed: How many nodes were looked at.
        rows: The feasible nodes in the order in which they were found.
        totals: Their scores; ``None`` when there was nothing to choose.
        refusals: When no node fits: why.
        searched: Whether nodes were searched, and not just the one for which the pod waited.
    """

    __slots__ = (
        "num_feasible",
        "processed",
        "refusals",
        "rows",
        "searched",
        "selected",
        "totals",
    )

    def __init__(
        self,
        selected: str,
        rows: Ints,
        processed: int,
        totals: Ints | None,
        refusals: RefusedNodes | None = None,
        *,
        searched: bool = True,
    ) -> None:
        self.selected = selected
        self.rows = rows
        self.num_feasible = len(rows)
        self.processed = processed
        self.totals = totals
        self.refusals = refusals
        self.searched = searched


class FastPath:
    """One profile's plugins, in columns.

    Args:
        framework: The profile.
        cache: The nodes.
        columns: The same in columns, shared by all profiles.
        nominator: Who waits for which node.
        luck: What is left to chance.
    """

    def __init__(
        self,
        framework: Framework,
        *,
        cache: Cache,
        columns: Columns,
        nominator: PodNominator,
        luck: Luck,
    ) -> None:
        self._luck = luck
        self._framework = framework
        self._cache = cache
        self._nominator = nominator
        self._columns = columns
        self._classes: dict[int, tuple[ClassKey, EquivalenceClass]] = {}
        self._statics: dict[StaticKey, StaticVerdict] = {}
        self._topologies: dict[str, Topology] = {}
        self._topologies_of = -1
        self._simple: dict[int, bool] = {}
        self._ranks: dict[int, Ints] = {}
        self._rules = rules_of(framework)
        self._others = tuple(p for p in framework.plugins.filter if isinstance(p, ColumnPlugin))
        self._affinity = find(framework.plugins.filter, NodeAffinity)
        self._spread = find(framework.plugins.pre_score, PodTopologySpread)
        self._inter_pod = find(framework.plugins.pre_score, InterPodAffinity)

    def choose(self, info: PodInfo, *, start: int, wanted: int) -> Choice | None:
        """Where the pod should run; ``None`` to leave it to the reference path.

        Args:
            info: The pod.
            start: Where in the list of nodes the search begins.
            wanted: How many feasible nodes end the search.
        """
        if not self._takes(info):
            return None
        self._columns.sync()
        known = self._class_of(info)
        ok = self._fitting(known, info)
        if ok is None:
            return None
        for plugin in self._others:
            mask = plugin.fitting(info)
            ok = ok if mask is None else ok & mask
        if self._others and not ok.any():
            return None  # who refused what is found out node by node
        return self._choose(known, info, ok, start, wanted)

    def _fitting(self, known: EquivalenceClass, info: PodInfo) -> Mask | None:
        """Which nodes pass all filters; ``None`` when columns cannot tell."""
        domains = known.domains
        if domains is None:
            return known.ok
        if self._nominator and self._nominations_count(domains, info):
            return None
        allowed = domains.mask()
        return known.ok if allowed is None else known.ok & allowed

    def _choose(
        self, known: EquivalenceClass, info: PodInfo, ok: Mask, start: int, wanted: int
    ) -> Choice:
        columns = self._columns
        waits_for = info.pod.status.nominated_node_name
        own = columns.row(waits_for) if waits_for else None
        if own is not None and ok[own]:
            return Choice(waits_for or "", np.array([own]), 1, None, searched=False)
        order = self._luck.order(columns.count)
        if order is None:
            rows, processed = _search(np.flatnonzero(ok), columns.count, start, wanted)
        else:
            rows, processed = _search_racing(ok, order, start, wanted)
        if own is not None and processed < columns.count:
            place = (own - start) % columns.count
            if order is not None:
                place = int(np.flatnonzero(order == place)[0])
            processed += place >= processed  # looked at, though the search did not come to it
        if not len(rows):
            return Choice("", rows, processed, None, known.refusals())
        nodes = self._cache.node_infos
        if len(rows) == 1:
            return Choice(nodes[rows[0]].name, rows, processed, None)
        totals = self._totals(known, rows)
        for plugin in self._others:
            totals = totals + self._weight(type(plugin)) * plugin.column_scores(info, rows)
        return Choice(nodes[rows[self._winner(totals)]].name, rows, processed, totals)

    def _totals(self, known: EquivalenceClass, rows: Ints) -> Ints:
        """The scores of the feasible nodes; some plugins scale theirs to just these nodes."""
        totals = known.totals[rows]
        static, domains = known.static, known.domains
        if static.soft_taints is not None:
            totals = totals + self._weight(TaintToleration) * _reversed(static.soft_taints[rows])
        if static.preferences is not None:
            totals = totals + self._weight(NodeAffinity) * _scaled(static.preferences[rows])
        if domains is None:
            return totals
        if domains.soft is not None:
            totals = totals + self._weight(PodTopologySpread) * domains.soft.scores(rows)
        affinity = domains.affinity.scores(rows)
        if affinity is not None:
            totals = totals + self._weight(InterPodAffinity) * affinity
        return totals

    def _takes(self, info: PodInfo) -> bool:
        if self._rules is None or info.pod.spec.node_name:
            return False
        if self._cache.pod_infos.names_namespaces:
            return False
        simple = self._simple.get(info.signature.index)
        if simple is None:
            simple = self._simple[info.signature.index] = self._is_simple(info.signature)
        return simple

    def _is_simple(self, signature: PodSignature) -> bool:
        spec = signature.spec
        if spec.volumes or spec.resource_claims:
            return False
        if not self._knows_resources(signature):
            return False
        terms = required_terms(spec)
        return not terms or named_nodes(terms) is None

    def _knows_resources(self, signature: PodSignature) -> bool:
        if signature.host_ports and find(self._framework.plugins.filter, NodePorts) is None:
            return False
        scalars = signature.requests.scalars
        if len(scalars) > MAX_SCALARS:
            return False
        fit = find(self._framework.plugins.filter, Fit)
        # A group of resources that others take care of is a rare thing.
        return not scalars or (fit is not None and not fit.ignored_groups)

    def _nominations_count(self, domains: Domains, info: PodInfo) -> bool:
        """Whether somebody who waits for a node matters to pods on other nodes of its domain."""
        own = self._nominator.node_of(info.uid)
        return any(
            domains.counts(signature)
            for signature in self._nominator.signatures
            if signature.priority >= info.priority
            and (own is None or signature is not info.signature)
        )

    def _class_of(self, info: PodInfo) -> EquivalenceClass:
        signature = info.signature
        # Services and owners come and go, and with them the default constraints; new signatures
        # may bring new terms. So these are part of what makes a class.
        constraints = self._constraints(signature)
        key = (constraints, len(self._cache.pod_infos.with_affinity))
        known_key, known = self._classes.pop(signature.index, (None, None))
        if known is None or known_key != key or known.structure != self._columns.structure:
            assert self._rules is not None
            known = EquivalenceClass(
                signature,
                columns=self._columns,
                rules=self._rules,
                static=self._static_of(signature),
                nominator=self._nominator,
                domains=self._domains(signature, constraints),
            )
            if len(self._classes) >= MAX_CLASSES:
                del self._classes[next(iter(self._classes))]  # the one that was used longest ago
        known.mend(info)
        self._classes[signature.index] = (key, known)
        return known

    def _static_of(self, signature: PodSignature) -> StaticVerdict:
        """What depends on the nodes alone; many signatures share it."""
        spec = signature.spec
        key = (
            self._columns.structure,
            spec.tolerations,
            spec.node_selector,
            spec.affinity.node_affinity if spec.affinity is not None else None,
            tuple(image_names(spec)),
            len(spec.init_containers) + len(spec.containers),
        )
        static = self._statics.get(key)
        if static is None:
            if len(self._statics) >= MAX_CLASSES:
                self._statics.clear()
            static = self._statics[key] = self._static(signature)
        return static

    def _constraints(self, signature: PodSignature) -> Constraints:
        spread = self._spread
        if spread is None:
            return Constraints()
        own = bool(signature.spec.topology_spread_constraints)
        return Constraints(
            hard=spread.constraints(signature, "DoNotSchedule"),
            soft=spread.constraints(signature, "ScheduleAnyway"),
            need_all=own or not spread.system_defaulted,
        )

    def _domains(self, signature: PodSignature, constraints: Constraints) -> Domains | None:
        others = self._cache.pod_infos.with_affinity if self._inter_pod is not None else []
        if not constraints.hard and not constraints.soft and not others:
            return None
        affinity = Affinity(near=[], near_itself=False, apart=[], apart_from=[], preferred=[])
        if self._inter_pod is not None:
            affinity = affinity_of(
                signature,
                topologies=self._topology,
                others=others,
                hard_weight=self._inter_pod.args.hard_pod_affinity_weight,
            )
        return domains_of(
            signature,
            nodes=self._cache.node_infos,
            topologies=self._topology,
            constraints=constraints,
            affinity=affinity,
        )

    def _topology(self, key: str) -> Topology:
        if self._topologies_of != self._columns.structure:
            self._topologies = {}
            self._topologies_of = self._columns.structure
        topology = self._topologies.get(key)
        if topology is None:
            topology = self._topologies[key] = Topology.of(key, self._cache.node_infos)
        return topology

    def _static(self, signature: PodSignature) -> StaticVerdict:
        nodes = self._cache.node_infos
        info = PodInfo(signature.pod, signature)
        state = CycleState()
        skip_affinity = True
        if self._affinity is not None:
            _names, status = self._affinity.pre_filter(state, info, nodes)
            skip_affinity = status is not None
        filters: list[FilterPlugin] = [
            plugin
            for plugin in self._framework.plugins.filter
            if isinstance(plugin, STATIC_FILTERS)
            and not (skip_affinity and isinstance(plugin, NodeAffinity))
        ]
        refusals: dict[Status | None, int] = {}
        found = (_first_refusal(filters, state, info, node) for node in nodes)
        kinds = np.fromiter(
            (refusals.setdefault(status, len(refusals)) for status in found),
            dtype=np.int64,
            count=len(nodes),
        )
        ok = kinds == refusals.get(None, -1)
        scores = np.zeros(len(nodes), dtype=np.int64)
        soft_taints = self._raw(TaintToleration, info, nodes)
        if soft_taints is not None and not soft_taints.any():
            scores += 100 * self._weight(TaintToleration)
            soft_taints = None
        images = self._raw(ImageLocality, info, nodes)
        if images is not None:
            scores += images * self._weight(ImageLocality)
        preferences = None
        added = self._affinity is not None and self._affinity.added_preferred
        if preferred_terms(signature.spec) or added:
            preferences = self._raw(NodeAffinity, info, nodes)
        return StaticVerdict(
            ok=ok,
            kinds=kinds,
            refusals=tuple(status or NEVER for status in refusals),
            scores=scores,
            soft_taints=soft_taints,
            preferences=preferences,
        )

    def _raw(
        self, kind: type[ScorePlugin], info: PodInfo, nodes: Sequence[NodeInfo]
    ) -> Ints | None:
        """The raw scores of a plugin on all nodes; ``None`` when the profile does not have it."""
        plugin = find(self._framework.plugins.score, kind)
        if plugin is None:
            return None
        state = CycleState()
        for pre in self._framework.plugins.pre_score:
            if isinstance(pre, kind) and pre.pre_score(state, info, nodes) is not None:
                return None
        raw = (plugin.score(state, info, node) for node in nodes)
        return np.fromiter(raw, dtype=np.int64, count=len(nodes))

    def _weight(self, kind: type[Plugin]) -> int:
        return self._framework.plugins.weights.get(kind.name, 0)

    def _winner(self, totals: Ints) -> int:
        """The node on top of the heap that upstream builds from the list."""
        best = (totals == totals.max()).nonzero()[0]
        if self._luck.random_ties:
            return int(best[self._luck.winner(len(best))])
        if len(best) == 1 or best[0] == 0:
            return int(best[0])
        ranks = self._ranks.get(len(totals))
        if ranks is None:
            ranks = self._ranks[len(totals)] = preorder_ranks(len(totals))
        return int(best[ranks[best].argmin()])


def _first_refusal(
    filters: Sequence[FilterPlugin], state: CycleState, info: PodInfo, node: NodeInfo
) -> Status | None:
    for plugin in filters:
        status = plugin.filter(state, info, node)
        if status is not None:
            return status
    return None


def _search(feasible: Ints, count: int, start: int, wanted: int) -> tuple[Ints, int]:
    """The feasible nodes that a search finds, and how many nodes it looks at."""
    split = int(feasible.searchsorted(start)) if start else 0
    if split:
        feasible = np.concatenate((feasible[split:], feasible[:split]))
    if len(feasible) <= wanted:
        return feasible, count
    # The search ends when it meets one feasible node more than it wants.
    return feasible[:wanted], (int(feasible[wanted]) - start) % count


def _search_racing(ok: Mask, order: Ints, start: int, wanted: int) -> tuple[Ints, int]:
    """The same when nodes are come to in another order."""
    count = len(order)
    enough = 2 * wanted + 64  # often so, and then the rest need not be looked at
    while True:
        rows = order[:enough] + start
        rows -= count * (rows >= count)
        found = ok.take(rows).nonzero()[0]
        if len(found) > wanted:
            return rows.take(found[:wanted]), int(found[wanted])
        if enough >= count:
            return rows.take(found), count
        enough = count


def _scaled(raw: Ints) -> Ints:
    highest = int(raw.max())
    return raw if highest <= 0 else raw * 100 // highest


def _reversed(raw: Ints) -> Ints:
    highest = int(raw.max())
    scores: Ints = np.full_like(raw, 100) if highest <= 0 else 100 - raw * 100 // highest
    return scores
