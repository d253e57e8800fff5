"""Where a component's data is: what the runtime configuration in the mounted Secret says."""

from __future__ import annotations

from base64 import b64decode

import pytest
from spinapp_harness import TWO_NODES, SpinRun, Write, spin_app

from kubesim.api.corev1 import Secret
from kubesim.node.shim.runtimeconfig import RuntimeConfig
from kubesim.node.shim.storefiles import StoreFiles
from kubesim.node.shim.task import TaskSpec
from kubesim.wasm.stores import Stores
from kubesim.wire.filetree import Directory, File
from kubesim.wire.http import Served
from kubesim.wire.image import WasmKind, WasmProgram

STORE = "replicas: %d\nruntimeConfig: {keyValueStores: [{name: default, type: %s%s}]}"
REDIS_AT = ", options: [{name: url, value: 'redis://%s'}]"
REDIS = """
---
apiVersion: v1
kind: Pod
metadata: {name: redis, labels: {app: redis}}
spec:
  containers: [{name: redis, image: 'docker.io/library/redis:7', ports: [{containerPort: 6379}]}]
---
apiVersion: v1
kind: Service
metadata: {name: redis}
spec: {selector: {app: redis}, ports: [{port: 6379}]}
"""
REDIS_DEPLOYMENT = """
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: redis}
spec:
  selector: {matchLabels: {app: redis}}
  template:
    metadata: {labels: {app: redis}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: redis, image: 'docker.io/library/redis:7'}]
---
apiVersion: v1
kind: Service
metadata: {name: redis}
spec: {selector: {app: redis}, ports: [{port: 6379}]}
"""
ON_REDIS = spin_app(STORE % (2, "redis", REDIS_AT % "redis:6379")) + REDIS


def test_each_replica_has_its_own_store(write_scenario: Write) -> None:
    """Spin's own store is a file in the container: two replicas count for themselves."""
    run = SpinRun(write_scenario, spin_app(STORE % (2, "spin", ""))).until(20)
    first, second = run.pods()
    counted = [run.body("/visits", pod=pod) for pod in (first, first, second)]
    assert ["1", "2", "1"] == counted


def test_a_restart_of_the_container_empties_it(write_scenario: Write) -> None:
    """The same pod, a new container: its file is gone, and so is what it had in SQLite."""
    dies = "\nchecks: {liveness: {initialDelaySeconds: 30, httpGet: {path: /nothing}}}"
    run = SpinRun(write_scenario, spin_app(STORE % (1, "spin", "") + dies)).until(20)
    assert ["1", "2"] == [run.body("/visits") for _ in range(2)]
    run.body("/sql", body=b"CREATE TABLE t (n INTEGER)")
    run.body("/sql", body=b"INSERT INTO t VALUES (41), (1)")
    assert "sum(n)\n42" == run.body("/sql", body=b"SELECT sum(n) FROM t")
    run.until(75)
    assert 1 == run.restarts()
    assert "1" == run.body("/visits")
    assert "no such table: t" in run.body("/sql", body=b"SELECT sum(n) FROM t")


ON_A_VOLUME = """replicas: 1
volumes: [{name: data, %s}]
volumeMounts: [{name: data, mountPath: /data}]
runtimeConfig:
  keyValueStores: [{name: default, type: spin, options: [{name: path, value: /data/kv/spin.db}]}]
  sqliteDatabases: [{name: default, type: spin, options: [{name: path, value: /data/sql.db}]}]
checks: {liveness: {initialDelaySeconds: 30, httpGet: {path: /nothing}}}"""


def test_a_file_on_a_volume_outlives_the_container(write_scenario: Write) -> None:
    """An emptyDir lives as long as its pod: after a restart the store and the database are there."""
    run = SpinRun(write_scenario, spin_app(ON_A_VOLUME % "emptyDir: {}")).until(20)
    assert ["1", "2"] == [run.body("/visits") for _ in range(2)]
    run.body("/sql", body=b"CREATE TABLE t (n INTEGER)")
    run.body("/sql", body=b"INSERT INTO t VALUES (41), (1)")
    run.until(75)
    assert 1 == run.restarts()
    assert "3" == run.body("/visits")
    assert "sum(n)\n42" == run.body("/sql", body=b"SELECT sum(n) FROM t")


