"""The node grid: one tile a node, by pool, as large as the room allows.

Four nodes get three lines each; forty get one line; a thousand become a heat map of one character
a node, whose height is the requested CPU and whose colour the node's state. ``grid_lines`` takes
the largest form that fits; in the smallest one it may still be longer than the panel, which scrolls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from kubesim.api.corev1 import Node, Pod
from kubesim.telemetry.build import node_row
from kubesim.tui.ink import EMPTY, Line, Span, Tone, column, crop, fit, meter, spread, width_of
from kubesim.tui.podview import TONES, Stage, pod_glyph, pod_stage
from kubesim.tui.scene import Scene, handler_of, is_wasm
from kubesim.tui.tables import load_tone
from kubesim.tui.views import pods_by_node

Glyph = tuple[Stage, bool]
"""A pod as the grid shows it: its stage, and whether it is Wasm."""


COMPACT_WIDTH = 34


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One node.

    Attributes:
        name: Its name.
        pool: Its pool.
        ready: Whether it is ready.
        cordoned: Whether no more pods come.
        cpu_share: Requested CPU, as a share of what pods may have.
        pods: Its pods, in the order in which they came.
    """

    name: str
    pool: str
    ready: bool
    cordoned: bool
    cpu_share: float
    pods: tuple[Glyph, ...]

    @property
    def state(self) -> Span:
        """Its state in a word."""
        if not self.ready:
            return "NotReady", "bad"
        return ("cordoned", "warn") if self.cordoned else ("Ready", "ok")


def scene_tiles(scene: Scene) -> tuple[list[Tile], list[Glyph]]:
    """All nodes as tiles, and the pods that have no node yet."""
    handlers = scene.handlers()
    by_node = pods_by_node(scene.objects(Pod))
    tiles = [
        _tile(scene, node, by_node.get(node.name, ()), handlers) for node in scene.objects(Node)
    ]
    return tiles, _glyphs(by_node.get("", ()), handlers)


def _tile(scene: Scene, node: Node, pods: Sequence[Pod], handlers: Mapping[str, str]) -> Tile:
    row = node_row(node, pods, scene.node_facts(node), scene.now_ns)
    allocatable = row["cpu_allocatable_m"]
    return Tile(
        name=node.name,
        pool=row["pool"],
        ready=row["ready"],
        cordoned=row["unschedulable"],
        cpu_share=row["cpu_requested_m"] / allocatable if allocatable else 0.0,
        pods=tuple(_glyphs(pods, handlers)),
    )


def _glyphs(pods: Iterable[Pod], handlers: Mapping[str, str]) -> list[Glyph]:
    return [(pod_stage(pod), is_wasm(handler_of(pod, handlers))) for pod in pods]


def grid_lines(
    tiles: Iterable[Tile], unplaced: Sequence[Glyph], *, width: int, height: int, marked: str = ""
) -> list[Line]:
    """The grid in the largest form that fits.

    Args:
        tiles: The nodes.
        unplaced: Pods without a node.
        width: Columns that there are.
        height: Lines that there are.
        marked: The node of the selected pod; its name stands out.
    """
    ordered = sorted(tiles, key=lambda tile: (tile.pool, _natural(tile.name)))
    pools = [(pool, list(group)) for pool, group in groupby(ordered, key=lambda tile: tile.pool)]
    tail = _unplaced(unplaced, width)
    legend = _legend([glyph for tile in ordered for glyph in tile.pods] + list(unplaced))
    lines: list[Line] = []
    for form in FORMS:
        lines = []
        for pool, members in pools:
            lines.append(_pool_line(pool, members, width))
            lines.extend(form(members, width, marked))
        lines.extend(tail)
        if len(lines) <= height:
            break
    if legend and len(lines) + len(legend) < height:
        # At the bottom, where a legend is looked for.
        lines += [EMPTY] * (height - len(lines) - len(legend)) + legend
    return [crop(line, width) for line in lines]


def _natural(name: str) -> tuple[str, int]:
    """``node-10`` after ``node-9``."""
    head = name.rstrip("0123456789")
    return head, int(name[len(head) :] or 0)


def _pool_line(pool: str, members: Sequence[Tile], width: int) -> Line:
    ready = sum(tile.ready for tile in members)
    share = sum(tile.cpu_share for tile in members) / len(members)
    pods = sum(len(tile.pods) for tile in members)
    nodes: Span = (f"{ready}/{len(members)}", "ok" if ready == len(members) else "bad")
    left: Line = ((pool or "nodes", "title"), (" ", "text"), nodes)
    right: Line = ((f"{pods} pods ", "dim"), (f"cpu {share:.0%}", load_tone(share)))
    return spread(left, right, width)


