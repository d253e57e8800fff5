"""Spin's interfaces: stores, databases, variables and other services, as they were granted."""

from __future__ import annotations

import pytest

from kubesim.wasm import Limits, Reply, SpinContext, Status, Stores, TimeModel, WasiContext
from kubesim.wasm.memo import Memo
from kubesim.wasm.stores import Awaiting
from kubesim.wire.http import HttpRequest, HttpResponse

START_NS = 1_767_225_600 * 10**9  # 2026-01-01T00:00:00Z
LIMITS = Limits(fuel=100_000_000)


@pytest.fixture
def ask(engine, load):
    """Ask the Spin application something, in a container of its own."""
    stores = Stores()
    granted = SpinContext(
        stores=stores,
        key_value_stores=("default",),
        sqlite_databases=("default",),
        variables={"greeting": "hello"},
        allowed_outbound_hosts=("http://backend", "http://*.spin.internal"),
        outbound=lambda request, scheme: Reply(
            HttpResponse(status=201, body=f"{scheme} {request.host}".encode()), took_ns=7_000_000
        ),
    )

    def answer(path: str, query: str = "", body: bytes = b"", spin: SpinContext = granted):
        request = HttpRequest(method="POST", path=path, query=query, body=body)
        context = WasiContext(start_ns=START_NS, seed=b"seed")
        return engine.handle(load("visits"), request, context, LIMITS, spin=spin)

    yield answer
    stores.close()


def said(handled) -> tuple[int, str]:
    """Status and body of an answer."""
    return handled.response.status, handled.response.body.decode()


def test_a_store_outlives_a_request(ask):
    """Each request has a fresh instance, and they share the container's store."""
    assert ["1", "2", "3"] == [said(ask("/visits"))[1] for _ in range(3)]
    assert "stores" in ask("/visits").execution.touched


def test_only_granted_stores_open(ask):
    """Another store is denied and recorded."""
    handled = ask("/store", "other")

    assert (200, "access-denied") == said(handled)
    assert [("key-value.open", "other")] == [
        (denial.function, denial.target) for denial in handled.execution.denied
    ]


def test_a_database_is_a_real_one(ask):
    """SQL runs in SQLite, and its rows come back as values."""
    ask("/sql", body=b"CREATE TABLE t (a INTEGER, b TEXT)")
    ask("/sql", body=b"INSERT INTO t VALUES (1, 'one'), (2, NULL)")

    assert (200, "a,b\n1,one\n2,null") == said(ask("/sql", body=b"SELECT * FROM t"))


def test_a_database_knows_only_virtual_time_and_seeded_chance(ask):
    """The present is the simulation's and random() follows from the seed."""
    question = b"SELECT date('now'), strftime('%Y'), current_date, abs(random()) > 0"
    answer = said(ask("/sql", body=question))[1].splitlines()[1]

    assert "2026-01-01,2026,2026-01-01,1" == answer
    draws = {said(ask("/sql", body=b"SELECT hex(randomblob(8))"))[1] for _ in range(2)}
    assert 1 == len(draws)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (b"ATTACH DATABASE '/etc/passwd' AS x", "not authorized"),
        (b"PRAGMA journal_mode = WAL", "not authorized"),
        (b"SELECT load_extension('x')", "not authorized"),
        (b"SELECT nonsense", "no such column: nonsense"),
        (b"SELECT 1; SELECT 2", "You can only execute one statement at a time."),
        (
            b"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT max(x) FROM c",
            "interrupted",
        ),
        (b"SELECT zeroblob(100000000)", "string or blob too big"),
    ],
)
def test_sql_that_reaches_out_or_never_ends_is_an_error(ask, statement, reason):
    """The guest gets an error value; the simulator's files, settings and time stay its own."""
    assert (400, reason) == said(ask("/sql", body=statement))


