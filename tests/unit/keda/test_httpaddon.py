"""KEDA's HTTP add-on: whose a request is, what is counted, and what becomes of requests that wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from harness import MILLISECOND, SECOND, Cluster, run_process
from hypothesis import given, settings
from hypothesis import strategies as st

from kubesim.api.corev1 import Service
from kubesim.api.discoveryv1 import EndpointSlice
from kubesim.api.kedahttpv1alpha1 import HTTPScaledObject
from kubesim.api.kedahttpv1beta1 import InterceptorRoute
from kubesim.api.kedav1alpha1 import ScaledObject
from kubesim.controlplane.autoscaling.keda.httpaddon import (
    HTTP_ADD_ON_WEBHOOKS,
    HttpAddOnConfig,
    HTTPScaledObjectController,
    Interceptor,
    RequestCounts,
    RoutingTable,
)
from kubesim.controlplane.autoscaling.keda.httpaddon.routes import route_of
from kubesim.sim import Sim
from kubesim.wire.http import ConnectionRefused, HttpRequest, HttpResponse, Served

TICK_NS, STREAM_NS = 500 * MILLISECOND, 200 * MILLISECOND


def scaled_object(name: str = "web", **spec: Any) -> HTTPScaledObject:
    return HTTPScaledObject.model_validate(
        {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"scaleTargetRef": {"name": name, "service": name, "port": 80}, **spec},
        }
    )


def route(name: str = "web", **spec: Any) -> InterceptorRoute:
    return InterceptorRoute.model_validate(
        {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "target": {"service": name, "port": 80},
                "scalingMetric": {"concurrency": {"targetValue": 10}},
                **spec,
            },
        }
    )


def rules(*hosts: str, paths: Sequence[str] = (), headers: Sequence[dict] = ()) -> dict:
    return {
        "rules": [
            {
                "hosts": list(hosts),
                "paths": [{"value": p} for p in paths],
                "headers": list(headers),
            }
        ]
    }


@pytest.mark.parametrize(
    ("host", "path", "headers", "expected"),
    [
        ("a.example.com", "/", (), "exact"),
        ("a.example.com:8080", "/x", (), "exact"),
        ("a.example.com", "/api/v1", (), "api"),
        ("a.example.com", "/apis", (), "exact"),
        ("b.example.com", "/", (), "wild"),
        ("x.y.example.com", "/", (), "wild"),
        ("b.example.org", "/", (), "every"),
        ("a.example.com", "/", (("X-Version", "2"),), "two"),
        ("a.example.com", "/", (("x-version", "3"),), "any"),
    ],
)
def test_the_most_specific_rule_has_a_request(host, path, headers, expected):
    """Exact hosts before wildcards before all; longer paths first; more headers, then values first."""
    table = RoutingTable(
        [
            route("every", **rules("*")),
            route("wild", **rules("*.example.com")),
            route("exact", **rules("a.example.com")),
            route("api", **rules("a.example.com", paths=["/api"])),
            route("any", **rules("a.example.com", headers=[{"name": "X-Version"}])),
            route("two", **rules("a.example.com", headers=[{"name": "X-Version", "value": "2"}])),
        ]
    )
    found = table.find(HttpRequest(host=host, path=path, headers=headers))

    assert found is not None
    assert expected == found.name


def test_an_httpscaledobject_is_a_route():
    """Hosts, paths and headers of one rule; its failover bounds the wait."""
    found = route_of(
        scaled_object(
            hosts=["a.com"], pathPrefixes=["/x"], headers=[{"name": "k", "value": "v"}],
            coldStartTimeoutFailoverRef={"service": "other", "port": 81, "timeoutSeconds": 7},
            timeouts={"conditionWait": "20s", "responseHeader": "3s"}, targetPendingRequests=9,
        )
    )  # fmt: skip

    assert (found.spec.timeouts.readiness, found.spec.timeouts.response_header) == ("7s", "3s")
    assert found.spec.cold_start.fallback.service.name == "other"
    assert found.spec.scaling_metric.concurrency.target_value == 9
    assert RoutingTable([found]).find(
        HttpRequest(host="a.com", path="/x/y", headers=(("k", "v"),))
    )  # fmt: skip


class Counted:
    """Counts of one route, and what KEDA is told of it."""

    def __init__(self, spec: dict, *, of_object: bool = True) -> None:
        self.sim = Sim(seed=3)
        self.told: list[tuple[str, int]] = []
        known = route(scalingMetric=spec)
        self.counts = RequestCounts(
            self.sim,
            config=HttpAddOnConfig(),
            route=lambda _: (known, of_object),
            active=lambda _: self.told.append(("active", self.sim.now)),
            idle=lambda _, at_ns: self.told.append(("idle", at_ns)),
        )
        self.counts.ensure("default/web")
        rng = Sim(seed=3).rng("keda-http-scaler/grid")
        self.phase_ns = rng.uniform(0, TICK_NS)
        self.stream_ns = rng.uniform(0, STREAM_NS)

    def request(self, begin_ns: int, length_ns: int) -> None:
        self.sim.call_in(begin_ns, self.counts.began, "default/web")
        self.sim.call_in(begin_ns + length_ns, self.counts.ended, "default/web")

    def value(self, metric: str = "") -> int:
        metadata = {"httpScaledObject": "web"}
        name = metric or self.counts.metrics("default", metadata)[0].name
        return self.counts.value_milli("default", metadata, name)


CONCURRENCY = {"concurrency": {"targetValue": 10}}
RATE = {"requestRate": {"targetValue": 10, "window": "10s", "granularity": "1s"}}


def test_what_the_scaler_saw_is_what_it_says():
    """The requests under way at its last tick, half a second apart."""
    counted = Counted(CONCURRENCY)
    counted.request(2 * SECOND, 3 * SECOND)
    counted.sim.run_until(2 * SECOND + 1)
    assert counted.value() == 0
    counted.sim.run_until(3 * SECOND)
    assert counted.value() == 1000
    assert counted.counts.metrics("default", {"httpScaledObject": "web"})[0].name == (
        "http-default_002Fweb"
    )


spans = st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 4_000)), min_size=1, max_size=12)


@settings(max_examples=60)
@given(requests=spans)
def test_keda_is_told_as_by_one_that_ticks(requests):
    """It hears of beginning and end of activity at the instants of a scaler that never sleeps."""
    counted = Counted(CONCURRENCY)
    for begin_ms, length_ms in requests:
        counted.request(begin_ms * MILLISECOND, length_ms * MILLISECOND)
    counted.sim.run_until(40 * SECOND)

    expected: list[tuple[str, int]] = []
    active, at_ns = False, counted.phase_ns
    while at_ns <= 35 * SECOND:
        busy = any(
            begin * MILLISECOND <= at_ns < (begin + length) * MILLISECOND
            for begin, length in requests
        )
        next_stream_ns = at_ns + (counted.stream_ns - at_ns) % STREAM_NS
        if busy and not active:
            expected.append(("active", next_stream_ns))
        if active and not busy:
            expected.append(("idle", max(0, next_stream_ns - STREAM_NS)))
        active, at_ns = busy, at_ns + TICK_NS
    assert expected == counted.told


@settings(max_examples=60)
@given(begins=st.lists(st.integers(0, 30_000), max_size=20), at=st.integers(0, 45_000))
def test_rates_are_those_of_one_that_ticks(begins, at):
    """The mean of the window's buckets, each filled by the ticks of its second; partial at first."""
    counted = Counted(RATE, of_object=False)
    for begin_ms in begins:
        counted.request(begin_ms * MILLISECOND, 1)
    counted.sim.run_until(at * MILLISECOND)

    buckets: dict[int, int] = {}
    before, first, last = 0, None, None
    tick_ns = counted.phase_ns
    while tick_ns <= at * MILLISECOND:
        count = sum(begin * MILLISECOND <= tick_ns for begin in begins)
        bucket = tick_ns // SECOND
        delta = 0 if first is None else count - before
        first = bucket if first is None else first
        buckets[bucket] = buckets.get(bucket, 0) + delta
        before, last, tick_ns = count, bucket, tick_ns + TICK_NS
    expected = 0.0
    if last is not None:
        window = [buckets.get(b, 0) for b in range(last - 9, last + 1)]
        expected = round(sum(window) / min(last - first + 1, 10), 3)
    assert round(1000 * expected) == counted.value("http_web_rate")


