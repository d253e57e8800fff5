"""What an API server refuses of Jobs, CronJobs, StatefulSets, DaemonSets and disruption budgets."""

from __future__ import annotations

from typing import Any

import pytest

from kubesim.api.appsv1 import DaemonSet, StatefulSet
from kubesim.api.batchv1 import CronJob, Job
from kubesim.api.defaults import set_defaults
from kubesim.api.metav1 import KubeObject
from kubesim.api.policyv1 import PodDisruptionBudget
from kubesim.api.updatevalidation import validate_update
from kubesim.api.validation import validate_object

CONTAINERS = [{"name": "c", "image": "v1"}]
LABELS = {"matchLabels": {"app": "web"}}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": CONTAINERS}}
RESTART = "spec.template.spec.restartPolicy"
KINDS: dict[str, type[KubeObject]] = {
    "Job": Job,
    "CronJob": CronJob,
    "StatefulSet": StatefulSet,
    "DaemonSet": DaemonSet,
    "PodDisruptionBudget": PodDisruptionBudget,
}


def made(kind: str, *, name: str = "x", **spec: Any) -> KubeObject:
    """An object with that spec and its defaults."""
    data = {"metadata": {"name": name, "namespace": "default"}, "spec": spec}
    return set_defaults(KINDS[kind].model_validate(data))


def job(restart: str | None = "Never", **spec: Any) -> dict[str, Any]:
    """A Job's spec."""
    pod: dict[str, Any] = {"containers": CONTAINERS}
    if restart is not None:
        pod["restartPolicy"] = restart
    return {"template": {"spec": pod}, **spec}


def workload(**spec: Any) -> dict[str, Any]:
    """The spec of a workload that keeps pods running."""
    return {"selector": LABELS, "template": TEMPLATE, **spec}


def rule(**fields: Any) -> dict[str, Any]:
    """A Job's spec with one rule for failures."""
    return job(podFailurePolicy={"rules": [{"action": "FailJob", **fields}]})


INDEXED = {"completionMode": "Indexed", "completions": 4}
CODES = {"operator": "In", "values": [1]}

