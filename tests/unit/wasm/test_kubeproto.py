"""Pods and nodes as protobuf: field numbers, kinds of values, nesting."""

from __future__ import annotations

from typing import Any

from kubesim.api.corev1 import Node, Pod
from kubesim.wasm.kubeproto import encoded, encoded_list

Decoded = dict[int, list[Any]]


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at


def decoded(data: bytes) -> Decoded:
    """The fields of a message by number."""
    fields: Decoded = {}
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        value: Any
        value, at = varint(data, at)
        if tag & 7 == 2:
            value, at = data[at : at + value], at + value
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def test_a_pod_has_the_official_field_numbers() -> None:
    """Metadata, containers with quantities, priority, tolerations, affinity."""
    pod = Pod.model_validate(
        {
            "metadata": {"name": "p", "namespace": "ns", "labels": {"a": "b"}},
            "spec": {
                "priority": -5,
                "hostNetwork": True,
                "containers": [{"name": "c", "resources": {"requests": {"cpu": "100m"}}}],
                "tolerations": [{"key": "k", "operator": "Exists"}],
                "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}],
            },
        }
    )
    message = decoded(encoded(pod))
    metadata, spec = decoded(message[1][0]), decoded(message[2][0])
    assert ([b"p"], [b"ns"]) == (metadata[1], metadata[3])
    assert {1: [b"a"], 2: [b"b"]} == decoded(metadata[11][0])
    assert ([2**64 - 5], [1]) == (spec[25], spec[11])
    container = decoded(spec[2][0])
    request = decoded(decoded(container[8][0])[2][0])
    assert ([b"cpu"], {1: [b"100m"]}) == (request[1], decoded(request[2][0]))
    assert {1: [b"k"], 2: [b"Exists"]} == decoded(spec[22][0])
    volume = decoded(spec[1][0])
    assert {1: [b"data"]} == decoded(decoded(volume[2][0])[10][0])


def test_a_node_has_the_official_field_numbers() -> None:
    """Taints, allocatable, conditions with times, images."""
    node = Node.model_validate(
        {
            "metadata": {"name": "n", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"unschedulable": True, "taints": [{"key": "k", "effect": "NoSchedule"}]},
            "status": {
                "allocatable": {"cpu": "4"},
                "images": [{"names": ["a:1"], "sizeBytes": 300}],
            },
        }
    )
    message = decoded(encoded(node))
    assert {1: [1_767_225_600]} == decoded(decoded(message[1][0])[8][0])
    spec, status = decoded(message[2][0]), decoded(message[3][0])
    assert ([1], {1: [b"k"], 3: [b"NoSchedule"]}) == (spec[4], decoded(spec[5][0]))
    assert [b"cpu"] == decoded(status[2][0])[1]
    assert {1: [b"a:1"], 2: [300]} == decoded(status[8][0])


def test_a_list_repeats_its_items() -> None:
    """Items are field 2 of a list."""
    assert {2: [b"x", b"yz"]} == decoded(encoded_list([b"x", b"yz"]))
