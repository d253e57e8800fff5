"""Between nothing and something: when KEDA itself scales."""

import pytest

from kubesim.api.frozenmap import FrozenMap
from kubesim.api.kedav1alpha1 import ScaledObject
from kubesim.controlplane.autoscaling.keda.activation import (
    Step,
    decide,
    is_paused,
    paused_replicas,
)
from kubesim.sim.time import SECOND

NOW_NS = 10_000 * SECOND


def scaled(*, last_active_s: int | None = None, **spec: object) -> ScaledObject:
    """An object whose triggers were active so many seconds ago."""
    made = ScaledObject.model_validate(
        {
            "metadata": {"name": "a", "namespace": "default"},
            "spec": {"scaleTargetRef": {"name": "web"}, "triggers": [], **spec},
        }
    )
    made = made.replace(metadata=made.metadata.replace(creation_timestamp=NOW_NS - 50 * SECOND))
    if last_active_s is None:
        return made
    return made.replace(
        status=made.status.replace(last_active_time=NOW_NS - last_active_s * SECOND)
    )


@pytest.mark.parametrize(
    ("given", "current", "active", "expected"),
    [
        # From nothing: to one, or to the minimum; and that a trigger was active is noted.
        (scaled(), 0, True, Step(replicas=1, active_now=True)),
        (scaled(minReplicaCount=3), 0, True, Step(replicas=3, active_now=True)),
        (scaled(), 4, True, Step(active_now=True)),
        # To nothing: after the cooldown, at once when no trigger was ever active.
        (scaled(last_active_s=299), 4, False, Step()),
        (scaled(last_active_s=300), 4, False, Step()),
        (scaled(last_active_s=301), 4, False, Step(replicas=0)),
        (scaled(last_active_s=61, cooldownPeriod=60), 4, False, Step(replicas=0)),
        (scaled(), 1, False, Step(replicas=0)),
        (scaled(initialCooldownPeriod=60), 1, False, Step()),
        (scaled(initialCooldownPeriod=40), 1, False, Step(replicas=0)),
        # A minimum: never below it, and up to it.
        (scaled(last_active_s=999, minReplicaCount=2), 5, False, Step()),
        (scaled(minReplicaCount=2), 1, False, Step(replicas=2)),
        # An idle number below the minimum.
        (scaled(last_active_s=999, minReplicaCount=2, idleReplicaCount=0), 2, False, Step(replicas=0)),
        (scaled(minReplicaCount=2, idleReplicaCount=0), 0, False, Step()),
        (scaled(minReplicaCount=2, idleReplicaCount=0), 0, True, Step(replicas=2, active_now=True)),
    ],
)  # fmt: skip
def test_what_is_done_at_a_look(given, current, active, expected):
    """Zero and one are KEDA's; everything above is the HorizontalPodAutoscaler's."""
    step = decide(given, current=current, active=active, now_ns=NOW_NS)

    assert (expected.replicas, expected.active_now) == (step.replicas, step.active_now)


FALLBACK = {"failureThreshold": 1, "replicas": 3}


@pytest.mark.parametrize(
    ("given", "current", "active", "expected"),
    [
        (scaled(), 1, True, ("Unknown", "PartialTriggerError", None)),
        (scaled(), 0, True, ("True", "ScaledObjectReady", 1)),
        (scaled(), 1, False, ("False", "TriggerError", None)),
        (scaled(fallback=FALLBACK), 1, False, ("True", "ScaledObjectReady", None)),
        (scaled(fallback={**FALLBACK, "replicas": 0}), 1, False, ("True", "ScaledObjectReady", 0)),
    ],
)
def test_what_is_done_when_a_source_fails(given, current, active, expected):
    """Without a fallback nothing is scaled in; with one the autoscaler is left to it."""
    step = decide(given, current=current, active=active, failed=True, now_ns=NOW_NS)
    ready = step.conditions[0]

    assert expected == (ready.status, ready.reason, step.replicas)


@pytest.mark.parametrize(
    ("annotation", "current", "active", "expected"),
    [
        ("paused-scale-in", 4, False, None),
        ("paused-scale-in", 0, True, 1),
        ("paused-scale-out", 0, True, None),
        ("paused-scale-out", 4, False, 0),
        ("force-activation", 0, False, 1),
    ],
)
def test_one_way_may_be_shut(annotation, current, active, expected):
    """An annotation keeps KEDA from scaling in, or out, or makes it scale out."""
    base = scaled(last_active_s=301)
    annotations = FrozenMap({f"autoscaling.keda.sh/{annotation}": "true"})
    given = base.replace(metadata=base.metadata.replace(annotations=annotations))

    assert expected == decide(given, current=current, active=active, now_ns=NOW_NS).replicas


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, (False, None)),
        ({"autoscaling.keda.sh/paused": "true"}, (True, None)),
        ({"autoscaling.keda.sh/paused": "false"}, (False, None)),
        ({"autoscaling.keda.sh/paused-replicas": "0"}, (True, 0)),
    ],
)
def test_annotations_pause(annotations, expected):
    """An object is paused by either annotation; one of them holds a number."""
    base = scaled()
    paused = base.replace(metadata=base.metadata.replace(annotations=FrozenMap(annotations)))

    assert expected == (is_paused(paused), paused_replicas(paused))
