"""What a timeline types: the commands of kubectl that look, and what they print."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubesim.errors import InputError
from kubesim.scenario import LiveRun, Scenario
from kubesim.scenario.transcript import parse_command, parse_url
from kubesim.scenario.transcript.tables import age, columns
from kubesim.sim.time import SECOND
from kubesim.telemetry import Run

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: 'web:v1'}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""
SPEC = """
duration: 60s
images:
- name: web:v1
  layers: [{size: 1M}]
  program: {log: [one, two, three], body: "hello\\n"}
timeline:
"""
Write = Callable[..., Path]


def typed(write: Write, *steps: str, at: str = "20s") -> dict[str, str]:
    """The output of each step."""
    lines = "\n".join(f"- {{at: {at}, {step}}}" for step in steps)
    run: Run = Scenario.load(write(SPEC + lines, WEB)).run()
    return {row["command"]: row["output"] for row in run.transcript}


def test_get(write_scenario: Write) -> None:
    """Pods as kubectl prints them, by name; with a selector only those."""
    found = typed(write_scenario, "kubectl: get pods -l app=web", "kubectl: get pods -l app=x")
    head, *rows = found["kubectl get pods -l app=web"].splitlines()
    assert ["NAME", "READY", "STATUS", "RESTARTS", "AGE"] == head.split()
    assert [["1/1", "Running", "0"]] * 2 == [row.split()[1:4] for row in rows]
    assert sorted(rows) == rows
    assert "No resources found in default namespace." == found["kubectl get pods -l app=x"]


def test_custom_columns(write_scenario: Write) -> None:
    """Any path of the object; what is not there is <none>."""
    paths = "NAME:.metadata.name,IMAGES:.spec.template.spec.containers[*].image,X:.spec.x"
    command = f"get deploy -o custom-columns={paths}"
    found = typed(write_scenario, f'kubectl: "{command}"')
    assert ["NAME   IMAGES   X", "web    web:v1   <none>"] == found[
        f"kubectl {command}"
    ].splitlines()


def test_a_dot_in_a_key_is_escaped(write_scenario: Write) -> None:
    """As in kubectl's own paths."""
    pool = r"custom-columns=POOL:.metadata.labels.kubesim\.dev/pool"
    found = typed(write_scenario, f"""kubectl: 'get nodes -o "{pool}"'""")
    assert ["POOL\npool"] == list(found.values())


def test_describe(write_scenario: Write) -> None:
    """The beginning of a name is enough; events stand at the end."""
    found = typed(write_scenario, "kubectl: describe pod web-", "kubectl: describe deployment web")
    pods = found["kubectl describe pod web-"]
    assert 2 == pods.count("Controlled By:     ReplicaSet/web-")
    assert 2 == pods.count("Successfully assigned default/web-")
    assert "Progress Deadline Seconds:" in found["kubectl describe deployment web"]
    assert "Scaled up replica set" in found["kubectl describe deployment web"]


def test_logs(write_scenario: Write) -> None:
    """Of a workload the first pod's lines, of a selector each pod's last ones."""
    found = typed(
        write_scenario, "kubectl: logs deployment/web", "kubectl: logs -l app=web --tail=1"
    )
    assert "one\ntwo\nthree" == found["kubectl logs deployment/web"]
    assert "three\nthree" == found["kubectl logs -l app=web --tail=1"]


def test_events(write_scenario: Write) -> None:
    """By type and object; equal ones are one line."""
    found = typed(
        write_scenario,
        "kubectl: events --types=Warning",
        "kubectl: events --for=deployment/web",
    )
    assert "No resources found in default namespace." == found["kubectl events --types=Warning"]
    assert 2 == len(found["kubectl events --for=deployment/web"].splitlines())


def test_curl(write_scenario: Write) -> None:
    """A request to a Service: its body, or why there is none."""
    found = typed(write_scenario, "curl: http://web/x", "curl: http://nobody")
    assert {"curl http://web/x": "hello", "curl http://nobody": "curl: (7) no such host"} == found


def test_what_is_not_there(write_scenario: Write) -> None:
    """A name that nothing has is an error as kubectl says it."""
    found = typed(write_scenario, "kubectl: get pod nobody")
    assert (
        'Error from server (NotFound): pods "nobody" not found' == found["kubectl get pod nobody"]
    )


def test_looking_changes_nothing(write_scenario: Write) -> None:
    """Whoever looks, and when: the journal is the same, but for the scenario's own digest."""

    def facts(steps: str) -> list[object]:
        live = LiveRun(Scenario.load(write_scenario(SPEC + steps, WEB)))
        live.advance(60 * SECOND)
        return list(live.simulation.sim.journal)[1:]

    looks = "- {at: 5s, kubectl: get pods}\n- {at: 6s, kubectl: describe nodes}"
    other = "- {at: 50s, kubectl: get nodes}"
    assert facts(other) == facts(looks)


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("delete pod x", "expected one of get, describe, logs, events"),
        ("get nonsense", 'doesn\'t have a resource type "nonsense"'),
        ("get pods -o yaml", "only wide and custom-columns= are simulated"),
        ("get pods --watch", "unknown flag: --watch"),
        ("get pods -l", "flag needs an argument: -l"),
        ("logs", "logs wants a pod"),
        ("logs x --tail=y", "is no number"),
        ("get pods a b", "one object at a time"),
    ],
)
def test_commands_that_are_refused(command: str, problem: str) -> None:
    """Everything else is refused with a sentence, before the run."""
    with pytest.raises(ValueError, match=problem):
        parse_command(command)


def test_a_wrong_command_has_a_place(write_scenario: Write) -> None:
    """The problem names the line of the step."""
    with pytest.raises(InputError, match=r"scenario.yaml:\d+:\d+: .*unknown flag"):
        Scenario.load(write_scenario(SPEC + "- {at: 1s, kubectl: get pods --x}", WEB))
    with pytest.raises(InputError, match="is no http URL of a Service"):
        Scenario.load(write_scenario(SPEC + "- {at: 1s, curl: ftp://x}", WEB))


def test_urls() -> None:
    """A scheme may be left out, a path is /."""
    assert ("web", "/", "") == parse_url("web")
    assert ("web.default:81", "/a", "b=c") == parse_url("http://web.default:81/a?b=c")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (130, "2m10s"),
        (600, "10m"),
        (10_800, "3h"),
        (90_000 * 3, "3d"),
    ],
)
def test_ages(seconds: int, shown: str) -> None:
    """Two units while they matter."""
    assert shown == age(seconds * SECOND)


def test_columns() -> None:
    """As wide as the longest cell; nothing trails."""
    assert ["A     B", "aaa   b"] == columns([("A", "B"), ("aaa", "b")])
