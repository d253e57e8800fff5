"""The app on a terminal that is not there, played by a pilot."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from kubesim.scenario import LiveRun, Scenario
from kubesim.sim.time import SECOND
from kubesim.tui.app import PlayApp
from kubesim.tui.ink import plain
from kubesim.tui.keys import KEYS
from kubesim.tui.screens import Overlay
from kubesim.tui.transport import Motion
from kubesim.tui.widgets import LinesView, ScrollingLines, SheetTable

SIZE = (140, 42)
PRIMES = "total: 78498 primes, counted by a sieve inside a Wasm module"


def header(app: PlayApp) -> str:
    return "\n".join(
        plain(line) for line in app.screen_stack[0].query_one("#header", LinesView).lines
    )


def page(app: PlayApp) -> str:
    return "\n".join(plain(line) for line in app.browser.reader.lines)


def title(app: PlayApp) -> str:
    return str(app.browser.border_title)


def names(app: PlayApp) -> list[str]:
    return [row.ref.name for row in app.browser.table.sheet.rows]


def screen_text(app: PlayApp) -> str:
    """What is on the screen, as text."""
    size = app.size
    strips = app.screen._compositor.render_strips(size)
    return "\n".join(strip.text for strip in strips)


async def run_to(app: PlayApp, pilot: Pilot[None], seconds: float, wait) -> None:
    app.player.run_to(round(seconds * SECOND))
    await wait(pilot, lambda: not app.player.transport.moving)
    app.redraw()
    await pilot.pause()


async def type_in(pilot: Pilot[None], sign: str, text: str) -> None:
    await pilot.press(sign)
    await pilot.press(*("space" if letter == " " else letter for letter in text), "enter")
    await pilot.pause()


async def test_a_playthrough_shows_what_the_module_printed(
    scenario: Scenario, app: PlayApp, wait
) -> None:
    """Played to its end, the log of the Wasm pod is the module's own output."""
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("e")
        await wait(pilot, lambda: app.outcome is not None)
        assert isinstance(app.screen, Overlay)
        assert "verdict" in screen_text(app)
        await pilot.press("escape")
        await type_in(pilot, "slash", "report")
        assert ["report"] == names(app)
        await pilot.press("l")
        await pilot.pause()

        assert PRIMES in page(app)
        assert PRIMES in screen_text(app)
        assert "END" in header(app)
        assert "7/7 as expected" in header(app)
    assert app.outcome is not None
    assert scenario.run(seed=7).digest == app.outcome.digest


async def test_space_plays_and_pauses(app: PlayApp, live: LiveRun, wait) -> None:
    """Time passes only while it is played."""
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(0.1)
        assert "PAUSED" in header(app)
        await pilot.press("space")
        await wait(pilot, lambda: live.now_ns > 0)
        assert "PLAYING" in header(app)
        await pilot.press("space")
        stopped_ns = live.now_ns
        await pilot.pause(0.2)

        assert stopped_ns == live.now_ns
        assert "PAUSED" in header(app)


async def test_steps_go_exactly_so_far(app: PlayApp, live: LiveRun, wait) -> None:
    """One second, ten seconds, and to the next thing that happens."""
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("s")
        await wait(pilot, lambda: live.now_ns == SECOND)
        await pilot.press("S")
        await wait(pilot, lambda: live.now_ns == 11 * SECOND)
        await wait(pilot, lambda: not app.player.transport.moving)
        assert "PAUSED" in header(app)


@pytest.mark.parametrize("key", ["n", "full_stop"])
async def test_the_next_event_is_a_key_away(app: PlayApp, live: LiveRun, wait, key: str) -> None:
    """Seeking stops at the first thing that happens after now."""
    async with app.run_test(size=SIZE) as pilot:
        stirs = app.scene.stirs
        await pilot.press(key)
        await wait(pilot, lambda: not app.player.transport.moving)

        assert app.scene.stirs > stirs
        assert live.now_ns < SECOND


async def test_plus_and_minus_change_the_speed(app: PlayApp) -> None:
    """The speed goes up and down through the table, and the header shows it."""
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("plus", "plus", "right_square_bracket")
        assert 10.0 == app.player.transport.speed
        assert "10x" in header(app)
        await pilot.press("minus", "left_square_bracket")
        assert 2.0 == app.player.transport.speed


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_quitting_leaves_at_once(app: PlayApp, key: str) -> None:
    """Both keys end the app, and an unfinished run has no outcome."""
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press(key)
        await pilot.pause()
        assert not app.is_running
    assert app.outcome is None


async def test_a_filter_works_while_it_is_typed(app: PlayApp, wait) -> None:
    """Rows vanish with every letter; enter keeps the filter, escape takes it away."""
    async with app.run_test(size=SIZE) as pilot:
        await run_to(app, pilot, 3, wait)
        assert 9 == len(names(app))
        await pilot.press("slash", "s", "h", "o", "p")
        await pilot.pause()
        assert 4 == len(names(app))
        await pilot.press("enter")
        assert "[4/9] </shop>" in title(app).replace("\\", "")
        await pilot.press("escape")
        await pilot.pause()

        assert 9 == len(names(app))


