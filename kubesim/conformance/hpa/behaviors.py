"""Cases of stabilization, policies and limits.

Mirrors: pkg/controller/podautoscaler/horizontal_test.go (TestScalingWithRules, TestStoreScaleEvents,
TestNormalizeDesiredReplicas*, TestConvertDesiredReplicasWithRules).
"""

from __future__ import annotations

from typing import Any

from kubesim.api.autoscalingdefaults import scale_down_rules, scale_up_rules
from kubesim.api.autoscalingv2 import HPAScalingRules
from kubesim.conformance.hpa import building
from kubesim.conformance.hpa.building import Case
from kubesim.controlplane.autoscaling.hpa import behaviors
from kubesim.controlplane.autoscaling.hpa.config import HPAConfig
from kubesim.sim.time import SECOND


def scale_limit_case(case: Case) -> dict[str, Any]:
    """The limiter without behaviour."""
    limited = behaviors.limit_without_behavior(
        current=case["current"],
        desired=case["desired"],
        minimum=case["min"],
        maximum=case["max"],
        factor=float(case["scale_up_limit_factor"]),
        at_least=float(case["scale_up_limit_minimum"]),
    )
    return {"replicas": limited.replicas, "reason": limited.reason}


def policy_limit_case(case: Case) -> dict[str, Any]:
    """The bound from the policies alone."""
    rules = building.rules_of(case["rules"])
    assert rules is not None, case
    limit = behaviors.scale_up_limit if case["direction"] == "up" else behaviors.scale_down_limit
    up, down = (
        building.events_of(case["scale_up_events"]),
        building.events_of(case["scale_down_events"]),
    )
    return {"limit": limit(case["current"], rules, up, down, now_ns=building.NOW_NS)}


def behavior_rate_case(case: Case) -> dict[str, Any]:
    """The limiter with behaviour; the rules go through the API server's defaulting."""
    up = scale_up_rules(building.rules_of(case["scale_up"]))
    down = scale_down_rules(building.rules_of(case["scale_down"]))
    for name, rules in (("scale_up_effective", up), ("scale_down_effective", down)):
        if name in case and rules != building.rules_of(case[name]):
            return {name: shown_rules(rules)}
    limited = behaviors.limit_with_behavior(
        case["desired"],
        behaviors.Bounds(
            current=case["current"],
            minimum=case["min"],
            maximum=case["max"],
            now_ns=building.NOW_NS,
        ),
        up=up,
        down=down,
        up_events=building.events_of(case["scale_up_events"]),
        down_events=building.events_of(case["scale_down_events"]),
    )
    return {"replicas": limited.replicas, "reason": limited.reason}


def stabilize_case(case: Case) -> dict[str, Any]:
    """Stabilization without behaviour."""
    replicas, log = behaviors.stabilize(
        building.recommendations_of(case["recommendations"]),
        case["desired"],
        window_ns=int(case["window_s"] * SECOND),
        now_ns=building.NOW_NS,
    )
    return {
        "replicas": replicas,
        "log_length": len(log),
        "observed": {"recommendations": building.shown_recommendations(log)},
    }


def stabilize_with_behavior_case(case: Case) -> dict[str, Any]:
    """Stabilization with two windows."""
    replicas, log = behaviors.stabilize_with_behavior(
        building.recommendations_of(case["recommendations"]),
        current=case["current"],
        desired=case["desired"],
        up=HPAScalingRules(stabilization_window_seconds=case["scale_up_window_s"]),
        down=HPAScalingRules(stabilization_window_seconds=case["scale_down_window_s"]),
        now_ns=building.NOW_NS,
    )
    asserted = case["expected"].get("recommendations") is not None
    reason, _ = behaviors.stabilization_reason(case["current"], case["desired"])
    return {
        "replicas": replicas,
        "recommendations": [item.replicas for item in log] if asserted else None,
        "observed": {
            "recommendations": building.shown_recommendations(log),
            "reason": reason,
        },
    }


def store_event_case(case: Case) -> dict[str, Any]:
    """Remembering a change; the same in both directions."""
    events = building.events_of(case["events"])
    change = behaviors.change_in_period(events, case["period_s"], now_ns=building.NOW_NS)
    rules = building.rules_of(case["rules"])
    if rules is not None:
        events = behaviors.store_event(events, case["change"], rules, now_ns=building.NOW_NS)
    shown = building.shown_events(events, outdated=True)
    return {
        "change_in_period": change,
        "events": [{"change": item["change"], "outdated": item["outdated"]} for item in shown],
        "observed": {"events": shown},
    }


def shown_rules(rules: HPAScalingRules) -> dict[str, Any]:
    """Rules as the files write them."""
    default_window_s = HPAConfig().downscale_stabilization_ns // SECOND
    window = rules.stabilization_window_seconds
    return {
        "stabilization_window_s": default_window_s if window is None else window,
        "select_policy": rules.select_policy,
        "policies": [
            {"type": policy.type, "value": policy.value, "period_s": policy.period_seconds}
            for policy in rules.policies
        ],
        "tolerance": rules.tolerance and str(rules.tolerance),
    }
