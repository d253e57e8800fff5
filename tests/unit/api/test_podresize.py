"""What a pod takes of its node while it is resized."""

from __future__ import annotations

from typing import Any

import pytest
from harness import pod as plain_pod
from harness import quantities

from kubesim.api.corev1 import Pod
from kubesim.api.podresize import reserved_spec, with_resources_of
from kubesim.api.podutil import pod_requests
from kubesim.controlplane.scheduler.framework.podinfo import PodInfos


def resizing(
    *, wanted: str, allocated: str, in_force: str, reason: str = "", name: str = "main"
) -> Pod:
    """A pod in the middle of a resize of its cpu."""
    status: dict[str, Any] = {
        "name": name,
        "ready": True,
        "restartCount": 0,
        "image": "app:1",
        "imageID": "",
        "allocatedResources": {"cpu": allocated},
        "resources": {"requests": {"cpu": in_force}},
    }
    conditions = []
    if reason:
        conditions.append({"type": "PodResizePending", "status": "True", "reason": reason})
    container = {"name": "main", "image": "app:1", "resources": {"requests": {"cpu": wanted}}}
    made = plain_pod(containers=[container])
    body = {**made.model_dump(by_alias=True, exclude_unset=True), "status": {
        "containerStatuses": [status], "conditions": conditions}}  # fmt: skip
    return Pod.model_validate(body)


@pytest.mark.parametrize(
    ("wanted", "allocated", "in_force", "reason", "counted"),
    [
        ("1", "1", "1", "", "1"),
        ("2", "1", "1", "Deferred", "2"),
        ("2", "1", "1", "Infeasible", "1"),
        ("1", "2", "2", "", "2"),
        ("1", "1", "2", "", "2"),
        ("3", "1", "2", "Infeasible", "2"),
    ],
)
def test_the_largest_counts(
    wanted: str, allocated: str, in_force: str, reason: str, counted: str
) -> None:
    """The largest of wanted, allocated and in force counts; what is infeasible does not."""
    made = resizing(wanted=wanted, allocated=allocated, in_force=in_force, reason=reason)
    assert pod_requests(reserved_spec(made)) == quantities(cpu=counted)
    info = PodInfos().of(made)
    assert info.signature.requests.milli_cpu == int(counted) * 1000
    assert info.pod is made


def test_the_spec_itself_comes_back_when_all_agree() -> None:
    """A pod that is not resized costs no copy."""
    made = resizing(wanted="1", allocated="1", in_force="1")
    assert reserved_spec(made) is made.spec
    assert reserved_spec(plain_pod()) is not None


def test_resources_are_taken_over_by_name() -> None:
    """A pod gets the resources of another one's containers of the same names."""
    big = resizing(wanted="2", allocated="1", in_force="1")
    small = resizing(wanted="1", allocated="1", in_force="1")
    assert with_resources_of(big, small).spec == small.spec
    assert with_resources_of(small, small) is small
