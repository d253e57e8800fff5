"""Objects as YAML: only what was set, in the usual order, and readable again."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesim.api.corev1 import ConfigMap, Container, Pod, PodSpec
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import ObjectMeta
from kubesim.manifests import dump, load, load_text, to_data

SHOP = Path(__file__).parent / "data" / "shop.yaml"


def test_what_came_in_goes_out_again() -> None:
    """Nothing is added and nothing is lost; numbers that stand for amounts become texts."""
    for manifest in load(SHOP):
        data = to_data(manifest.obj)
        if manifest.obj.kind == "Deployment":
            limits = data["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
            assert {"cpu": "0.5", "memory": "100000000"} == limits
            limits.update(cpu=0.5, memory=100_000_000)
        if manifest.obj.kind == "Node":
            assert "110" == data["status"]["allocatable"]["pods"]
            data["status"]["allocatable"]["pods"] = 110

        assert manifest.document.data == data


def test_written_objects_are_read_as_the_same_objects() -> None:
    """Writing and reading changes no value."""
    objects = [manifest.obj for manifest in load(SHOP)]

    text = dump(objects)

    assert objects == [manifest.obj for manifest in load_text(text)]
    assert text == dump(manifest.obj for manifest in load_text(text))


def test_fields_come_in_the_order_in_which_people_write_them() -> None:
    """Kind and name first, and the name of a container before its image."""
    pod = Pod(
        spec=PodSpec(containers=(Container(image="b", name="a", args=("x: y",)),)),
        metadata=ObjectMeta(namespace="default", name="web"),
    )

    expected = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: default
spec:
  containers:
  - name: a
    image: b
    args:
    - 'x: y'
"""
    assert expected == dump(pod)


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "y",
        "N",
        "on",
        "null",
        "~",
        "",
        "0644",
        "1e3",
        "1.5",
        "0o17",
        "1:30",
        "2001-01-01",
        "a: b",
        "# no",
        "- a",
        "two\nlines\n",
        "no newline\nat the end",
        " space ",
        "=",
        "<<",
        "\u00fc",
        "*a",
        "{}",
    ],
)
def test_texts_stay_texts(text: str) -> None:
    """Whatever Kubernetes would take for something else is quoted."""
    config = ConfigMap(data=FrozenMap({"key": text, text: "value"}))

    assert config == load_text(dump(config))[0].obj


@given(
    st.dictionaries(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
)
def test_any_text_survives(data: dict) -> None:
    """Control characters, emoji, and line ends of all kinds."""
    config = ConfigMap(data=FrozenMap(data))

    assert config == load_text(dump(config))[0].obj
