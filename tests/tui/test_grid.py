"""The node grid in all its sizes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kubesim.tui.grid import Glyph, Tile, grid_lines, merged, scene_tiles
from kubesim.tui.ink import Line, plain, width_of
from kubesim.tui.podview import Stage
from kubesim.tui.scene import Scene

WIDTH = 34
CONTAINER: Glyph = (Stage.READY, False)
WASM: Glyph = (Stage.READY, True)


def tile(
    number: int = 0,
    *,
    pool: str = "general",
    ready: bool = True,
    cordoned: bool = False,
    cpu: float = 0.5,
    pods: tuple[Glyph, ...] = (),
) -> Tile:
    return Tile(
        name=f"{pool}-{number}",
        pool=pool,
        ready=ready,
        cordoned=cordoned,
        cpu_share=cpu,
        pods=pods,
    )


def texts(lines: list[Line]) -> list[str]:
    return [plain(line).rstrip() for line in lines]


def test_the_grid_of_a_scene_has_its_nodes_and_pods(
    scene_at: Callable[[float], Scene],
) -> None:
    """Four nodes, their pods by runtime and stage, and the one that found no node."""
    tiles, unplaced = scene_tiles(scene_at(10))

    assert ["general-0", "general-1", "wasm-0", "wasm-1"] == [t.name for t in tiles]
    assert {CONTAINER} == {glyph for t in tiles[:2] for glyph in t.pods}
    assert {WASM, (Stage.SUCCEEDED, True)} == {glyph for t in tiles[2:] for glyph in t.pods}
    assert [(Stage.PENDING, False)] == unplaced


def test_few_nodes_are_drawn_large() -> None:
    """With room, a tile has name, state, load and pods."""
    lines = texts(grid_lines([tile(pods=(CONTAINER, WASM))], [], width=WIDTH, height=40))

    assert "general-0" in lines[1]
    assert lines[1].endswith("Ready")
    assert "50%" in lines[2]
    assert "●◆" in lines[3]
    assert lines[3].endswith("2 pods")


def test_more_nodes_take_one_line_each() -> None:
    """Without room for tiles there is a line a node, in the order of their numbers."""
    lines = texts(grid_lines([tile(n) for n in range(12)], [], width=WIDTH, height=20))

    assert 13 == len([line for line in lines if "general" in line])
    assert lines[2].startswith(" general-1 ")
    assert lines[11].startswith(" general-10 ")


def test_a_wide_panel_puts_lines_side_by_side() -> None:
    """On a narrow terminal the grid is above the table, and wide."""
    lines = grid_lines([tile(n) for n in range(4)], [], width=76, height=4)

    assert 3 == len(lines)
    assert "general-0" in plain(lines[1])
    assert "general-2" in plain(lines[1])


def test_a_thousand_nodes_are_a_heat_map() -> None:
    """A character a node, and nothing is left out."""
    nodes = [tile(n, cpu=0.9, pods=(CONTAINER,)) for n in range(1000)]
    lines = grid_lines(nodes, [], width=WIDTH, height=36)

    assert len(lines) <= 36
    assert 1000 == sum(plain(line).count("▇") for line in lines)


def test_states_stand_out_in_the_heat_map() -> None:
    """A node that is down, one that is cordoned, a busy Wasm node and an empty one differ."""
    nodes = [
        tile(0, ready=False),
        tile(1, cordoned=True),
        tile(2, pods=(WASM,)),
        tile(3, pods=(CONTAINER,)),
        tile(4, cpu=0.0),
    ]
    lines = grid_lines(nodes, [], width=WIDTH, height=2)
    tones = [tone for text, tone in lines[1] if text.strip()]

    assert ["bad", "warn", "wasm", "container", "faint"] == tones


def test_pools_are_summed_up() -> None:
    """The line of a pool says how many nodes are ready and how much CPU is requested."""
    nodes = [tile(0, cpu=0.2), tile(1, cpu=0.4, ready=False), tile(0, pool="wasm")]
    lines = texts(grid_lines(nodes, [], width=WIDTH, height=40))

    assert lines[0].startswith("general 1/2")
    assert lines[0].endswith("cpu 30%")
    assert any(line.startswith("wasm 1/1") for line in lines)


def test_the_marked_node_stands_out() -> None:
    """The node of the selected pod has the cursor's tone, in every form."""
    nodes = [tile(n) for n in range(3)]
    for height in (40, 6, 3):
        lines = grid_lines(nodes, [], width=WIDTH, height=height, marked="general-1")
        assert "cursor" in {tone for line in lines for _, tone in line}, height


def test_more_pods_than_room_are_counted() -> None:
    """A node with a hundred pods says how many more there are."""
    lines = texts(grid_lines([tile(pods=(CONTAINER,) * 100)], [], width=WIDTH, height=40))

    assert "●" * 20 in lines[3]
    assert "+80" in lines[3] or "+79" in lines[3]


def test_pods_without_a_node_are_shown() -> None:
    """What waits for a node has a line of its own."""
    lines = texts(grid_lines([tile()], [(Stage.PENDING, False)] * 2, width=WIDTH, height=7))

    assert "2 without a node ◌◌" in lines


def test_a_legend_fills_the_bottom_when_there_is_room() -> None:
    """The legend counts pods by stage and runtime."""
    lines = texts(grid_lines([tile(pods=(CONTAINER, WASM))], [], width=WIDTH, height=30))

    assert 30 == len(lines)
    assert lines[-1].split() == ["●", "1", "◆", "1", "ready"]


@pytest.mark.parametrize("width", [8, 20, 34, 76])
@pytest.mark.parametrize("height", [1, 5, 40])
@pytest.mark.parametrize("count", [0, 1, 50])
def test_no_line_is_wider_than_the_panel(width: int, height: int, count: int) -> None:
    """Whatever the size, lines fit."""
    nodes = [tile(n, pods=(CONTAINER,) * 30) for n in range(count)]
    lines = grid_lines(nodes, [(Stage.PENDING, True)] * 9, width=width, height=height)

    assert all(width_of(line) <= width for line in lines)


def test_neighbours_of_one_tone_are_one_span() -> None:
    """Fewer spans are drawn faster."""
    assert (("ab", "ok"), ("c", "bad")) == merged([("a", "ok"), ("b", "ok"), ("c", "bad")])
