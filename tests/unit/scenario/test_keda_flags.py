"""Flags of KEDA and its add-on, of the HorizontalPodAutoscaler; and the authority of a request."""

from __future__ import annotations

import pytest
import yaml

from kubesim.controlplane.autoscaling.hpa import HPAConfig
from kubesim.controlplane.autoscaling.keda import KedaConfig
from kubesim.controlplane.autoscaling.keda.httpaddon import HttpAddOnConfig
from kubesim.errors import InputError
from kubesim.scenario import Scenario
from kubesim.sim.time import MILLISECOND, SECOND


def load(write_scenario, **spec):
    return Scenario.load(write_scenario(yaml.safe_dump(spec)))


def test_flags_have_the_real_names(write_scenario):
    """Each sets what the real flag or variable sets; what is left out is the real default."""
    scenario = load(
        write_scenario,
        keda={"kube-api-qps": 5, "KEDA_SCALEDJOB_CTRL_MAX_RECONCILES": 3},
        httpAddOn={
            "KEDA_HTTP_READINESS_TIMEOUT": "20s",
            "KEDA_HTTP_SCALER_STREAM_INTERVAL_MS": 100,
            "KEDA_HTTP_QUEUE_TICK_DURATION": "250ms",
            "KEDA_HTTP_ENABLE_COLD_START_HEADER": False,
        },
        kubeControllerManager={
            "horizontal-pod-autoscaler-sync-period": "5s",
            "horizontal-pod-autoscaler-downscale-stabilization": "1m",
            "horizontal-pod-autoscaler-tolerance": 0.2,
            "horizontal-pod-autoscaler-cpu-initialization-period": "2m",
            "horizontal-pod-autoscaler-initial-readiness-delay": "10s",
            "concurrent-horizontal-pod-autoscaler-syncs": 9,
        },
    )
    config = scenario.cluster_config(seed=1, horizon_ns=SECOND)

    assert config.keda == KedaConfig(kube_api_qps=5, scaled_job_workers=3)
    assert config.http_add_on == HttpAddOnConfig(
        readiness_timeout_ns=20 * SECOND,
        stream_interval_ns=100 * MILLISECOND,
        queue_tick_ns=250 * MILLISECOND,
        cold_start_header=False,
    )
    assert config.horizontal_pod_autoscaler == HPAConfig(
        sync_period_ns=5 * SECOND,
        downscale_stabilization_ns=60 * SECOND,
        tolerance=0.2,
        cpu_initialization_period_ns=120 * SECOND,
        initial_readiness_delay_ns=10 * SECOND,
        concurrent_syncs=9,
    )


@pytest.mark.parametrize(
    "spec",
    [
        {"keda": {"kube-api-qsp": 5}},
        {"httpAddOn": {"KEDA_HTTP_READYNESS_TIMEOUT": "1s"}},
        {"queues": [{"name": "a"}, {"name": "a"}]},
        {"traffic": [{"name": "a", "queue": "b", "rate": "1/s"}]},
        {"queues": [{"name": "b"}], "traffic": [{"name": "a", "queue": "b", "connections": 1}]},
        {"queues": [{"name": "b"}],
         "traffic": [{"name": "a", "queue": "b", "service": "c", "rate": "1/s"}]},
        {"timeline": [{"at": "1s", "failQueue": "b"}]},
    ],
)  # fmt: skip
def test_what_there_is_not_is_refused(write_scenario, spec):
    """With a place: unknown flags, queues, and loads that a producer cannot have."""
    with pytest.raises(InputError) as refused:
        load(write_scenario, **spec)

    assert all(problem.line for problem in refused.value.problems)


def test_a_host_header_is_the_request_s_authority(write_scenario):
    """It is who the request is for, and no header any more."""
    request = {"headers": {"Host": "a.example.com", "X-Y": "z"}}
    source = {"name": "a", "service": "b", "rate": "1/s", "request": request}
    (traffic,) = load(write_scenario, traffic=[source]).traffic

    assert (traffic.request.host, traffic.request.headers) == ("a.example.com", (("X-Y", "z"),))


@pytest.mark.parametrize(
    ("trigger", "line", "message"),
    [
        ("{type: kafka, metadata: {topic: t}}", 15, 'triggers of type "kafka" are not simulated'),
        ("{type: rabbitmq, metadata: {queueName: q, host: 'ftp://r'}}", 15, "unknown host URL"),
    ],
)
def test_a_trigger_that_is_wrong_has_a_place(write_scenario, trigger, line, message):
    """What the webhook would refuse by the object alone is found before the run."""
    manifest = (
        "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: a}\n"
        f"spec:\n  scaleTargetRef: {{name: web}}\n  triggers:\n    - {trigger}\n"
    )
    with pytest.raises(InputError) as refused:
        Scenario.load(write_scenario("", manifest))

    (problem,) = refused.value.problems
    assert (line, True) == (problem.line, message in problem.message)
