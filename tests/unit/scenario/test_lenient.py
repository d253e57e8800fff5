"""The three ways to take the manifests of the article that the project started from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubesim.errors import InputError
from kubesim.manifests import load_documents, read_paths, read_text, to_data
from kubesim.scenario import Scenario
from kubesim.scenario.executors import ordered
from kubesim.scenario.lenient import Reading, Strictness, read
from kubesim.share import share_path

MANIFESTS = share_path("scenarios") / "seed-manifests" / "manifests"

APP = """
apiVersion: core.spinkube.dev/v1alpha1
kind: SpinApp
metadata: {{name: a}}
spec: {{image: b, executor: e, {spec}}}
"""
OLD = "{apiVersion: core.spinoperator.dev/v1alpha1, kind: %s, metadata: {name: a}, spec: {%s}}"
EXECUTOR = """
apiVersion: core.spinkube.dev/v1alpha1
kind: SpinAppExecutor
metadata: {name: e}
spec: {createDeployment: false}
"""


def taken(text: str, strictness: Strictness) -> Reading:
    return read(read_text(text, "file.yaml"), strictness)


def lenient(text: str) -> dict[str, object]:
    """The one object of a text, read leniently and decoded, as plain data."""
    manifest = load_documents(taken(text, "lenient").documents)[0]
    data: dict[str, object] = to_data(manifest.obj)
    return data


def problems(reading: Reading) -> list[str]:
    return [str(problem) for problem in reading.problems]


def article(strictness: Strictness) -> Reading:
    return read(read_paths([MANIFESTS]), strictness)


def test_strict_finds_everything_the_article_has_wrong() -> None:
    """Read strictly, each mistake of the article's manifests is named with its place."""
    places = [f"{Path(p.file or '').name}:{p.line}:{p.column}" for p in article("strict").problems]
    assert [
        "coexistence.yaml:2:13",  # W1
        "coexistence.yaml:19:27",  # W9
        "coexistence.yaml:12:3",  # W5
        "runtimeclass.yaml:8:25",  # W9
        "runtimeclass.yaml:21:25",  # W9
        "service.yaml:8:37",  # W10
        "spinapp.yaml:1:13",  # W1
        "spinapp.yaml:16:13",  # W6
        "spinapp.yaml:21:3",  # W4
        "spinapp.yaml:31:13",  # W1
        "spinapp.yaml:40:13",  # W1
    ] == places


def test_lenient_finds_nothing_wrong() -> None:
    """Read leniently, nothing is refused and every conversion is said."""
    reading = article("lenient")
    assert [] == reading.problems
    rules = {note.rpartition("(")[2].rstrip(")") for note in reading.notes}
    assert {"W1", "W3", "W4", "W5", "W6", "W9", "W10", "W11"} == rules
    assert 8 == len(load_documents(reading.documents))


def test_lenient_scenario_runs() -> None:
    """The article's manifests run as a scenario, and its expectations hold."""
    run = Scenario.load("seed-manifests").run(until=60_000_000_000)
    assert [] == [result.name for result in run.expectations if not result.passed]
    said = "\n".join(run.unsimulated)
    assert "spec.podSpec is applied to the pod template" in said
    assert "hello-spin has enableAutoscaling, and nothing scales its Deployment" in said


@pytest.mark.parametrize("strictness", ["strict", "warn"])
def test_w1_old_group_is_refused(strictness: Strictness) -> None:
    """A cluster of today has no kind of the old group."""
    expected = (
        "file.yaml:1:14: apiVersion: "
        'no matches for kind "SpinApp" in version "core.spinoperator.dev/v1alpha1" '
        '(SpinApp is served as apiVersion "core.spinkube.dev/v1alpha1" since v0.4.0 of the operator)'
    )
    assert [expected] == problems(taken(OLD % ("SpinApp", "image: b"), strictness))


def test_w1_old_group_is_converted() -> None:
    """Leniently, the old group is the new one."""
    found = lenient(OLD % ("SpinAppExecutor", "createDeployment: false"))
    assert "core.spinkube.dev/v1alpha1" == found["apiVersion"]


DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  selector: {matchLabels: {core.spinoperator.dev/app-name: a}}
  template:
    metadata: {labels: {core.spinoperator.dev/app-name: a}}
    spec: {containers: [{name: a, image: b}]}
"""


def test_w2_old_labels() -> None:
    """The old labels of workloads are converted, in selector and template alike."""
    spec = lenient(DEPLOYMENT)["spec"]
    assert isinstance(spec, dict)
    new = {"core.spinkube.dev/app-name": "a"}
    assert (new, new) == (spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"])
    assert 2 == len(problems(taken(DEPLOYMENT, "strict")))
    assert 2 == len(taken(DEPLOYMENT, "warn").notes)


def test_w3_replicas_with_autoscaling() -> None:
    """Leniently, replicas give way to autoscaling; otherwise the webhook's rule speaks."""
    text = APP.format(spec="replicas: 3, enableAutoscaling: true")
    assert "replicas" not in str(lenient(text)["spec"])
    assert [] == problems(taken(text, "strict")) + problems(taken(text, "warn"))


CONFIG = """runtime-config: {
  key_value_stores: {default: {type: redis, url: 'redis://r'}},
  sqlite_databases: {default: {type: libsql, url: u, token: t}}}"""