CASES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("Job", job(), []),
    ("Job", job(None), [f'{RESTART}: Required value: valid values: "OnFailure", "Never"']),
    (
        "Job",
        job(parallelism=-1, backoffLimit=-2),
        [
            "spec.parallelism: Invalid value: -1: must be greater than or equal to 0",
            "spec.backoffLimit: Invalid value: -2: must be greater than or equal to 0",
        ],
    ),
    (
        "Job",
        job(completionMode="Indexed", parallelism=2),
        ["spec.completions: Required value: when completion mode is Indexed"],
    ),
    (
        "Job",
        job(backoffLimitPerIndex=1),
        ["spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"],
    ),
    (
        "Job",
        job(**INDEXED, maxFailedIndexes=5, backoffLimitPerIndex=1),
        ["spec.maxFailedIndexes: Invalid value: 5: must be less than or equal to completions"],
    ),
    ("Job", rule(onExitCodes=CODES), []),
    (
        "Job",
        rule(),
        [
            (
                "spec.podFailurePolicy.rules[0]: Invalid value: null: "
                "specifying one of OnExitCodes and OnPodConditions is required"
            )
        ],
    ),
    (
        "Job",
        rule(onExitCodes={"operator": "In", "values": [3, 0, 3]}),
        [
            (
                "spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: "
                "must not be 0 for the In operator"
            ),
            "spec.podFailurePolicy.rules[0].onExitCodes.values[2]: Duplicate value: 3",
            (
                "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [3,0,3]: "
                "must be ordered"
            ),
        ],
    ),
    (
        "Job",
        rule(onExitCodes={**CODES, "containerName": "other"}),
        [
            (
                "spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: "
                '"other": must be one of the container or initContainer names in the pod template'
            )
        ],
    ),
    (
        "Job",
        {**rule(onExitCodes=CODES), **job("OnFailure")},
        [
            (
                f'{RESTART}: Invalid value: "OnFailure": '
                'only "Never" is supported when podFailurePolicy is specified'
            )
        ],
    ),
    (
        "Job",
        job(**INDEXED, successPolicy={"rules": [{"succeededIndexes": "2-7"}]}),
        [
            (
                'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "2-7": '
                'error parsing succeededIndexes: too large index: "7"'
            )
        ],
    ),
    (
        "Job",
        job(
            **INDEXED, successPolicy={"rules": [{"succeededIndexes": "0-1", "succeededCount": 3}]}
        ),
        [
            (
                "spec.successPolicy.rules[0].succeededCount: Invalid value: 3: must be less than or "
                "equal to 2 (the number of indexes in the specified succeededIndexes field)"
            )
        ],
    ),
    ("CronJob", {"schedule": "*/5 * * * *", "jobTemplate": {"spec": job()}}, []),
    (
        "CronJob",
        {"schedule": "* * * *", "jobTemplate": {"spec": job()}},
        ['spec.schedule: Invalid value: "* * * *": expected exactly 5 fields, found 4: [* * * *]'],
    ),
    (
        "CronJob",
        {"schedule": "TZ=UTC 0 0 * * *", "jobTemplate": {"spec": job()}},
        [
            (
                'spec.schedule: Invalid value: "TZ=UTC 0 0 * * *": '
                "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
            )
        ],
    ),
    (
        "CronJob",
        {"schedule": "@daily", "timeZone": "Mars/Base", "jobTemplate": {"spec": job()}},
        ['spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base'],
    ),
    (
        "CronJob",
        {"schedule": "@daily", "concurrencyPolicy": "Maybe", "jobTemplate": {"spec": job(None)}},
        [
            (
                'spec.concurrencyPolicy: Unsupported value: "Maybe": '
                'supported values: "Allow", "Forbid", "Replace"'
            ),
            (
                "spec.jobTemplate.spec.template.spec.restartPolicy: Required value: "
                'valid values: "OnFailure", "Never"'
            ),
        ],
    ),
    ("StatefulSet", workload(), []),
    (
        "StatefulSet",
        workload(podManagementPolicy="Random"),
        [
            (
                'spec.podManagementPolicy: Invalid value: "Random": '
                "must be 'OrderedReady' or 'Parallel'"
            )
        ],
    ),
    (
        "StatefulSet",
        workload(updateStrategy={"type": "OnDelete", "rollingUpdate": {"partition": 1}}),
        [
            (
                'spec.updateStrategy.rollingUpdate: Invalid value: {"partition":1}: '
                "only allowed for updateStrategy 'RollingUpdate'"
            )
        ],
    ),
    (
        "StatefulSet",
        workload(updateStrategy={"rollingUpdate": {"maxUnavailable": 0}}),
        ["spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0"],
    ),
    (
        "StatefulSet",
        workload(volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": {}}]),
        [
            (
                "spec.volumeClaimTemplates[0].spec.accessModes: Required value: "
                "at least 1 access mode is required"
            ),
            "spec.volumeClaimTemplates[0].spec.resources[storage]: Required value",
        ],
    ),
    ("DaemonSet", workload(), []),
    (
        "DaemonSet",
        workload(updateStrategy={"rollingUpdate": {"maxSurge": 1}}),
        [
            (
                "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: "
                "may not be set when maxUnavailable is non-zero"
            )
        ],
    ),
    (
        "DaemonSet",
        workload(updateStrategy={"rollingUpdate": {"maxUnavailable": 0}}),
        [
            (
                "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: "
                "cannot be 0 when maxSurge is 0"
            )
        ],
    ),
    (
        "DaemonSet",
        {"selector": {}, "template": TEMPLATE},
        ["spec.selector: Invalid value: {}: empty selector is invalid for daemonset"],
    ),
    ("PodDisruptionBudget", {"selector": LABELS, "minAvailable": "50%"}, []),
    (
        "PodDisruptionBudget",
        {"minAvailable": 1, "maxUnavailable": 1},
        [
            (
                'spec: Invalid value: {"maxUnavailable":1,"minAvailable":1}: '
                "minAvailable and maxUnavailable cannot be both set"
            )
        ],
    ),
    (
        "PodDisruptionBudget",
        {"maxUnavailable": "120%", "unhealthyPodEvictionPolicy": "Never"},
        [
            'spec.maxUnavailable: Invalid value: "120%": must not be greater than 100%',
            (
                'spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": '
                'supported values: "AlwaysAllow", "IfHealthyBudget"'
            ),
        ],
    ),
]


