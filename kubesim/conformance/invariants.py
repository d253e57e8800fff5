"""What holds at every moment of a rollout, however many pods became ready at once.

There are never more pods asked for than wanted and surge allow, nor fewer available than wanted and
unavailability allow. Checked only where the recording itself keeps to it: a Deployment that was scaled,
or whose pods were not ready to begin with, may be outside for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kubesim.api.appsv1 import Deployment
from kubesim.api.defaults import set_defaults
from kubesim.conformance.recording import Recording
from kubesim.controlplane.controllers import rollout

Row = tuple[float, int, int]


def broken(recording: Recording, observed: Mapping[str, Any]) -> dict[str, list[str]]:
    """The invariants that hold in the recording, and where the case as it was seen breaks them."""
    deployment = _deployment(recording)
    if deployment is None:
        return {}
    total = rollout.wanted(deployment)
    surge, _ = rollout.fenceposts(deployment)
    most, least = total + surge, total - rollout.max_unavailable(deployment)
    checks: dict[str, Callable[[Row], bool]] = {
        f"at most {most} pods asked for": lambda row: row[1] <= most,
        f"at least {least} available": lambda row: row[2] >= least,
    }
    recorded, seen = _recorded(recording.expected), _seen(observed)
    return {
        name: [
            f"at {row[0]:g} ms asked for {row[1]}, available {row[2]}"
            for row in seen
            if not holds(row)
        ]
        for name, holds in checks.items()
        if recorded and all(holds(row) for row in recorded)
    }


def _deployment(recording: Recording) -> Deployment | None:
    """The one Deployment of a case, if nobody scales it."""
    made = [a.data["object"] for a in (*recording.setup, *recording.actions) if a.op == "create"]
    found = [obj for obj in made if obj["kind"] == "Deployment"]
    if len(found) != 1 or any(action.op == "scale" for action in recording.actions):
        return None
    return set_defaults(Deployment.model_validate(found[0]))


def _recorded(expected: Mapping[str, Any]) -> Sequence[Row]:
    return [
        (ms, sum(row[0] for row in sizes.values()), sum(row[2] for row in sizes.values()))
        for ms, sizes in expected.get("rsSpecReadyAvailable", ())
    ]


def _seen(observed: Mapping[str, Any]) -> Sequence[Row]:
    sizes = {i["name"]: dict(i) for i in observed["initial"] if i["kind"] == "ReplicaSet"}
    rows: list[Row] = []
    for ms, kind, name, what, changes in observed["timeline"]:
        if kind != "ReplicaSet":
            continue
        if what == "GONE":
            sizes.pop(name, None)
        else:
            sizes.setdefault(name, {}).update(changes)
        asked, available = (
            sum(size.get(key) or 0 for size in sizes.values())
            for key in ("spec", "availableReplicas")
        )
        rows.append((ms, asked, available))
    return rows