async def test_escape_in_the_prompt_forgets_the_filter(app: PlayApp, wait) -> None:
    """A filter that was given up leaves no trace, and keys are commands again."""
    async with app.run_test(size=SIZE) as pilot:
        await run_to(app, pilot, 3, wait)
        await pilot.press("slash", "q", "escape")
        await pilot.pause()

        assert app.is_running
        assert 9 == len(names(app))
        assert app.browser.table.has_focus


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("nodes", "nodes[4]"),
        ("svc", "services(all)[2]"),
        ("deploy default", "deployments(default)[2]"),
        ("pods kube-system", "pods(kube-system)[0]"),
        ("pc", "priorityclasses[2]"),
    ],
)
async def test_the_prompt_switches_views(app: PlayApp, wait, command: str, expected: str) -> None:
    """k9s' words lead to the same places here."""
    async with app.run_test(size=SIZE) as pilot:
        await run_to(app, pilot, 3, wait)
        await type_in(pilot, "colon", command)

        assert expected == title(app).replace("\\", "")
        assert app.browser.table.has_focus


async def test_the_prompt_moves_time(app: PlayApp, live: LiveRun, wait) -> None:
    """Running to an instant and setting a speed are commands."""
    async with app.run_test(size=SIZE) as pilot:
        await type_in(pilot, "colon", "speed 50")
        await type_in(pilot, "colon", "to 5s")
        await wait(pilot, lambda: live.now_ns == 5 * SECOND)

        assert 50.0 == app.player.transport.speed


async def test_an_unknown_command_is_answered(app: PlayApp) -> None:
    """A typo is a message, not an end."""
    async with app.run_test(size=SIZE) as pilot:
        await type_in(pilot, "colon", "pdos")

        assert any("pods" in note.message for note in app._notifications)


async def test_quit_can_be_typed(app: PlayApp) -> None:
    """``:q`` ends the app."""
    async with app.run_test(size=SIZE) as pilot:
        await type_in(pilot, "colon", "q")
        await pilot.pause(0.1)
        assert not app.is_running


async def test_the_prompt_completes_words(app: PlayApp) -> None:
    """The right arrow takes what is suggested."""
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("colon", "d", "e", "p")
        await pilot.pause(0.2)
        await pilot.press("right")
        field = app.screen.query_one("#field", Input)

        assert "deployments" == field.value


@pytest.mark.parametrize("key", ["enter", "d"])
async def test_enter_describes_and_escape_comes_back(app: PlayApp, wait, key: str) -> None:
    """The selected pod's description has its start; the cursor is where it was."""
    async with app.run_test(size=SIZE) as pilot:
        await run_to(app, pilot, 3, wait)
        await pilot.press("j", "j")
        name = names(app)[2]
        await pilot.press(key)
        await pilot.pause()
        assert f"describe pod/{name}" == title(app)
        assert "from stored to Ready" in page(app)
        await pilot.press("escape")
        await pilot.pause()

        assert app.browser.page is None
        assert app.browser.table.selected is not None
        assert name == app.browser.table.selected.name


async def test_a_page_follows_the_run(app: PlayApp, wait) -> None:
    """A description is alive: what happens is there when it happens."""
    async with app.run_test(size=SIZE) as pilot:
        await run_to(app, pilot, 0.5, wait)
        await pilot.press("enter")
        assert "not Ready" in page(app)
        await run_to(app, pilot, 4, wait)

        assert "from stored to Ready" in page(app)


async def test_yaml_is_a_key_away(app: PlayApp, wait) -> None:
    """The selected object as YAML."""
    async with app.run_test(size=SIZE) as pilot:
        await run_to(app, pilot, 3, wait)
        await pilot.press("y")
        await pilot.pause()

        assert "apiVersion: v1\nkind: Pod" in page(app)


async def test_only_pods_have_logs(app: PlayApp, wait) -> None:
    """Asking a node for its log is answered kindly."""
    async with app.run_test(size=SIZE) as pilot:
        await run_to(app, pilot, 1, wait)
        await type_in(pilot, "colon", "nodes")
        await pilot.press("l")
        await pilot.pause()

        assert app.browser.page is None
        assert any("has no log" in note.message for note in app._notifications)


async def test_a_long_log_opens_at_its_end_and_stays_there(app: PlayApp, wait) -> None:
    """New lines scroll in while one stands at the end."""
    async with app.run_test(size=SIZE) as pilot:
        await run_to(app, pilot, 25, wait)
        await type_in(pilot, "slash", "greeter")
        await pilot.press("l")
        await pilot.pause()
        reader = app.browser.reader
        assert reader.scroll_offset.y == reader.max_scroll_y > 0
        await run_to(app, pilot, 27, wait)
        await pilot.pause()
        assert reader.scroll_offset.y == reader.max_scroll_y
        await pilot.press("g")
        await run_to(app, pilot, 28, wait)

        assert 0 == reader.scroll_offset.y


