"""``kubesim cri``: the CRI calls that were made for a pod, as a node's runtime saw them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kubesim.cli.options import OutputFormat
from kubesim.cli.output import print_data
from kubesim.cli.why import parse_at, question_about
from kubesim.errors import EXIT_PASSED
from kubesim.sim.time import human


def cri_command(  # the options of the verb
    pod: str,
    *,
    scenario: str | None,
    run: Path | None,
    seed: int | None,
    at: str | None,
    output: OutputFormat,
) -> int:
    """List; returns the exit code.

    Raises:
        InputError: If there is no such run, moment or pod.
    """
    at_ns = parse_at(at)
    answer = question_about(pod, scenario=scenario, run=run, seed=seed).cri_calls(at_ns)
    if output is OutputFormat.TEXT:
        print("\n".join(_lines(answer)))
    else:
        print_data(answer, output)
    return EXIT_PASSED


def _lines(answer: Mapping[str, Any]) -> Iterator[str]:
    calls = answer["calls"]
    nodes = ", ".join(dict.fromkeys(call["node"] for call in calls)) or "no node"
    yield f"{answer['pod']} on {nodes}, until {human(answer['at_ns'])} of {answer['scenario']}"
    yield ""
    yield f"{'BEGAN':>10}  {'TOOK':>8}  {'CALL':<32}  {'OUTCOME':<7}  SUBJECT"
    for call in calls:
        took = human(call["ended_ns"] - call["began_ns"])
        name = f"{call['service']}/{call['method']}"
        outcome = "failed" if call["error"] else "ok"
        at = human(call["began_ns"])
        yield f"{at:>10}  {took:>8}  {name:<32}  {outcome:<7}  {call['subject']}"
        if call["error"]:
            yield f"{'':>22}{call['error']}"