@pytest.mark.parametrize(
    ("volume", "expected"),
    [("emptyDir: {}", "1"), ("hostPath: {path: /srv/visits}", "3")],
    ids=["emptyDir", "hostPath"],
)
def test_a_new_pod_finds_what_its_volume_has(
    write_scenario: Write, volume: str, expected: str
) -> None:
    """A new pod has a new emptyDir, and the same directory of its node."""
    run = SpinRun(write_scenario, spin_app(ON_A_VOLUME % volume)).until(20)
    assert ["1", "2"] == [run.body("/visits") for _ in range(2)]
    (first,) = run.pods()
    run.kill(first)
    run.until(29)
    (second,) = run.pods()
    assert first.uid != second.uid
    assert expected == run.body("/visits")


def test_a_volume_that_cannot_be_written_is_not_used(write_scenario: Write) -> None:
    """A ConfigMap's volume takes no file: the store is the container's own again."""
    config = "\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: other}, data: {a: b}}"
    run = SpinRun(write_scenario, spin_app(ON_A_VOLUME % "configMap: {name: other}") + config)
    run.until(20)
    assert ["1", "2"] == [run.body("/visits") for _ in range(2)]
    run.until(75)
    assert "1" == run.body("/visits")


def test_what_is_no_database_cannot_be_opened() -> None:
    """A file of another kind at the path: the store and the database are said to be broken."""
    volume = Directory.writable("data")
    volume.entries["kv.db"] = volume.entries["sql.db"] = File(b"this is no database at all" * 100)
    config = RuntimeConfig(
        store_paths={"default": "/data/kv.db"}, database_paths={"default": "data/sql.db"}
    )
    StoreFiles(task_spec({"/data": volume}), config).load(Stores())
    broken = {"default": "file is not a database"}
    assert (broken, broken) == (config.unreachable, config.unreachable_databases)


def task_spec(mounts: dict[str, Directory]) -> TaskSpec:
    program = WasmProgram(module=b"", digest="sha256:0", kind=WasmKind.HTTP)
    return TaskSpec(
        namespace="default", pod="p", uid="u", container="c", attempt=0, program=program, ip="",
        mounts=tuple(mounts.items()),
    )  # fmt: skip


def test_replicas_share_a_redis_server(write_scenario: Write) -> None:
    """Both count in the server's one key, over the network, through its Service."""
    run = SpinRun(write_scenario, ON_REDIS, pools=TWO_NODES).until(20)
    first, second = run.pods()
    counted = [run.body("/visits", pod=pod) for pod in (first, second, first)]
    assert ["1", "2", "3"] == counted
    # Each visit opens the store (PING), reads (GET) and writes (SET).
    assert 9 == run.live.view.services()["redis"]["requests"]


def test_redis_costs_its_latency(write_scenario: Write) -> None:
    """Three commands are three round trips and three services longer than the store in the container."""
    took = {}
    for kind, manifests in (("spin", spin_app(STORE % (1, "spin", ""))), ("redis", ON_REDIS)):
        run = SpinRun(write_scenario, manifests).until(20)
        run.body("/visits")
        answer = run.ask("/visits")
        assert isinstance(answer, Served)
        took[kind] = answer.execute_ns
    assert 3 * 100_000 < took["redis"] - took["spin"] < 5_000_000


def test_redis_keeps_nothing_beyond_its_pod(write_scenario: Write) -> None:
    """While nobody listens the store fails; a new pod of the server begins anew."""
    app = spin_app(STORE % (1, "redis", REDIS_AT % "redis"))
    run = SpinRun(write_scenario, app + REDIS_DEPLOYMENT).until(20)
    assert ["1", "2"] == [run.body("/visits") for _ in range(2)]
    (server,) = run.pods("redis-")
    run.kill(server)
    run.until(run.live.now_ns / 1e9 + 30)
    assert server.uid != run.pods("redis-")[0].uid
    assert "1" == run.body("/visits")


@pytest.mark.parametrize("host", ["redis:6379", "redis.other:6379", "cache.example.com"])
def test_an_unreachable_redis_fails_the_store(write_scenario: Write, host: str) -> None:
    """A Service without endpoints, one that does not exist, a name outside: opening fails, a 500."""
    manifests = spin_app(STORE % (1, "redis", REDIS_AT % host)) + REDIS.replace(
        "labels: {app: redis}", "labels: {app: none}"
    )
    run = SpinRun(write_scenario, manifests).until(20)
    assert 500 == run.status("/visits")