async def test_a_namespace_is_entered(app: PlayApp, wait) -> None:
    """Enter on a namespace shows its pods; 0 shows all again."""
    async with app.run_test(size=SIZE) as pilot:
        await run_to(app, pilot, 1, wait)
        await type_in(pilot, "colon", "ns")
        await pilot.press("enter")
        assert "pods(default)[9]" == title(app).replace("\\", "")
        await pilot.press("0")
        assert title(app).startswith("pods(all)")
        await pilot.press("1")
        assert title(app).startswith("pods(default)")


async def test_the_cursor_stays_on_its_pod(app: PlayApp, wait) -> None:
    """When pods come and go above it, the cursor moves with its pod."""
    async with app.run_test(size=SIZE) as pilot:
        await run_to(app, pilot, 3, wait)
        await pilot.press("G")
        before = app.browser.table.selected
        await run_to(app, pilot, 61, wait)

        assert 12 == len(names(app))
        assert before == app.browser.table.selected
        assert 11 == app.browser.table.cursor


async def test_looking_elsewhere_is_not_undone(app: PlayApp, wait) -> None:
    """What was scrolled into sight stays there while the run goes on."""
    async with app.run_test(size=(140, 14)) as pilot:
        await run_to(app, pilot, 3, wait)
        app.browser.table.scroll_to(0, 2, animate=False)
        await run_to(app, pilot, 5, wait)

        assert 2 == app.browser.table.scroll_offset.y
        assert 0 == app.browser.table.cursor


async def test_help_and_verdict_lie_over_the_screen(app: PlayApp) -> None:
    """The help opens and closes; the verdict waits for the end."""
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        assert "play or pause" in screen_text(app)
        await pilot.press("escape")
        assert not isinstance(app.screen, Overlay)
        await pilot.press("v")
        await pilot.pause()

        assert not isinstance(app.screen, Overlay)


async def test_a_double_click_describes(app: PlayApp, wait) -> None:
    """The mouse works, too."""
    async with app.run_test(size=SIZE) as pilot:
        await run_to(app, pilot, 3, wait)
        await pilot.click(SheetTable, offset=(5, 3), times=2)
        await pilot.pause()

        assert title(app).startswith(f"describe pod/{names(app)[2]}")


async def test_the_selected_pod_s_node_stands_out(app: PlayApp, wait) -> None:
    """Moving the cursor marks another tile."""
    async with app.run_test(size=SIZE) as pilot:
        await run_to(app, pilot, 3, wait)
        tiles = app.query_one("#tiles", ScrollingLines)

        def marked() -> list[str]:
            return [text for line in tiles.lines for text, tone in line if tone == "cursor"]

        first = marked()
        await pilot.press("G")
        await pilot.pause()

        assert first[0].startswith("wasm-")
        assert marked()[0].startswith("general-")


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 12), (20, 6)])
async def test_any_terminal_will_do(app: PlayApp, wait, size: tuple[int, int]) -> None:
    """Small terminals show less and never fail, whatever is looked at."""
    async with app.run_test(size=size) as pilot:
        await run_to(app, pilot, 3, wait)
        for keys in (["enter"], ["escape", "y"], ["escape", "l"], ["escape", "question_mark"]):
            await pilot.press(*keys)
            await pilot.pause()
        await pilot.press("escape", "escape")
        await pilot.press("t", "t", "G", "e")
        await wait(pilot, lambda: app.outcome is not None)
        await pilot.pause()

        assert all(len(line) <= size[0] for line in screen_text(app).splitlines())


async def test_the_terminal_may_change_its_size(app: PlayApp, wait) -> None:
    """The tiles go on top when it becomes narrow, and back."""
    async with app.run_test(size=SIZE) as pilot:
        await run_to(app, pilot, 3, wait)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert app.screen.has_class("-narrow")
        await pilot.resize_terminal(160, 48)
        await pilot.pause()

        assert not app.screen.has_class("-narrow")


async def test_a_failure_of_the_run_is_handed_to_the_caller(
    app: PlayApp, live: LiveRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in the simulation ends the app and is not swallowed."""

    def broken(until_ns: int) -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr(live, "advance", broken)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press("space")
        await pilot.pause(0.2)
    assert "bug" == str(app.failure)


async def test_nothing_is_red_without_colour(
    live: LiveRun, wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_COLOR leaves shades of grey."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = PlayApp(live, playing=False)
    async with app.run_test(size=SIZE) as pilot:
        await run_to(app, pilot, 3, wait)
        strips = app.screen._compositor.render_strips(app.size)
        colours = {
            segment.style.color.triplet
            for strip in strips
            for segment in strip
            if segment.style and segment.style.color and segment.style.color.triplet
        }

        assert all(max(colour) - min(colour) <= 2 for colour in colours)


def test_every_action_exists() -> None:
    """Each key of the table is bound to something that the app can do."""
    for key in KEYS:
        action = key.action.partition("(")[0]
        assert hasattr(PlayApp, f"action_{action}"), action


def test_playing_starts_at_once_unless_told_otherwise(live: LiveRun) -> None:
    """``kubesim play`` begins to play, at the speed it was given."""
    transport = PlayApp(live, speed=5.0).player.transport

    assert (5.0, Motion.PLAYING) == (transport.speed, transport.motion)
