"""Probes on a whole node: when they are asked, what they lead to, and what they do not cost."""

from typing import Any

import pytest
from harness import SECOND, Cluster, NodeUnderTest, bound, image, program

from kubesim.api.podutil import get_pod_condition
from kubesim.facts import CriCalled, EventRecorded
from kubesim.node.shim import NodeServices, Shim
from kubesim.node.shim.runc import LinuxRuntime, RuncShim
from kubesim.sim.distribution import Constant
from kubesim.sim.time import seconds
from kubesim.wire.image import Condition, Health

HTTP = {"httpGet": {"path": "/healthz", "port": 80}, "periodSeconds": 10}


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def app(**health: float) -> Any:
    return image(runs=program(health=Health(**{k: seconds(v) for k, v in health.items()})))


def probed(**probes: Any) -> Any:
    return bound(containers=[{"name": "main", "image": "app:1", **probes}])


def ready(cluster: Cluster) -> bool:
    condition = get_pod_condition(cluster.pod().status, "Ready")
    return condition is not None and condition.status == "True"


def test_health_has_its_times() -> None:
    """Unhealthy before it is up, hung while it hangs; and each state knows when it ends."""
    health = Health(healthy_after_ns=5, unhealthy_from_ns=20, unhealthy_for_ns=5, hang_from_ns=40)

    assert (Condition.UNHEALTHY, 5) == health.at(0)
    assert (Condition.HEALTHY, 20) == health.at(5)
    assert (Condition.UNHEALTHY, 25) == health.at(20)
    assert (Condition.HUNG, None) == health.at(40)


def test_without_a_readiness_probe_running_is_ready(cluster: Cluster) -> None:
    """The liveness probe does not count for that."""
    NodeUnderTest(cluster, app(healthy_after_ns=100))
    cluster.api.create(probed(livenessProbe=HTTP | {"initialDelaySeconds": 200}))
    cluster.run(5)

    assert ready(cluster)


def test_a_relist_between_creation_and_start_is_no_failure(cluster: Cluster) -> None:
    """A start longer than the relist's period: what was created and does not run yet has not failed."""

    def slow(services: NodeServices) -> dict[str, Shim]:
        runtime = LinuxRuntime(
            name="slow", start=Constant(2 * SECOND), stop=Constant(0), pod_overhead_bytes=0
        )
        return {"runc": RuncShim(services, runtime=runtime)}

    node = NodeUnderTest(cluster, app(healthy_after_ns=0), shims=slow)
    cluster.api.create(probed(livenessProbe=HTTP | {"periodSeconds": 1}))
    cluster.run(30)

    assert [] == cluster.events("Killing")
    assert 1 == len(node.starts())


def test_readiness_is_asked_at_once_and_then_every_period(cluster: Cluster) -> None:
    """Refused at 5 s less than asked at once, healthy at the first question after 25 s."""
    node = NodeUnderTest(cluster, app(healthy_after_ns=25))
    cluster.api.create(probed(readinessProbe=HTTP))
    cluster.run(5)
    early = ready(cluster)
    cluster.run(60)
    started_ns = node.starts()[0]
    since = get_pod_condition(cluster.pod().status, "Ready")

    assert not early
    assert since is not None
    waited_ns = (since.last_transition_time or 0) - cluster.sim.start_time_ns - started_ns
    assert 30 * SECOND <= waited_ns <= 32 * SECOND
    assert "Readiness probe failed: HTTP probe failed with statuscode: 503" in cluster.events(
        "Unhealthy"
    )


def test_a_pod_that_is_not_ready_runs_on(cluster: Cluster) -> None:
    """Readiness takes it out of service and restarts nothing; it comes back when it is well."""
    node = NodeUnderTest(cluster, app(unhealthy_from_ns=60, unhealthy_for_ns=60))
    cluster.api.create(probed(readinessProbe=HTTP))
    cluster.run(50)
    before = ready(cluster)
    cluster.run(60)
    meanwhile = ready(cluster)
    cluster.run(60)

    assert [True, False, True] == [before, meanwhile, ready(cluster)]
    assert 1 == len(node.starts())