def _full(members: Sequence[Tile], width: int, marked: str) -> list[Line]:
    """Three lines a node: name and state, CPU bar, pods; a fourth one between neighbours."""
    lines: list[Line] = []
    bar_width = max(width - 10, 4)
    for tile in members:
        count: Span = (f"{len(tile.pods)} pod{'' if len(tile.pods) == 1 else 's'}", "dim")
        name: Span = (tile.name, "cursor" if tile.name == marked else "bold")
        lines.append(spread(((" ", "text"), name), (tile.state,), width))
        load: Line = (
            (" cpu ", "dim"),
            *meter(tile.cpu_share, bar_width, load_tone(tile.cpu_share)),
            (f" {tile.cpu_share:4.0%}", load_tone(tile.cpu_share)),
        )
        lines.append(crop(load, width))
        lines.append(spread(((" ", "text"), *_pod_spans(tile.pods, width - 10)), (count,), width))
        lines.append(EMPTY)
    return lines


def _compact(members: Sequence[Tile], width: int, marked: str) -> list[Line]:
    """One line a node, side by side where there is room: name, a short bar, its pods."""
    columns = max(width // COMPACT_WIDTH, 1)
    width //= columns
    cells = [_compact_tile(members, tile, width, marked) for tile in members]
    rows = -(-len(cells) // columns)
    lines: list[Line] = []
    for row in range(rows):
        spans: list[Span] = []
        for cell in cells[row::rows]:
            spans += [*cell, (" " * (width - width_of(cell)), "text")]
        lines.append(tuple(spans))
    return lines


def _compact_tile(members: Sequence[Tile], tile: Tile, width: int, marked: str) -> Line:
    names = min(max(len(other.name) for other in members), max(width // 3, 8))
    bar_width = 6 if width >= 30 else 4
    tone: Tone = "cursor" if tile.name == marked else _name_tone(tile)
    return (
        (" ", "text"),
        (fit(tile.name, names), tone),
        (" ", "text"),
        *meter(tile.cpu_share, bar_width, load_tone(tile.cpu_share)),
        (" ", "text"),
        *_pod_spans(tile.pods, width - names - bar_width - 4),
    )


def _heat(step: int) -> Callable[[Sequence[Tile], int, str], list[Line]]:
    def heat(members: Sequence[Tile], width: int, marked: str) -> list[Line]:
        """A character a node: its height is the CPU, its colour the state."""
        a_line = max((width - 1) // step, 1)
        lines: list[Line] = []
        for start in range(0, len(members), a_line):
            spans: list[Span] = [(" ", "text")]
            for tile in members[start : start + a_line]:
                spans.append(_cell(tile, marked=tile.name == marked))
                if step > 1:
                    spans.append((" " * (step - 1), "text"))
            lines.append(merged(spans))
        return lines

    return heat


FORMS: tuple[Callable[[Sequence[Tile], int, str], list[Line]], ...] = (
    _full,
    _compact,
    _heat(2),
    _heat(1),
)


def _cell(tile: Tile, *, marked: bool) -> Span:
    if not tile.ready:
        return "✗", "bad"
    glyph = column(tile.cpu_share) if tile.cpu_share > 0 else "▁"
    if marked:
        return glyph, "cursor"
    if tile.cordoned:
        return glyph, "warn"
    wasm = sum(is_wasm_pod for _, is_wasm_pod in tile.pods)
    if not tile.pods:
        return glyph, "faint"
    return glyph, "wasm" if wasm * 2 > len(tile.pods) else "container"


def merged(spans: Iterable[Span]) -> Line:
    """Neighbours of one tone in one span."""
    return tuple(
        ("".join(text for text, _ in group), tone)
        for tone, group in groupby(spans, key=lambda span: span[1])
    )


def _name_tone(tile: Tile) -> Tone:
    return "bad" if not tile.ready else "warn" if tile.cordoned else "text"


def _pod_spans(pods: Sequence[Glyph], room: int) -> Line:
    """A glyph a pod; when there are too many, as many as fit and how many more."""
    if len(pods) <= room:
        return merged(pod_glyph(stage, wasm=wasm) for stage, wasm in pods)
    kept = max(room - len(str(len(pods))) - 1, 0)
    shown = [pod_glyph(stage, wasm=wasm) for stage, wasm in pods[:kept]]
    return merged([*shown, (f"+{len(pods) - kept}", "dim")])


def _unplaced(pods: Sequence[Glyph], width: int) -> list[Line]:
    if not pods:
        return []
    counts = Counter(stage for stage, _ in pods)
    text = f"{sum(counts.values())} without a node "
    return [((text, "warn"), *_pod_spans(pods, width - len(text)))]


def _legend(pods: Sequence[Glyph]) -> list[Line]:
    """What the glyphs mean, and how many there are of each."""
    counts = Counter(pods)
    lines: list[Line] = []
    for stage in Stage:
        containers, wasm = counts[stage, False], counts[stage, True]
        if containers + wasm == 0:
            continue
        spans: list[Span] = [("  ", "text")]
        for count, is_wasm_pod in ((containers, False), (wasm, True)):
            glyph, tone = pod_glyph(stage, wasm=is_wasm_pod)
            spans += [(glyph if count else " ", tone), (f" {count or '':<5}", "text")]
        lines.append((*spans, (stage.value, TONES[stage])))
    return [(("  Linux  Wasm", "dim"),), *lines] if lines else []
