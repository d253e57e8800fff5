"""What older kube-schedulers do otherwise.

| | 1.31 | 1.32 | 1.33 | 1.34 | 1.35 | 1.36 |
|---|---|---|---|---|---|---|
| winner among nodes of equal score | drawn | drawn | drawn | drawn | by heap | by heap |
| BalancedAllocation scores | the balance with the pod | = | = | = | = | its change |
| BalancedAllocation and pods without requests | scored | scored | skipped | = | = | = |
| request beyond allocatable | Unschedulable | = | = | UnschedulableAndUnresolvable | = | = |
| refusal by taint names the taint | yes | yes | yes | no | no | no |
| DynamicResources by default | no | no | no | yes | yes | yes |

Mirrors: pkg/scheduler of v1.31.14, v1.32.13, v1.33.12, v1.34.9, v1.35.6 and v1.36.2 (schedule_one.go,
plugins/noderesources, plugins/tainttoleration, apis/config/v1/default_plugins.go).
Departs: the queue is that of 1.36 in all versions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kubesim.controlplane.scheduler.config import KubeSchedulerProfile, PluginRef
from kubesim.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version by what it does.

    Attributes:
        random_ties: Whether the winner among nodes of equal score is drawn.
        balance_alone: Whether BalancedAllocation looks at the balance with the pod only.
        scores_best_effort: Whether BalancedAllocation scores pods without requests.
        too_big_is_final: Whether a request beyond what a node has rules out preemption there.
        names_taints: Whether a refusal by taint says which.
        dynamic_resources: Whether DynamicResources is among the default plugins.
    """

    random_ties: bool = False
    balance_alone: bool = False
    scores_best_effort: bool = False
    too_big_is_final: bool = True
    names_taints: bool = False
    dynamic_resources: bool = True


LATEST = "1.36"

_1_36 = Version()
_1_35 = replace(_1_36, balance_alone=True)
_1_34 = replace(_1_35, random_ties=True)
_1_33 = replace(_1_34, too_big_is_final=False, names_taints=True, dynamic_resources=False)
_1_32 = replace(_1_33, scores_best_effort=True)

VERSIONS = {
    "1.31": _1_32,
    "1.32": _1_32,
    "1.33": _1_33,
    "1.34": _1_34,
    "1.35": _1_35,
    "1.36": _1_36,
}


def version_of(name: str) -> Version:
    """The version of that name.

    Raises:
        InputError: If there is none.
    """
    version = VERSIONS.get(name)
    if version is None:
        known = ", ".join(VERSIONS)
        raise InputError(f'no kube-scheduler version "{name}"; there are {known}')
    return version


def as_of(version: Version, profile: KubeSchedulerProfile) -> KubeSchedulerProfile:
    """The profile, on top of the default plugins of that version."""
    custom = profile.plugins.multi_point
    if version.dynamic_resources or any(ref.name == "DynamicResources" for ref in custom.enabled):
        return profile
    disabled = (*custom.disabled, PluginRef(name="DynamicResources"))
    plugins = profile.plugins.replace(multi_point=custom.replace(disabled=disabled))
    return profile.replace(plugins=plugins)