def test_liveness_restarts_after_the_failure_threshold(cluster: Cluster) -> None:
    """Three failures 10 s apart; killed with the probe's message and started again at once."""
    node = NodeUnderTest(cluster, app(unhealthy_from_ns=60))
    cluster.api.create(probed(livenessProbe=HTTP))
    cluster.run(110)
    starts = node.starts()

    assert 2 == len(starts)
    assert 80 * SECOND <= starts[1] - starts[0] <= 92 * SECOND
    assert ["Container main failed liveness probe, will be restarted"] == cluster.events("Killing")
    assert 1 == cluster.pod().status.container_statuses[0].restart_count
    assert 3 == len(cluster.events("Unhealthy"))


def test_a_hung_program_times_out(cluster: Cluster) -> None:
    """The kubelet waits for timeoutSeconds, with the words of Go's HTTP client."""
    node = NodeUnderTest(cluster, app(hang_from_ns=30))
    cluster.api.create(probed(livenessProbe=HTTP | {"timeoutSeconds": 2}))
    cluster.run(75)
    text = cluster.events("Unhealthy")[0]

    assert text.startswith('Liveness probe failed: Get "http://10.244.0.')
    assert text.endswith("(Client.Timeout exceeded while awaiting headers)")
    assert 2 == len(node.starts())


def test_a_failed_liveness_probe_ends_a_container_that_is_never_restarted(
    cluster: Cluster,
) -> None:
    """The pod ends; the message does not promise a restart."""
    NodeUnderTest(cluster, app(unhealthy_from_ns=20))
    pod = probed(livenessProbe=HTTP)
    cluster.api.create(pod.replace(spec=pod.spec.replace(restart_policy="Never")))
    cluster.run(100)

    assert ["Container main failed liveness probe"] == cluster.events("Killing")
    assert "Succeeded" == cluster.pod().status.phase  # it obeyed its SIGTERM


def test_a_probe_may_have_a_grace_period_of_its_own(cluster: Cluster) -> None:
    """Who does not obey SIGTERM after a failed liveness probe is killed by that one."""
    from harness import runc

    stubborn = {"runc": 3600 * SECOND}
    node = NodeUnderTest(
        cluster,
        app(unhealthy_from_ns=20),
        shims=lambda services: {"runc": runc(services, stop_ns=stubborn["runc"])},
    )
    cluster.api.create(probed(livenessProbe=HTTP | {"terminationGracePeriodSeconds": 5}))
    cluster.run(100)
    stop = next(c for c in cluster.facts(CriCalled) if c.method == "StopContainer")
    ended_ns, how = node.exits()[0]

    assert 5 * SECOND == ended_ns - stop.began_ns
    assert 137 == how.exit_code


def test_a_startup_probe_holds_the_others_back(cluster: Cluster) -> None:
    """A slow program is not killed by its liveness probe while it starts, and is not started."""
    node = NodeUnderTest(cluster, app(healthy_after_ns=100))
    startup = HTTP | {"failureThreshold": 30}
    cluster.api.create(probed(startupProbe=startup, livenessProbe=HTTP, readinessProbe=HTTP))
    cluster.run(90)
    meanwhile = cluster.pod().status.container_statuses[0]
    cluster.run(60)
    afterwards = cluster.pod().status.container_statuses[0]

    assert (False, False) == (meanwhile.started, meanwhile.ready)
    assert (True, True) == (afterwards.started, afterwards.ready)
    assert 1 == len(node.starts())


def test_a_container_that_never_starts_is_restarted(cluster: Cluster) -> None:
    """After failureThreshold periods of its startup probe."""
    node = NodeUnderTest(cluster, app(healthy_after_ns=1000))
    cluster.api.create(probed(startupProbe=HTTP | {"failureThreshold": 3}))
    cluster.run(45)

    assert 2 == len(node.starts())
    assert ["Container main failed startup probe, will be restarted"] == cluster.events("Killing")


