"""The lines of the help and of the verdict."""

from __future__ import annotations

from itertools import zip_longest

from kubesim.sim.time import human
from kubesim.telemetry import ExpectationResult, Run
from kubesim.tui import clock
from kubesim.tui.ink import EMPTY, Line, field, heading, width_of, wrap
from kubesim.tui.keys import COMMANDS, KEYS, LOOK, MOVE, MOVES, TIME
from kubesim.tui.podview import TONES, Stage, pod_glyph

NARROWEST = 40
WIDEST = 96
TWO_COLUMNS = 124


def help_lines(width: int) -> list[Line]:
    """All keys, commands and glyphs, in two columns where there is room."""
    left = [*_keys(TIME), EMPTY, *_keys(MOVE), EMPTY, *_glyphs()]
    right = [*_keys(LOOK), EMPTY, heading("Commands")]
    right += [_entry(f":{words}", does, width=18) for words, does in COMMANDS]
    if width < TWO_COLUMNS:
        return [*left, EMPTY, *right]
    column = max(map(width_of, left)) + 4
    return [
        (*first, (" " * (column - width_of(first)), "text"), *second)
        for first, second in zip_longest(left, right, fillvalue=EMPTY)
    ]


def _keys(group: str) -> list[Line]:
    entries = list(dict.fromkeys((key.shown, key.does) for key in KEYS if key.group == group))
    if group == MOVE:
        entries = [*MOVES, *entries]
    return [heading(group), *(_entry(shown, does) for shown, does in entries)]


def _glyphs() -> list[Line]:
    return [heading("Pods", "round: containers, edged: Wasm"), *map(_glyph, Stage)]


def _glyph(stage: Stage) -> Line:
    return (
        ("  ", "text"),
        pod_glyph(stage, wasm=False),
        (" ", "text"),
        pod_glyph(stage, wasm=True),
        (f"  {stage.value}", TONES[stage]),
    )


def _entry(shown: str, does: str, *, width: int = 12) -> Line:
    return ((f"  {shown:<{width}}", "key"), (does, "text"))


def verdict_lines(run: Run, width: int) -> list[Line]:
    """What was expected and what was found, the digest, and what was not simulated."""
    width = min(max(width, NARROWEST), WIDEST)
    passed = sum(result.passed for result in run.expectations)
    total = len(run.expectations)
    lines: list[Line] = []
    if total:
        tone = heading("Expectations", f"{passed} of {total} held")
        lines += [tone, EMPTY]
    for result in run.expectations:
        lines += _result(result, width)
    if total:
        lines.append(EMPTY)
    ready = sum(bool(row["ready"]) for row in run.pods)
    lines += [
        heading("Run"),
        field("  scenario", f"{run.scenario}, seed {run.seed}, preset {run.preset}"),
        field("  time", f"{clock.length(run.virtual_ns)} simulated, {run.events:,} events"),
        field("  pods", f"{len(run.pods)}, of which {ready} are ready"),
    ]
    for service in run.services:
        if service["requests"]:
            p99 = human(service["latency_p99_ns"])
            text = f"{service['requests']:,} requests, {service['errors']:,} errors, p99 {p99}"
            lines.append(field(f"  {service['name']}", text))
    lines += [EMPTY, heading("Digest")]
    lines += [((f"  {part}", "text"),) for part in _halves(run.digest)]
    if run.refused:
        lines += [EMPTY, heading("Refused by the API server", str(len(run.refused)))]
        for row in run.refused:
            lines += _bullet(f"{row['kind']} {row['name']}: {row['message']}", width)
    if run.unsimulated:
        lines += [EMPTY, heading("Accepted, not simulated", str(len(run.unsimulated)))]
        for text in run.unsimulated:
            lines += _bullet(text, width)
    return lines


def _result(result: ExpectationResult, width: int) -> list[Line]:
    if result.passed:
        first, *rest = wrap(result.name, width - 4)
        held: list[Line] = [(("  ✓ ", "ok"), *first)]
        return held + [(("    ", "text"), *line) for line in rest]
    first, *rest = wrap(result.name, width - 4, "bold")
    lines: list[Line] = [(("  ✗ ", "bad"), *first)]
    lines += [(("    ", "text"), *line) for line in rest]
    for name, text in (
        ("expected", result.expected),
        ("actual", result.actual),
        ("hint", result.hint),
    ):
        if text:
            head, *more = wrap(text, width - 16, "bad" if name == "actual" else "text")
            lines.append(((f"      {name:<10}", "dim"), *head))
            lines += [((" " * 16, "text"), *line) for line in more]
    return lines


def _halves(digest: str) -> tuple[str, ...]:
    """A digest in two lines, so that it fits on a narrow screen."""
    name, _, digits = digest.partition(":")
    return f"{name}:{digits[:32]}", f"{' ' * (len(name) + 1)}{digits[32:]}"


def _bullet(text: str, width: int) -> list[Line]:
    first, *rest = wrap(text, width - 4)
    lines: list[Line] = [(("  - ", "dim"), *first)]
    return lines + [(("    ", "text"), *line) for line in rest]
