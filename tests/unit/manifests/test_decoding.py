"""From documents to objects, and what is wrong with them."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field

from kubesim.api.corev1 import Pod
from kubesim.api.metav1 import KubeObject
from kubesim.api.quantity import Quantity
from kubesim.api.scheme import KUBERNETES, Resource
from kubesim.errors import InputError
from kubesim.manifests import check, decode, load, load_text, read_text, validate

DATA = Path(__file__).parent / "data"

POD = """
apiVersion: v1
kind: Pod
metadata:
  name: a
spec:
  containers:
  - name: x
    image: y
"""


def problems(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_text(text, "f.yaml")
    return [str(problem) for problem in caught.value.problems]


def test_files_become_objects_in_order() -> None:
    """Each object knows its file, its document and its line."""
    manifests = load(DATA / "shop.yaml")

    assert [
        "Namespace",
        "Node",
        "RuntimeClass",
        "PriorityClass",
        "ConfigMap",
        "Deployment",
        "Service",
        "Pod",
    ] == [manifest.obj.kind for manifest in manifests]
    assert (str(DATA / "shop.yaml"), 1, 7) == (
        manifests[1].file,
        manifests[1].index,
        manifests[1].line,
    )
    assert Quantity("30.5Gi") == manifests[1].obj.status.allocatable["memory"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "image: y",
            "imagee: y",
            'f.yaml:9:5: unknown field "spec.containers[0].imagee" (did you mean "image"?)',
        ),
        ("image: y", "zzz: y", 'f.yaml:9:5: unknown field "spec.containers[0].zzz"'),
        (
            "name: x",
            "nam: x",
            ('f.yaml:8:5: unknown field "spec.containers[0].nam" (did you mean "name"?)'),
        ),
        ("  name: a", "  run_as_user: a", 'f.yaml:5:3: unknown field "metadata.run_as_user"'),
        (
            "  name: a",
            "  name: 5",
            (
                "f.yaml:5:9: metadata.name: expected string, got number 5 "
                "(put the value in quotes to make it a string)"
            ),
        ),
        (
            "  name: a",
            "  name: yes",
            (
                "f.yaml:5:9: metadata.name: expected string, got boolean "
                "true (put the value in quotes to make it a string)"
            ),
        ),
        ("  name: a", "  labels: [a]", "f.yaml:5:11: metadata.labels: expected object, got list"),
        (
            "  name: a",
            "  labels: {a.b/c: 1}",
            (
                "f.yaml:5:19: metadata.labels[a.b/c]: "
                "expected string, got number 1 (put the value in quotes to make it a string)"
            ),
        ),
        (
            "  name: a",
            "  finalizers: {a: b}",
            (
                "f.yaml:5:15: metadata.finalizers: "
                'expected list, got object (begin each item with "- ")'
            ),
        ),
        (
            "  name: a",
            "  generation: '3'",
            (
                "f.yaml:5:15: metadata.generation: "
                'expected integer, got string "3" (leave out the quotes)'
            ),
        ),
        (
            "  name: a",
            "  generation: many",
            ('f.yaml:5:15: metadata.generation: expected integer, got string "many"'),
        ),
        (
            "  name: a",
            "  generation: 1.5",
            ("f.yaml:5:15: metadata.generation: expected integer, got number 1.5"),
        ),
        (
            "  name: a",
            "  creationTimestamp: now",
            (
                "f.yaml:5:22: metadata.creationTimestamp: "
                'Invalid value: "now": must be an RFC 3339 time such as "2026-01-01T00:00:00Z"'
            ),
        ),
        (
            "spec:",
            "spec:\n  hostNetwork: 'true'",
            (
                "f.yaml:7:16: spec.hostNetwork: "
                'expected boolean, got string "true" (leave out the quotes)'
            ),
        ),
        (
            "spec:",
            "spec:\n  restartPolicy: always",
            (
                "f.yaml:7:18: spec.restartPolicy: "
                'Unsupported value: "always": supported values: "Always", "Never", "OnFailure" '
                '(did you mean "Always"?)'
            ),
        ),
        (
            "spec:",
            "spec:\n  priority: 3000000000",
            (
                "f.yaml:7:13: spec.priority: "
                "Invalid value: 3000000000: must be less than or equal to 2147483647"
            ),
        ),
        (
            "spec:",
            "spec:\n  overhead: {cpu: 128MB}",
            (
                "f.yaml:7:19: spec.overhead.cpu: "
                'Invalid value: "128MB": quantities must match the regular expression '
                '\'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$\' (did you mean "128M" or "128Mi"?)'
            ),
        ),
        ("  - name: x", "  - command: [a]", "f.yaml:8:5: spec.containers[0].name: Required value"),
        ("spec:", "spec: []\nstatus:", "f.yaml:6:7: spec: expected object, got list"),
    ],
)
def test_a_mistake_is_explained_where_it_stands(old: str, new: str, problem: str) -> None:
    """File, line, column, path, what is wrong, and what was probably meant."""
    assert problem in problems(POD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a", "f.yaml:1:1: expected object, got list"),
        ("just text", 'f.yaml:1:1: expected object, got string "just text"'),
        ("kind: Pod", "f.yaml:1:1: apiVersion: Required value"),
        ("apiVersion: v1", "f.yaml:1:1: kind: Required value"),
        ("{apiVersion: 1, kind: Pod}", "f.yaml:1:14: apiVersion: expected string, got number 1"),
        (
            "{apiVersion: apps/v1, kind: Deploymnt}",
            (
                'f.yaml:1:29: kind: no matches for kind "Deploymnt" in version "apps/v1" '
                '(did you mean "Deployment"?)'
            ),
        ),
        (
            "{apiVersion: extensions/v1beta1, kind: Deployment}",
            (
                'f.yaml:1:40: kind: no matches for kind "Deployment" in version "extensions/v1beta1" '
                '(Deployment is served as apiVersion "apps/v1")'
            ),
        ),
        (
            "{apiVersion: v1, kind: List, items: 5}",
            "f.yaml:1:37: items: expected list, got number 5",
        ),
    ],
)
def test_a_document_that_is_no_object_is_explained(text: str, problem: str) -> None:
    """What it is instead, or which kind was probably meant."""
    assert [problem] == problems(text)


def test_all_problems_of_all_documents_come_at_once() -> None:
    """In the order of the text, so that one pass through the file mends them all."""
    broken = POD.replace("image: y", "imagee: y").replace("name: a", "nam: a")

    found = problems(f"{broken}---{broken}---\nkind: Pod\n")

    assert [5, 9, 14, 18, 20] == [int(text.split(":")[1]) for text in found]


def test_null_is_the_same_as_absent() -> None:
    """For texts, lists, objects and maps; for a required field it is a missing value."""
    text = POD.replace("image: y", "image: y\n    args: null\n    resources: ~\n    ports:")
    text = text.replace("name: a", "name: a\n  labels:\n  annotations: null")

    assert load_text(POD)[0].obj == load_text(text)[0].obj
    assert ["f.yaml:8:5: spec.containers[0].name: Required value"] == problems(
        POD.replace("- name: x", "- name:")
    )


def test_null_in_a_map_of_texts_is_the_empty_text() -> None:
    """Go cannot tell them apart, and keeps the key."""
    (manifest,) = load_text("{apiVersion: v1, kind: ConfigMap, data: {a: , b: x}}")

    assert {"a": "", "b": "x"} == manifest.obj.data


def test_the_empty_text_is_no_choice() -> None:
    """In the place of one of a closed set of values it is the same as absent."""
    text = POD.replace(
        "spec:", 'spec:\n  restartPolicy: ""\n  tolerations: [{key: a, effect: ""}]'
    )

    pod = load_text(text)[0].obj

    assert pod.spec.restart_policy is None
    assert pod.spec.tolerations[0].effect is None


def test_a_list_is_unpacked() -> None:
    """The items of a ``List`` and of a typed list are objects, with their own places."""
    text = """
    apiVersion: v1
    kind: List
    items:
    - {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
    - apiVersion: v1
      kind: PodList
      items:
      - metadata: {name: b}
        spec: {containers: [{name: x}]}
    """

    manifests = load_text(text)

    assert [("ConfigMap", "a"), ("Pod", "b")] == [(m.obj.kind, m.obj.name) for m in manifests]
    assert [5, 9] == [manifest.line for manifest in manifests]
    assert (9, 26) == manifests[1].document.locate(("metadata", "name"))


def test_problems_in_a_list_have_their_own_places() -> None:
    """Paths begin at the item, lines at the top of the file."""
    text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  spce: {}\n- 5\n"

    assert [
        'f.yaml:6:3: unknown field "spce" (did you mean "spec"?)',
        "f.yaml:7:3: expected object, got number 5",
    ] == problems(text)


def test_equal_specs_are_shared() -> None:
    """Pods with the same spec have one and the same immutable spec."""
    first, second, third = load_text(
        f"{POD}---{POD.replace('name: a', 'name: b')}---{POD.replace('image: y', 'image: z')}"
    )

    assert first.obj.spec is second.obj.spec
    assert first.obj.spec is not third.obj.spec


def test_sharing_keeps_what_was_written() -> None:
    """Specs that are equal by value but were written differently are not mixed up."""
    limits = POD + "    resources: {limits: {cpu: %s}}\n"
    first, second = load_text(f"{limits % 1}---{limits % '1000m'}")

    assert first.obj.spec == second.obj.spec
    assert "1000m" == str(second.obj.spec.containers[0].resources.limits["cpu"])


def test_custom_kinds_come_with_their_own_scheme() -> None:
    """A room with custom resources hands in a larger scheme."""
    scheme = KUBERNETES.extended([Resource("example.com/v1", "Pod", "pods", Pod.__module__)])
    (document,) = read_text("{apiVersion: v1, kind: Namespace, metadata: {name: a}}")

    assert "a" == decode(document, scheme=scheme)[0].obj.name
    assert isinstance(decode(document)[0].obj, KubeObject)


class Pool(BaseModel):
    model_config = ConfigDict(extra="forbid")

    node_count: Annotated[int, Field(alias="nodeCount", gt=0)]
    zone: str = ""


class Plan(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pools: list[Pool] = []
    names: dict[str, Pool] = {}


def test_formats_of_our_own_get_the_same_messages() -> None:
    """Any pydantic model can be validated against a document."""
    (good,) = read_text("pools: [{nodeCount: 1, zone: null}]")
    (bad,) = read_text(
        "pools:\n- nodeCont: 1\n- nodeCount: 0\nnames:\n  a.b: {nodeCount: x}\nzone: a\n", "s.yaml"
    )

    assert 1 == validate(good, Plan).pools[0].node_count
    with pytest.raises(InputError) as caught:
        validate(bad, Plan)
    assert [
        "s.yaml:2:3: pools[0].nodeCount: Required value",
        's.yaml:2:3: unknown field "pools[0].nodeCont" (did you mean "nodeCount"?)',
        "s.yaml:3:14: pools[1].nodeCount: Invalid value: 0: must be greater than 0",
        's.yaml:5:20: names[a.b].nodeCount: expected integer, got string "x"',
        's.yaml:6:1: unknown field "zone"',
    ] == [str(problem) for problem in caught.value.problems]


def test_what_an_api_server_would_refuse_is_found_with_its_place() -> None:
    """The rules come after the types, and know the line too."""
    manifests = load_text(
        POD.replace("name: x", "name: X_").replace("    image: y\n", ""), "f.yaml"
    )

    first, second = check(manifests)

    assert "f.yaml:8:11: spec.containers[0].name: Invalid value:" in str(first)
    assert "f.yaml:8:5: spec.containers[0].image: Required value" == str(second)
    assert [] == check(load(DATA / "shop.yaml"))