def test_a_rate_keeps_its_application_for_a_window():
    """It is not idle before the window has passed without a request."""
    counted = Counted(RATE)
    counted.request(5 * SECOND, 1)
    counted.sim.run_until(60 * SECOND)

    (active, told_ns), (idle, last_ns) = counted.told
    assert (active, idle) == ("active", "idle")
    assert 5 * SECOND < told_ns < 6 * SECOND
    assert 14 * SECOND < last_ns < 17 * SECOND
    assert counted.sim.events_processed < 30


class Held:
    """An interceptor and a Service that is not there yet."""

    def __init__(
        self, *objects: Any, answer: Any = None, takes_ns: int = 0, **config: Any
    ) -> None:
        self.cluster = Cluster()
        self.sim = self.cluster.sim
        self.asked: list[tuple[str, int]] = []
        client = self.cluster.client("interceptor")
        self.counts = RequestCounts(
            self.sim, config=HttpAddOnConfig(), route=lambda key: self.interceptor.route(key),  # noqa: PLW0108  # made below
            active=lambda _: None, idle=lambda _key, _at: None,
        )  # fmt: skip
        reply = answer or Served(response=HttpResponse(body=b"hello"), execute_ns=5)

        def upstream(service: str, port: int, request: HttpRequest, timeout_ns: int) -> Any:
            self.asked.append((service, port))
            yield self.sim.timeout(min(takes_ns, timeout_ns) if timeout_ns else takes_ns)
            return ConnectionRefused("timeout") if 0 < timeout_ns < takes_ns else reply

        self.interceptor = Interceptor(
            self.sim, client=client, config=HttpAddOnConfig(**config), counts=self.counts,
            upstream=upstream,
        )  # fmt: skip
        for obj in objects:
            self.cluster.api.create(obj)
        self.cluster.run(1)

    def become_ready(self, service: str = "web") -> None:
        self.cluster.api.create(
            EndpointSlice.model_validate(
                {
                    "metadata": {"name": service, "namespace": "default",
                                 "labels": {"kubernetes.io/service-name": service}},
                    "addressType": "IPv4",
                    "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}],
                    "ports": [{"port": 80}],
                }
            )
        )  # fmt: skip
        self.cluster.run(0.01)

    def ask(self, path: str = "/") -> Served:
        return run_process(self.sim, self.interceptor.serve(HttpRequest(host="a.com", path=path)))