def test_nothing_is_asked_before_the_initial_delay(cluster: Cluster) -> None:
    """Counted from the container's start."""
    node = NodeUnderTest(cluster, image(runs=program(port=0)))
    cluster.api.create(probed(livenessProbe=HTTP | {"initialDelaySeconds": 33}))
    cluster.run(60)
    journal = cluster.sim.journal
    asked = [at for at, fact in journal.of(EventRecorded) if fact.reason == "Unhealthy"]

    assert 33 * SECOND <= asked[0] - node.starts()[0] < 43 * SECOND


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        ({"tcpSocket": {"port": 8080}}, "dial tcp 10.244.0.2:8080: connect: connection refused"),
        ({"grpc": {"port": 80}}, 'service unhealthy (responded with "NOT_SERVING")'),
        ({"exec": {"command": ["cat", "/tmp/healthy"]}}, ""),
        ({"httpGet": {"port": 81}},
         'Get "http://10.244.0.2:81/": dial tcp 10.244.0.2:81: connect: connection refused'),
    ],
)  # fmt: skip
def test_each_kind_of_probe_fails_in_its_own_words(
    cluster: Cluster, probe: dict[str, Any], message: str
) -> None:
    """TCP, gRPC, exec and HTTP say what they found as upstream's probers do."""
    NodeUnderTest(cluster, app(healthy_after_ns=1000))
    cluster.api.create(probed(readinessProbe=probe))
    cluster.run(15)

    assert f"Readiness probe failed: {message}" == cluster.events("Unhealthy")[0]


@pytest.mark.parametrize(
    "probe",
    [{"tcpSocket": {"port": 80}}, {"grpc": {"port": 80}}, {"exec": {"command": ["true"]}}, HTTP],
)
def test_each_kind_of_probe_succeeds(cluster: Cluster, probe: dict[str, Any]) -> None:
    """A program that is well answers all of them."""
    NodeUnderTest(cluster, app())
    cluster.api.create(probed(readinessProbe=probe, livenessProbe=probe))
    cluster.run(15)

    assert ready(cluster)
    assert [] == cluster.events("Unhealthy")


def test_a_month_of_probes_costs_nothing_while_nothing_changes(cluster: Cluster) -> None:
    """A program whose health is known in advance is asked again when it can answer otherwise."""
    month_s = 30 * 24 * 3600
    NodeUnderTest(cluster, app(unhealthy_from_ns=month_s))
    cluster.api.create(probed(livenessProbe=HTTP, readinessProbe=HTTP))
    cluster.run(60)
    events = cluster.sim.events_processed
    cluster.run(month_s - 120)

    assert 10 > cluster.sim.events_processed - events
    assert [] == cluster.events("Unhealthy")
    cluster.run(120)
    assert "Liveness probe failed: HTTP probe failed with statuscode: 503" in cluster.events(
        "Unhealthy"
    )


def test_an_overloaded_program_fails_its_probe(cluster: Cluster) -> None:
    """Requests that wait break the promise: the probe waits in the same queue, and times out."""
    slow = program(service=Constant(3 * SECOND))
    node = NodeUnderTest(cluster, image(runs=slow))
    cluster.api.create(probed(readinessProbe=HTTP | {"timeoutSeconds": 4}))
    cluster.run(30)
    before = ready(cluster)
    ip = cluster.pod().status.pod_ip or ""
    from kubesim.wire.http import HttpRequest

    for _ in range(40):
        cluster.sim.process(node.network.request(ip, 80, HttpRequest()))
    cluster.run(40)

    assert [True, False] == [before, ready(cluster)]


def test_a_readiness_gate_is_somebody_elses_word(cluster: Cluster) -> None:
    """The pod is ready when the condition is true, and says what it waits for until then."""
    from kubesim.api.corev1 import Pod, PodCondition
    from kubesim.api.podutil import set_pod_condition

    NodeUnderTest(cluster, app())
    cluster.api.create(bound(readinessGates=[{"conditionType": "example.com/open"}]))
    cluster.run(5)
    before = get_pod_condition(cluster.pod().status, "Ready")
    condition = PodCondition(type="example.com/open", status="True")
    cluster.api.patch(
        Pod, "default/web", lambda p: p.replace(status=set_pod_condition(p.status, condition)),
        status=True,
    )  # fmt: skip
    cluster.run(5)

    assert before is not None
    assert "ReadinessGatesNotReady" == before.reason
    expected = 'corresponding condition of pod readiness gate "example.com/open" does not exist.'
    assert expected == before.message
    assert ready(cluster)
