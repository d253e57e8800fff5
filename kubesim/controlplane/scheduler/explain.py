"""An attempt told in full: as data in the format of the recordings, and as a tree for people.

``described`` says everything, node by node, as the recordings do. ``verdict`` says it the other way
round: which plugin refused for which reason, and then the nodes; of the nodes that fit only the
best. ``verdict_lines`` is the same as text.

Mirrors: nothing upstream; kube-scheduler-simulator's result annotations say as much as ``described``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kubesim.controlplane.scheduler.framework.status import Status
from kubesim.controlplane.scheduler.schedule_one import Attempt

_DIGITS = re.compile(r"(\d+)")

TOP_SCORES = 5
NAMES_SHOWN = 6


def described(attempt: Attempt) -> dict[str, Any]:
    """An attempt in the format of the recordings."""
    diagnosis = attempt.diagnosis
    statuses = diagnosis.node_to_status
    result: dict[str, Any] = {
        "pod": attempt.info.pod.key,
        "startIndex": attempt.start_index,
        "feasible": list(attempt.feasible),
        "rejected": {name: _described(status) for name, status in statuses.statuses.items()},
        "selected": attempt.selected or None,
    }
    if attempt.num_all_nodes > len(attempt.feasible) + len(statuses.statuses):
        result["absentNodesStatus"] = _described(statuses.absent)
    if diagnosis.pre_filter_msg:
        result["preFilterMsg"] = diagnosis.pre_filter_msg
    if attempt.message:
        result["message"] = attempt.message
    scores = attempt.scores
    if scores is not None:
        best = max(scores.totals)
        result["rawScores"] = {
            plugin: dict(zip(scores.nodes, values, strict=True))
            for plugin, values in sorted(scores.raw.items())
        }
        result["skippedScorePlugins"] = sorted(attempt.state.skip_score_plugins)
        result["scores"] = {
            name: {
                "total": scores.totals[i],
                **{plugin: values[i] for plugin, values in sorted(scores.weighted.items())},
            }
            for i, name in enumerate(scores.nodes)
        }
        result["argmax"] = [
            name for name, total in zip(scores.nodes, scores.totals, strict=True) if total == best
        ]
    if attempt.post_filter is not None and attempt.post_filter.victims is not None:
        result["preemption"] = {
            "node": attempt.post_filter.nominated_node_name,
            "candidates": {
                name: {
                    "numPDBViolations": victims.num_pdb_violations,
                    "victims": [info.pod.key for info in victims.pods],
                }
                for name, victims in sorted(attempt.post_filter.candidates.items())
            },
        }
    return result


def _described(status: Status) -> dict[str, Any]:
    return {
        "code": status.code.value,
        "plugin": status.plugin,
        "reasons": list(status.reasons) or None,
    }


def verdict(attempt: Attempt, *, top: int = TOP_SCORES) -> dict[str, Any]:
    """An attempt by plugin and reason; of the scores only the best.

    Args:
        attempt: The attempt; one of the reference path, which keeps the details.
        top: How many scored nodes to tell of, the chosen one first.
    """
    statuses = attempt.diagnosis.node_to_status
    grouped: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for name, status in statuses.statuses.items():
        grouped.setdefault((status.plugin, status.code.value, status.reasons), []).append(name)
    result: dict[str, Any] = {
        "pod": attempt.info.pod.key,
        "nodes": attempt.num_all_nodes,
        "feasible": len(attempt.feasible),
        "selected": attempt.selected or None,
        "message": attempt.message,
        "refused": [
            {
                "plugin": plugin,
                "code": code,
                "reasons": list(reasons),
                "nodes": sorted(names, key=in_order),
            }
            for (plugin, code, reasons), names in sorted(
                grouped.items(), key=lambda item: (item[0][0], -len(item[1]))
            )
        ],
        "notLookedAt": attempt.num_all_nodes - attempt.evaluated_nodes,
        "scores": _top_scores(attempt, top),
    }
    if attempt.post_filter is not None and attempt.post_filter.victims is not None:
        victims = [info.pod.key for info in attempt.post_filter.victims.pods]
        result["preempts"] = {"node": attempt.post_filter.nominated_node_name, "pods": victims}
    return result


def _top_scores(attempt: Attempt, top: int) -> list[dict[str, Any]]:
    scores = attempt.scores
    if scores is None:
        return []
    order = sorted(
        range(len(scores.nodes)),
        key=lambda i: (-scores.totals[i], scores.nodes[i] != attempt.selected, i),
    )
    return [
        {
            "node": scores.nodes[i],
            "total": scores.totals[i],
            "plugins": {plugin: values[i] for plugin, values in sorted(scores.weighted.items())},
        }
        for i in order[:top]
    ]


def verdict_lines(tree: Mapping[str, Any]) -> Iterator[str]:
    """A verdict as text: the pod, then who refused what, then the scores."""
    where = f"-> {tree['selected']}" if tree["selected"] else "-> no node"
    yield f"{tree['pod']} {where} ({tree['feasible']} of {tree['nodes']} nodes fit)"
    branches: list[list[str]] = []
    if tree["message"]:
        branches.append([tree["message"]])
    by_plugin: dict[str, list[Mapping[str, Any]]] = {}
    for group in tree["refused"]:
        by_plugin.setdefault(group["plugin"], []).append(group)
    branches.extend([plugin, *map(_group, groups)] for plugin, groups in by_plugin.items())
    if tree["notLookedAt"] > 0:
        branches.append([f"not looked at: {_count(tree['notLookedAt'], 'node')}"])
    if tree["scores"]:
        branches.append(["scores", *score_lines(tree["scores"])])
    if "preempts" in tree:
        preempts = tree["preempts"]
        branches.append([f"makes room on {preempts['node']}: evicts {shown(preempts['pods'])}"])
    yield from _branches(branches)


def score_lines(scores: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The best nodes, each with what its plugins gave it; a plugin that gave nobody anything is out."""
    width = max(len(score["node"]) for score in scores)
    told = {name for score in scores for name, value in score["plugins"].items() if value}
    for score in scores:
        parts = [f"{name} {value}" for name, value in score["plugins"].items() if name in told]
        yield f"{score['node']:{width}} {score['total']:5}  {', '.join(parts)}".rstrip()


def in_order(name: str) -> tuple[tuple[int, int | str], ...]:
    """A key by which node-2 comes before node-10."""
    return tuple((0, int(part)) if part.isdecimal() else (1, part) for part in _DIGITS.split(name))


def shown(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    if len(names) <= NAMES_SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[:NAMES_SHOWN])} and {len(names) - NAMES_SHOWN} more"


def _group(group: Mapping[str, Any]) -> str:
    reasons = "; ".join(group["reasons"]) or group["code"]
    return f"{reasons}: {_count(len(group['nodes']), 'node')} ({shown(group['nodes'])})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _branches(branches: Sequence[Sequence[str]]) -> Iterator[str]:
    """Each branch is a line with its twigs below it."""
    for index, (head, *twigs) in enumerate(branches):
        is_last = index == len(branches) - 1
        yield f"{'└─' if is_last else '├─'} {head}"
        for number, twig in enumerate(twigs):
            mark = "└─" if number == len(twigs) - 1 else "├─"
            yield f"{'   ' if is_last else '│  '}{mark} {twig}"