def test_a_request_waits_until_somebody_can_answer():
    """And says so; the next one does not."""
    held = Held(route(**rules("a.com")))
    held.sim.call_in(5 * SECOND, held.become_ready)
    first, second = held.ask(), held.ask()

    assert [dict(s.response.headers)["X-KEDA-HTTP-Cold-Start"] for s in (first, second)] == [
        "true", "false",
    ]  # fmt: skip
    assert (first.response.body, first.execute_ns) == (b"hello", 5)
    assert 5 * SECOND <= first.queue_ns < 5.1 * SECOND
    assert second.queue_ns == 0


@pytest.mark.parametrize(
    ("spec", "config", "status", "after_s", "service"),
    [
        ({"timeouts": {"readiness": "3s"}}, {}, 504, 3, None),
        ({"timeouts": {"request": "4s"}}, {}, 504, 4, None),
        ({}, {"readiness_timeout_ns": 2 * SECOND}, 504, 2, None),
        ({"coldStart": {"fallback": {"service": {"name": "b", "port": 81}}}}, {}, 200, 30,
         ("default/b", 81)),
        ({"timeouts": {"readiness": "1s"},
          "coldStart": {"fallback": {"service": {"name": "b", "port": 81}}}}, {}, 200, 1,
         ("default/b", 81)),
        ({"coldStart": {"placeholder": {"response": {"body": "soon"}}}}, {}, 503, 0, None),
    ],
)  # fmt: skip
def test_what_is_done_when_nobody_comes(spec, config, status, after_s, service):
    """Its time-outs are 504s, a fallback answers instead, a placeholder at once."""
    held = Held(route(**rules("a.com"), **spec), **config)
    began_ns = held.sim.now
    answer = held.ask()

    assert status == answer.response.status
    assert after_s == (held.sim.now - began_ns) // SECOND
    expected = [service] if service else []
    assert expected == held.asked