@pytest.mark.parametrize(("kind", "spec", "errors"), CASES)
def test_what_is_wrong_is_said_in_upstreams_words(
    kind: str, spec: dict[str, Any], errors: list[str]
) -> None:
    """Each rule has the field and the words of the real API server; what is right passes."""
    assert errors == [str(error) for error in validate_object(made(kind, **spec))]


def test_a_name_must_leave_room_for_what_is_appended() -> None:
    """52 characters for a CronJob; an indexed Job's pods need host names."""
    cron_job = made("CronJob", name="x" * 53, schedule="@daily", jobTemplate={"spec": job()})
    indexed = made("Job", name="a.b", **job(**INDEXED))

    assert "must be no more than 52 characters" in str(validate_object(cron_job)[0])
    assert "invalid DNS label: a.b-3" in str(validate_object(indexed)[0])


def changed(kind: str, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What is wrong with putting one spec in the place of another."""
    errors = validate_update(made(kind, **after), made(kind, **before))
    return [error.field + ": " + error.message.rpartition(": ")[2] for error in errors]


def test_a_running_job_keeps_its_template() -> None:
    """Completions, template and policies are immutable; parallelism is not."""
    other = job(parallelism=3, completions=1)
    other["template"]["spec"]["containers"] = [{"name": "c", "image": "v2"}]

    assert ["spec.template: field is immutable"] == changed("Job", job(), other)
    assert ["spec.completions: field is immutable"] == changed(
        "Job", job(completions=1), job(completions=2)
    )
    assert [] == changed("Job", job(), job(parallelism=0, completions=1))
    assert ["spec.completions: can only be modified in tandem with spec.parallelism"] == changed(
        "Job", job(**INDEXED), job(completionMode="Indexed", completions=5)
    )


def test_a_suspended_job_may_be_told_where_to_run() -> None:
    """Node selector, tolerations and resources change while it stands still; the image does not."""
    before, after, image = job(suspend=True), job(suspend=True), job(suspend=True)
    after["template"]["spec"]["nodeSelector"] = {"disk": "fast"}
    after["template"]["spec"]["containers"] = [
        {**CONTAINERS[0], "resources": {"requests": {"cpu": "1"}}}
    ]
    image["template"]["spec"]["containers"] = [{"name": "c", "image": "v2"}]

    assert [] == changed("Job", before, after)
    assert ["spec.template: field is immutable"] == changed("Job", before, image)
    after["suspend"] = False
    before["suspend"] = False
    assert ["spec.template: field is immutable"] == changed("Job", before, after)


def test_a_stateful_set_changes_only_in_some_fields() -> None:
    """The Service and the claims stay; replicas and template may change."""
    words = "spec: updates to statefulset spec for fields other than 'replicas', 'ordinals',"

    (error,) = validate_update(
        made("StatefulSet", **workload(serviceName="b")),
        made("StatefulSet", **workload(serviceName="a")),
    )
    assert str(error).replace("Forbidden: ", "").startswith(words)
    assert [] == changed("StatefulSet", workload(replicas=1), workload(replicas=5))


def test_a_daemon_sets_selector_stays() -> None:
    """As that of every workload."""
    other = {"matchLabels": {"app": "web", "tier": "a"}}
    template = {**TEMPLATE, "metadata": {"labels": {"app": "web", "tier": "a"}}}
    after = {"selector": other, "template": template}

    assert ["spec.selector: field is immutable"] == changed("DaemonSet", workload(), after)
