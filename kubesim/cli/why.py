"""``kubesim why``: why a pod is where it is, or nowhere, at any moment of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kubesim.api.duration import parse_duration
from kubesim.cli.options import OutputFormat
from kubesim.cli.output import print_data
from kubesim.cli.pastrun import run_asked_for
from kubesim.cli.wallclock import WALL_CLOCK
from kubesim.controlplane.scheduler.explain import shown, verdict_lines
from kubesim.errors import EXIT_PASSED, InputError
from kubesim.scenario.asking import Question
from kubesim.sim.time import human
from kubesim.telemetry.startup import TOTAL

NEAREST_SHOWN = 5


def why_command(  # the options of the verb
    pod: str,
    *,
    scenario: str | None,
    run: Path | None,
    seed: int | None,
    at: str | None,
    output: OutputFormat,
) -> int:
    """Answer; returns the exit code.

    Raises:
        InputError: If there is no such run, moment or pod.
    """
    at_ns = parse_at(at)
    answer = question_about(pod, scenario=scenario, run=run, seed=seed).answer(at_ns)
    if output is OutputFormat.TEXT:
        print("\n".join(_lines(answer)))
    else:
        print_data(answer, output)
    return EXIT_PASSED


def question_about(
    pod: str, *, scenario: str | None, run: Path | None, seed: int | None
) -> Question:
    """The run that is asked about, about to be run again.

    Raises:
        InputError: If there is no such run.
    """
    asked = run_asked_for(scenario=scenario, run=run, seed=seed)
    return Question(
        asked.scenario, pod, seed=asked.seed, until_ns=asked.until_ns, clock=WALL_CLOCK
    )


def parse_at(at: str | None) -> int | None:
    """The moment that ``--at`` names.

    Raises:
        InputError: If it is no duration.
    """
    try:
        return None if at is None else parse_duration(at)
    except ValueError as error:
        raise InputError(f"--at: {error}") from None


def _lines(answer: Mapping[str, Any]) -> Iterator[str]:
    yield f"{answer['pod']} at {human(answer['at_ns'])} of {answer['scenario']}: {_where(answer)}"
    if answer.get("message"):
        yield f"  {answer['reason']}: {answer['message']}"
    attempt = answer["attempt"]
    if attempt is not None:
        yield ""
        count = answer["attempts"]
        which = "the only attempt" if count == 1 else f"the last of {count} attempts"
        yield f"Scheduling: {which}, at {human(attempt['at_ns'])}"
        yield from (f"  {line}" for line in verdict_lines({**attempt, "message": ""}))
    yield from _nearest(answer)
    yield from _startup(answer["startup_ns"])
    if answer["history"]:
        yield ""
        yield "What happened"
        for item in answer["history"]:
            yield f"  {human(item['at_ns']):>8}  {item['what']}"


def _where(answer: Mapping[str, Any]) -> str:
    if answer["phase"] == "deleted":
        return "it is gone"
    where = f"on {answer['node']}" if answer["node"] else "on no node"
    parts = [answer["phase"], where]
    if answer["nominatedNode"]:
        parts.append(f"waiting for {answer['nominatedNode']}")
    if answer["phase"] == "Running" and not answer["ready"]:
        parts.append("not ready")
    if answer["restarts"]:
        parts.append(f"{answer['restarts']} restarts")
    return ", ".join(parts)


def _nearest(answer: Mapping[str, Any]) -> Iterator[str]:
    if not answer["nearest"] and not answer.get("obstacle"):
        return
    yield ""
    yield "What would make it fit"
    if answer.get("obstacle"):
        yield f"  on any node: {answer['obstacle']}"
    for lack in answer["nearest"][:NEAREST_SHOWN]:
        missing = ", and ".join(lack["missing"]) or "nothing: it fits now, and waits for its turn"
        yield f"  {shown(lack['nodes'])}: {missing}"


def _startup(startup_ns: Mapping[str, int]) -> Iterator[str]:
    if TOTAL not in startup_ns:
        return
    yield ""
    yield "Its start, phase by phase"
    for phase, took_ns in startup_ns.items():
        yield f"  {phase:15} {human(took_ns):>8}"
