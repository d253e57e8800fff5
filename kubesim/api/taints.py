"""Taints and tolerations: which pods a node keeps off.

Mirrors: staging/src/k8s.io/api/core/v1/toleration.go,
staging/src/k8s.io/component-helpers/scheduling/corev1/helpers.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from kubesim.api.corev1.scheduling import Taint, Toleration

__all__ = [
    "find_matching_untolerated_taint",
    "toleration_tolerates_taint",
    "tolerations_tolerate_taint",
]

_DECIMAL_INTEGER = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)


def toleration_tolerates_taint(
    toleration: Toleration, taint: Taint, *, comparison_operators: bool = False
) -> bool:
    """Whether ``toleration`` puts up with ``taint``.

    Args:
        toleration: Of a pod; without a key (or effect) it fits every key (or effect).
        taint: Of a node.
        comparison_operators: Whether ``Gt`` and ``Lt`` are understood (the feature gate
            TaintTolerationComparisonOperators).
    """
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    value, taint_value = toleration.value or "", taint.value or ""
    match toleration.operator:
        case None | "Equal":
            return value == taint_value
        case "Exists":
            return True
        case "Lt":
            return comparison_operators and _compare(taint_value, value) < 0
        case "Gt":
            return comparison_operators and _compare(taint_value, value) > 0


def tolerations_tolerate_taint(tolerations: Iterable[Toleration], taint: Taint) -> bool:
    """Whether one of ``tolerations`` puts up with ``taint``."""
    return any(toleration_tolerates_taint(toleration, taint) for toleration in tolerations)


def find_matching_untolerated_taint(
    taints: Iterable[Taint],
    tolerations: Iterable[Toleration],
    counts: Callable[[Taint], bool] = lambda _taint: True,
) -> Taint | None:
    """The first taint that matters and that no toleration puts up with.

    Args:
        taints: Of a node, in order.
        tolerations: Of a pod.
        counts: Which taints matter; all of them by default.
    """
    tolerations = tuple(tolerations)
    for taint in taints:
        if counts(taint) and not tolerations_tolerate_taint(tolerations, taint):
            return taint
    return None


def _compare(left: str, right: str) -> int:
    """-1, 0 or 1; 0 also when one of the two is not a whole number."""
    if not _DECIMAL_INTEGER.fullmatch(left) or not _DECIMAL_INTEGER.fullmatch(right):
        return 0
    a, b = int(left), int(right)
    return (a > b) - (a < b)