def test_w4_runtime_config() -> None:
    """Leniently, maps of stores become lists, and every key but the type an option."""
    spec = lenient(APP.format(spec=CONFIG))["spec"]
    assert isinstance(spec, dict)
    url = {"name": "url", "value": "redis://r"}
    more = [{"name": "url", "value": "u"}, {"name": "token", "value": "t"}]
    assert {
        "keyValueStores": [{"name": "default", "type": "redis", "options": [url]}],
        "sqliteDatabases": [{"name": "default", "type": "libsql", "options": more}],
    } == spec["runtimeConfig"]


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        (CONFIG, ' (did you mean "runtimeConfig"?)'),
        (
            "podSpec: {nodeSelector: {a: b}}",
            " (tolerations and nodeSelector come from the RuntimeClass's scheduling)",
        ),
    ],
)
def test_unknown_fields(field: str, hint: str) -> None:
    """Unknown fields are refused strictly, and dropped with a word by a client that warns."""
    text, name = APP.format(spec=field), field.partition(":")[0]
    unknown = f'unknown field "spec.{name}"'
    assert [f"file.yaml:5:31: {unknown}{hint}"] == problems(taken(text, "strict"))
    reading = taken(text, "warn")
    assert ([], [f"file.yaml:5: {unknown} is dropped"]) == (reading.problems, reading.notes)
    assert name not in str(reading.documents[0].data)


def test_w5_pod_spec() -> None:
    """Leniently, tolerations and node selector travel to the operator in an annotation."""
    found = lenient(APP.format(spec="podSpec: {nodeSelector: {a: b}}"))
    metadata = found["metadata"]
    assert isinstance(metadata, dict)
    expected = {"lenient.kubesim.dev/pod-spec": '{"nodeSelector": {"a": "b"}}'}
    assert expected == metadata["annotations"]


@pytest.mark.parametrize(
    ("name", "right"),
    [("DATABASE_URL", False), ("a_b1", True), ("a__b", False), ("a_", False), ("1a", False)],
)
def test_w6_variable_names(name: str, right: bool) -> None:
    """Spin's variables are lower case, with single underscores between letters and digits."""
    text = APP.format(spec=f"variables: [{{name: {name}, value: v}}]")
    assert right is not bool(problems(taken(text, "strict")))


def test_w6_is_lowered() -> None:
    """Leniently, a variable's name is lower-cased; the environment is the same either way."""
    found = lenient(APP.format(spec="variables: [{name: DATABASE_URL, value: v}]"))
    assert "database_url" in str(found["spec"])


def test_w9_architecture() -> None:
    """Leniently, the WebAssembly architecture means any node with a Wasm shim."""
    text = """
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: a}
handler: spin
scheduling: {nodeSelector: {kubernetes.io/arch: wasm32-wasi}}
"""
    assert {"nodeSelector": {"kubesim.dev/wasm": "true"}} == lenient(text)["scheduling"]
    assert 1 == len(problems(taken(text, "strict")))
    vain = "no node has kubernetes.io/arch=wasm32-wasi: kubelets say amd64 or arm64 (W9)"
    assert [f"file.yaml:6:{vain}".replace("6:", "6: ")] == taken(text, "warn").notes


def test_w10_service_selector() -> None:
    """Leniently, a Service selects by the new label."""
    text = """
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {selector: {core.spinoperator.dev/app-name: a}, ports: [{port: 80}]}
"""
    assert {"core.spinkube.dev/app-name": "a"} == lenient(text)["spec"]["selector"]  # type: ignore[index]


def test_w13_retired_shim() -> None:
    """A handler whose shim was retired is accepted, with a word."""
    text = "{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: a}, handler: slight}"
    assert ["file.yaml:1: handler slight is kept, although its shim was retired (W13)"] == (
        taken(text, "lenient").notes
    )


@pytest.mark.parametrize(
    ("strictness", "problem_count", "note_count", "first"),
    [("strict", 1, 0, "SpinApp"), ("warn", 0, 1, "SpinApp"), ("lenient", 0, 1, "SpinAppExecutor")],
)
def test_w18_executor_comes_too_late(
    strictness: Strictness, problem_count: int, note_count: int, first: str
) -> None:
    """An application before its executor is refused; leniently, executors are applied first."""
    text = APP.format(spec="replicas: 1") + "---" + EXECUTOR
    found = ordered(load_documents(read_text(text, "file.yaml")), strictness)
    assert (problem_count, note_count) == (len(found.problems), len(found.notes))
    assert first == found.manifests[0].obj.kind
    assert all("it is applied only later, at line 7" in str(p) for p in found.problems)


def test_items_of_a_list() -> None:
    """The items of a List are read like documents."""
    item = OLD % ("SpinApp", "image: b, executor: e, replicas: 1")
    text = f"{{apiVersion: v1, kind: List, items: [{item}]}}"
    assert "core.spinkube.dev/v1alpha1" == lenient(text)["apiVersion"]


def test_scenario_strictness(write_scenario: Callable[..., Path]) -> None:
    """A scenario is refused with every problem when it is taken strictly."""
    path = write_scenario("duration: 10s\nstrictness: lenient", (OLD % ("SpinApp", "podSpec: {}")))
    with pytest.raises(InputError) as refused:
        Scenario.load(path, strictness="strict")
    messages = str(refused.value)
    for expected in ("no matches for kind", 'unknown field "spec.podSpec"', "Required value"):
        assert expected in messages