def test_variables_are_what_was_configured(ask):
    """A known variable has its value, another is undefined."""
    assert (200, "hello") == said(ask("/variable", "greeting"))
    assert (404, "undefined") == said(ask("/variable", "other"))


def test_another_service_is_called_when_it_is_allowed(ask):
    """The answer arrives after the time it took; a host that is not allowed is denied."""
    called, refused = ask("/call", "backend"), ask("/call", "evil.example")

    assert (200, "201 http backend") == said(called)
    assert called.execution.sleep_ns >= 6_900_000
    assert (200, "201 http a.spin.internal") == said(ask("/call", "a.spin.internal"))
    assert (403, "denied") == said(refused)
    assert "http://evil.example" == refused.execution.denied[0].target


def test_nobody_answers_without_a_network(ask):
    """A host that is allowed but not reachable is an error value."""
    silent = SpinContext(
        allowed_outbound_hosts=("*://*:*",), outbound=lambda _request, _scheme: Reply(None)
    )

    assert (502, "no answer") == said(ask("/call", "backend", spin=silent))


@pytest.mark.parametrize(
    ("pattern", "scheme", "authority", "allowed"),
    [
        ("http://a", "http", "a", True),
        ("http://a", "https", "a", False),
        ("http://a", "http", "a:80", True),
        ("http://a", "http", "a:8080", False),
        ("http://a:8080", "http", "a:8080", True),
        ("http://a:8000..8100", "http", "a:8080", True),
        ("http://a:*", "http", "a:1", True),
        ("*://*:*", "https", "b", True),
        ("https://*.example.com", "https", "x.example.com", True),
        ("https://*.example.com", "https", "example.com", False),
        ("nonsense://", "http", "a", False),
    ],
)
def test_allowed_hosts_are_matched_as_spin_does(pattern, scheme, authority, allowed):
    """Scheme, host with wildcard and port or range must fit."""
    context = SpinContext(allowed_outbound_hosts=(pattern,))

    assert allowed == context.allows(scheme, authority)


def test_a_run_that_used_a_store_is_executed_again(engine, load):
    """A memo does not replay it, or the second visit would be the first one."""
    memo, spin = Memo(engine), SpinContext(key_value_stores=("default",))
    bodies = [
        memo.handle(
            load("visits"),
            HttpRequest(path="/visits"),
            WasiContext(),
            LIMITS,
            time=TimeModel(),
            spin=spin,
        ).response.body
        for _ in range(2)
    ]

    assert [b"1", b"2"] == bodies
    assert 0 == memo.statistics.hits


def test_a_run_that_has_to_wait_leaves_nothing_behind(engine, load):
    """What was stored before the call is taken back, as the guest will run again from the start."""
    stores = Stores()
    stores.put("default", "visits", b"7")
    stores.commit()
    stores.put("default", "visits", b"8")

    def wait(request: HttpRequest, scheme: str) -> Reply:
        raise Awaiting(request, scheme)

    spin = SpinContext(stores=stores, allowed_outbound_hosts=("*://*:*",), outbound=wait)
    with pytest.raises(Awaiting):
        engine.handle(
            load("visits"), HttpRequest(path="/call", query="b"), WasiContext(), LIMITS, spin=spin
        )

    assert b"7" == stores.get("default", "visits")


def test_a_store_has_a_size(monkeypatch):
    """What does not fit is refused, and taking something away makes room."""
    monkeypatch.setattr("kubesim.wasm.stores.STORE_BYTES_MAX", 10)
    stores = Stores()

    assert stores.put("s", "key", b"1234567")
    assert not stores.put("s", "k", b"")
    assert stores.put("s", "key", None)
    assert stores.put("s", "k", b"")


def test_fuel_holds_for_a_spin_application(ask):
    """A handler that never ends is stopped, and its client gets a 500."""
    handled = ask("/hostile/spin")

    assert (500, Status.OUT_OF_FUEL) == (handled.response.status, handled.execution.status)