def test_what_a_user_wrote_into_a_secret(write_scenario: Write) -> None:
    """With loadFromSecret the user's own file is what Spin reads; the operator renders none."""
    mine = """
---
apiVersion: v1
kind: Secret
metadata: {name: mine}
stringData:
  runtime-config.toml: |
    [key_value_store.default]
    type = "redis"
    url = "redis://redis.default.svc.cluster.local"
"""
    app = spin_app("replicas: 2\nruntimeConfig: {loadFromSecret: mine}")
    run = SpinRun(write_scenario, app + mine + REDIS).until(20)
    first, second = run.pods()
    assert ["1", "2"] == [run.body("/visits", pod=pod) for pod in (first, second)]
    names = [secret.name for secret in run.live.simulation.store.values(Secret)]
    assert ["mine"] == names


def test_the_operators_file_is_what_spin_reads(write_scenario: Write) -> None:
    """An option from a Secret of the user's reaches the mounted file, and so the component."""
    app = """replicas: 1
runtimeConfig:
  keyValueStores:
  - name: default
    type: redis
    options: [{name: url, valueFrom: {secretKeyRef: {name: where, key: url}}}]"""
    where = "\n---\n{apiVersion: v1, kind: Secret, metadata: {name: where}, stringData: {url: 'redis://redis'}}"
    run = SpinRun(write_scenario, where + "\n---" + spin_app(app) + REDIS).until(25)
    store = run.live.simulation.store
    (made,) = (s for s in store.values(Secret) if s.name.startswith("visits-"))
    text = b64decode(made.data["runtime-config.toml"]).decode()
    assert "url = 'redis://redis'" in text
    assert "1" == run.body("/visits")
    assert 3 == run.live.view.services()["redis"]["requests"]


NOT_TAKEN = "could not configure key-value store with label 'default': "


@pytest.mark.parametrize(
    ("store", "said"),
    [
        (
            "memcached",
            "the store type 'memcached' was not registered with the config resolver",
        ),
        ("redis", "could not parse key-value runtime config: missing field `url`"),
    ],
)
def test_a_configuration_that_spin_does_not_take(
    write_scenario: Write, store: str, said: str
) -> None:
    """Spin ends with an error, its container with 137, and the kubelet starts it again and again."""
    run = SpinRun(write_scenario, spin_app(STORE % (1, store, ""))).until(60)
    assert [] == run.ready()
    assert run.restarts() >= 2
    (pod,) = run.pods()
    last = pod.status.container_statuses[0].last_state.terminated
    assert last is not None
    assert (137, "Error") == (last.exit_code, last.reason)
    assert f"Error: {NOT_TAKEN}{said}" == run.log()[0]


def test_a_label_that_nobody_defined(write_scenario: Write) -> None:
    """Only "default" is there by itself; what else a component asks for must be configured."""
    run = SpinRun(
        write_scenario, spin_app("replicas: 1"), grants="{keyValueStores: [default, sessions]}"
    ).until(30)
    assert (
        'Error: unknown key_value_stores label "sessions" for component "visits"' == run.log()[0]
    )


def test_a_database_outside_of_the_cluster(write_scenario: Write) -> None:
    """A libSQL database is not reached, and the run says so before it begins."""
    options = "options: [{name: url, value: 'https://db.example.com'}, {name: token, value: t}]"
    database = f"{{name: default, type: libsql, {options}}}"
    app = f"replicas: 1\nruntimeConfig: {{sqliteDatabases: [{database}]}}"
    run = SpinRun(write_scenario, spin_app(app)).until(20)
    assert "dns error" in run.body("/sql", body=b"SELECT 1")
    assert any('store "default" (libsql) outside' in said for said in run.scenario.unsimulated)


def test_nothing_is_said_to_be_without_effect(write_scenario: Write) -> None:
    """Checks, stores and variables are simulated: a run with them has nothing to excuse."""
    checks = "\nchecks: {liveness: {httpGet: {path: /visits}}}"
    run = SpinRun(write_scenario, spin_app(STORE % (1, "spin", "") + checks))
    assert () == run.scenario.unsimulated