@pytest.mark.parametrize(
    ("answer", "takes_s", "status"),
    [
        (ConnectionRefused("connection reset by peer"), 0, 502),
        (None, 400, 504),
        (Served(response=HttpResponse(status=503)), 0, 503),
    ],
)
def test_what_comes_back_of_a_workload_that_is_there(answer, takes_s, status):
    """Its own answer, or what a gateway says instead."""
    held = Held(route(**rules("a.com")), answer=answer, takes_ns=takes_s * SECOND)
    held.become_ready()

    assert status == held.ask().response.status


def test_static_routes_are_not_counted():
    """They have an answer of their own, always or while nobody else has one."""
    static = [{"rules": [{"paths": [{"value": "/health"}]}], "response": {"body": "fine"}}]
    held = Held(route(**rules("a.com"), staticRoutes=static))
    assert held.ask("/health").response.body == b"fine"
    held.become_ready()
    assert held.ask("/health").response.body == b"hello"

    assert held.counts.value_milli("default", {"interceptorRoute": "web"},
                                   "http_web_concurrency") == 0  # fmt: skip


def test_a_port_may_have_a_name():
    """It is looked up in the Service; one that has no such port is an error of the interceptor's."""
    service = {"metadata": {"name": "web", "namespace": "default"},
               "spec": {"ports": [{"name": "web", "port": 8000}]}}  # fmt: skip
    target = {"target": {"service": "web", "portName": "web"}}
    held = Held(Service.model_validate(service), route(**rules("a.com"), **target))
    held.become_ready()
    held.ask()
    other = Held(route(**rules("a.com"), **target))
    other.become_ready()

    assert held.asked == [("default/web", 8000)]
    assert other.ask().response.status == 500


def test_the_operator_keeps_a_scaledobject():
    """With a trigger that pushes, looked at every 15 s; somebody's change of it is put right."""
    cluster = Cluster()
    HTTPScaledObjectController(cluster.sim, client=cluster.client("http-add-on"))
    cluster.api.create(scaled_object(scaledownPeriod=60, replicas={"min": 0, "max": 7}))
    cluster.run(1)
    made = cluster.api.get(ScaledObject, "default/web")
    assert (made.spec.polling_interval, made.spec.cooldown_period) == (15, 60)
    assert (made.spec.max_replica_count, made.spec.triggers[0].type) == (7, "external-push")
    status = cluster.api.get(HTTPScaledObject, "default/web").status
    assert (status.target_service, status.conditions[0].status) == ("web:80", "True")

    cluster.update(
        ScaledObject,
        "default/web",
        lambda obj: obj.replace(spec=obj.spec.replace(max_replica_count=99)),
    )
    cluster.run(1)
    assert cluster.api.get(ScaledObject, "default/web").spec.max_replica_count == 7
    before = cluster.api.store.revision
    cluster.run(100)
    assert before == cluster.api.store.revision


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (scaled_object(scalingMetric={**CONCURRENCY, **RATE}), "mutually exclusive"),
        (scaled_object(scaleTargetRef={"service": "w"}), "'portName' or the 'port'"),
        (scaled_object(timeouts={"conditionWait": "soon"}), "soon"),
        (route(scalingMetric={}), "at least one of 'concurrency'"),
        (route(coldStart={}), "at least one of 'fallback'"),
        (route(target={"service": "w", "port": 1, "portName": "w"}), "'portName' or the 'port'"),
    ],
)
def test_what_is_wrong_is_refused(obj, message):
    """With the reason."""
    (webhook,) = [hook for hook in HTTP_ADD_ON_WEBHOOKS if hook.kind is type(obj)]

    assert any(message in str(error) for error in webhook.validate(obj, None))
