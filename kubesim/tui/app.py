"""``kubesim play``: the app, its keys, and what is redrawn when.

Twenty times a second the player lets time pass; the lines around the table follow at once. The
table, the page and the tiles are made anew when something happened, and the less often the longer
that takes, so that a large cluster costs frames and not keystrokes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.markup import escape
from typing_extensions import override

from kubesim.scenario import LiveRun
from kubesim.telemetry import Run
from kubesim.tui import pages
from kubesim.tui.bars import Status, header_lines, hints_line, ticker_line
from kubesim.tui.commands import Act, Command, RunTo, SetSpeed, Show, understand
from kubesim.tui.grid import Glyph, Tile, grid_lines, scene_tiles
from kubesim.tui.keys import KEYS
from kubesim.tui.pages import Page
from kubesim.tui.player import Player
from kubesim.tui.scene import Ref
from kubesim.tui.screens import Overlay, help_lines, verdict_lines
from kubesim.tui.theme import NIGHT
from kubesim.tui.transport import TICKS_PER_SECOND, Motion, Transport
from kubesim.tui.views import NAMESPACES, PODS
from kubesim.tui.widgets import Browser, LinesView, Prompt, ScrollingLines, SheetTable
from kubesim.tui.widgets.prompt import Mode

NARROW_BELOW = 110
TILES_WIDTH = 34
NARROW_TILES_HEIGHT = 7
FASTEST_REDRAW_S = 0.1
# Redrawing may take this share of the time at most.
REDRAW_SHARE = 0.25


class PlayApp(App[None]):
    """A playthrough of a live run.

    Args:
        live: The run, not yet at its end.
        speed: Virtual seconds a second.
        playing: Whether time passes at once.
        clock: Real seconds.
    """

    TITLE = "kubesim"
    CSS_PATH = "play.tcss"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key.keys, key.action, key.does, show=False) for key in KEYS),
        Binding("ctrl+c", "quit", "quit", show=False, priority=True),
    ]

    def __init__(
        self,
        live: LiveRun,
        *,
        speed: float = 1.0,
        playing: bool = True,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        super().__init__()
        self.register_theme(NIGHT)
        self.theme = NIGHT.name
        motion = Motion.PLAYING if playing else Motion.PAUSED
        self.player = Player(live, transport=Transport(speed, motion), clock=clock)
        self.scene = self.player.scene
        self.failure: Exception | None = None
        self._clock = clock
        self._grid: tuple[list[Tile], list[Glyph]] = ([], [])
        self._drawn_ns = -1
        self._drawn_s = 0.0
        self._draw_took_s = 0.0
        self._header = LinesView(id="header")
        self._ticker = LinesView(id="ticker")
        self._hints = LinesView(id="hints")
        self._tiles = ScrollingLines(id="tiles")
        self.browser = Browser(self.scene)
        self._prompt = Prompt(id="prompt")

    @property
    def outcome(self) -> Run | None:
        """The run, once it is over."""
        return self.player.outcome

    @override
    def compose(self) -> ComposeResult:
        """From the top: header, tiles and browser, prompt, ticker, keys."""
        yield self._header
        yield Horizontal(self._tiles, self.browser, id="body")
        yield self._prompt
        yield self._ticker
        yield self._hints

    def on_mount(self) -> None:
        """Begin to play."""
        self._tiles.can_focus = False
        self.browser.table.focus()
        self.set_interval(1 / TICKS_PER_SECOND, self._tick)

    def on_resize(self, event: events.Resize) -> None:
        """The terminal has another size."""
        self.screen_stack[0].set_class(event.size.width < NARROW_BELOW, "-narrow")
        self.call_after_refresh(self.redraw)

    def _tick(self) -> None:
        try:
            ended = self.player.tick()
        except Exception as error:  # a bug in the run: the caller's to report
            self.failure = error
            self.exit()
            return
        self._draw_bars()
        wait_s = max(FASTEST_REDRAW_S, self._draw_took_s / REDRAW_SHARE)
        moved = self._drawn_ns != self.scene.now_ns
        if ended or (moved and self._clock() - self._drawn_s >= wait_s):
            self.redraw()
        if ended:
            self.action_verdict()

    def redraw(self) -> None:
        """Make everything anew, now."""
        if not self.browser.is_attached:
            return
        began_s = self._clock()
        self._drawn_ns = self.scene.now_ns
        self._draw_bars()
        self.browser.draw()
        self._grid = scene_tiles(self.scene)
        self._draw_tiles()
        self._drawn_s = self._clock()
        self._draw_took_s = self._drawn_s - began_s

    def _draw_bars(self) -> None:
        width, scene, player = self.size.width, self.scene, self.player
        status = Status(
            scenario=scene.name,
            seed=scene.seed,
            preset=scene.preset,
            now_ns=scene.now_ns,
            end_ns=scene.end_ns,
            wall_ns=scene.wall_ns,
            transport=player.transport,
            events_per_second=player.meter.events_per_second,
            measured_speed=player.meter.speed,
            run=player.outcome,
        )
        self._header.show(header_lines(status, width))
        self._ticker.show([ticker_line(scene.happenings, width)])
        self._hints.show([hints_line(width)])

    def _draw_tiles(self) -> None:
        narrow = self.screen_stack[0].has_class("-narrow")
        width = self.size.width - 4 if narrow else TILES_WIDTH
        height = NARROW_TILES_HEIGHT if narrow else max(self._tiles.size.height, 1)
        tiles, unplaced = self._grid
        marked = self.browser.node_of_subject
        self._tiles.border_title = escape(f"nodes[{len(tiles)}]")
        lines = grid_lines(tiles, unplaced, width=width, height=height, marked=marked)
        self._tiles.show(lines)

    # Time.

    def action_play_pause(self) -> None:
        """Play, or pause."""
        if self.outcome is None:
            self.player.transport = self.player.transport.toggled()
            self.redraw()

    def action_seek(self) -> None:
        """To the next thing that happens."""
        self.player.seek()

    def action_ahead(self, seconds: int) -> None:
        """So many seconds ahead."""
        self.player.step(seconds)

    def action_faster(self) -> None:
        """Play faster."""
        self.player.transport = self.player.transport.faster()
        self._draw_bars()

    def action_slower(self) -> None:
        """Play slower."""
        self.player.transport = self.player.transport.slower()
        self._draw_bars()

    def action_to_end(self) -> None:
        """Run to the end."""
        self.player.run_to(self.scene.end_ns)

    def action_verdict(self) -> None:
        """What was expected, and the digest."""
        if self.outcome is None:
            self.notify("the verdict comes at the end: press e to run there")
        elif not isinstance(self.screen, Overlay):
            title = "verdict: passed" if self.outcome.passed else "verdict: failed"
            self.push_screen(Overlay(title, verdict_lines(self.outcome, self.size.width - 12)))

    # Looking.

    def action_describe(self) -> None:
        """Describe what is selected; a namespace is entered."""
        ref = self.browser.subject
        if self.browser.page is not None or ref is None:
            return
        if self.browser.view is NAMESPACES:
            self.browser.show(PODS, namespace=ref.name)
        else:
            self._open(pages.description(ref))

    def action_logs(self) -> None:
        """The log of the selected pod."""
        ref = self._subject()
        if ref is None:
            return
        if ref.kind == "Pod":
            self._open(pages.logs(ref))
        else:
            self.notify(f"{ref.label} has no log: pods have", severity="warning")

    def action_yaml(self) -> None:
        """The selected object as YAML."""
        ref = self._subject()
        if ref is not None:
            self._open(pages.yaml(ref))

    def action_namespace(self, number: int) -> None:
        """One namespace, or all."""
        self.browser.choose_namespace(number)

    def action_tiles(self) -> None:
        """Show or hide the node tiles."""
        self.screen_stack[0].toggle_class("-tileless")
        self.call_after_refresh(self.redraw)

    def action_help(self) -> None:
        """All keys."""
        self.push_screen(Overlay("help", help_lines(self.size.width)))

    def action_leave(self) -> None:
        """One step back."""
        if self._prompt.display:
            self._close_prompt()
        else:
            self.browser.leave()
            self._draw_tiles()

    def action_command(self) -> None:
        """Type a command."""
        self._open_prompt("command")

    def action_filter(self) -> None:
        """Type a filter."""
        if self.browser.page is None:
            self._open_prompt("filter", self.browser.filter)

    def _open_prompt(self, mode: Mode, text: str = "") -> None:
        # It takes the ticker's line, so that nothing else moves.
        self._ticker.display = False
        self._prompt.open(mode, text)

    def _subject(self) -> Ref | None:
        ref = self.browser.subject
        if ref is None:
            self.notify("nothing is selected", severity="warning")
        return ref

    def _open(self, page: Page) -> None:
        self.browser.open(page)
        self._draw_tiles()

    def _close_prompt(self) -> None:
        if self._prompt.mode == "filter":
            self.browser.filter = ""
        self._prompt.close()
        self._focus_browser()

    def _focus_browser(self) -> None:
        browser = self.browser
        self._ticker.display = True
        (browser.table if browser.page is None else browser.reader).focus()
        browser.draw()

    def on_prompt_typed(self, message: Prompt.Typed) -> None:
        """The filter works while it is typed."""
        self.browser.filter = message.text
        self.browser.draw()

    def on_prompt_entered(self, message: Prompt.Entered) -> None:
        """A command, or the filter that stays."""
        self._focus_browser()
        if message.mode == "command":
            command = understand(message.text)
            if command is not None:
                self._obey(command)

    def on_sheet_table_opened(self, _message: SheetTable.Opened) -> None:
        """A double click describes."""
        self.action_describe()

    def on_sheet_table_moved(self, _message: SheetTable.Moved) -> None:
        """The node of the selected pod stands out."""
        self._draw_tiles()

    def _obey(self, command: Command) -> None:
        player = self.player
        if isinstance(command, Show):
            self.browser.show(command.view, namespace=command.namespace)
        elif isinstance(command, RunTo):
            player.run_to(command.at_ns)
        elif isinstance(command, SetSpeed):
            player.transport = player.transport.at(command.speed)
        elif isinstance(command, Act):
            self.call_later(self.run_action, command.action)
        else:
            self.notify(escape(command.message), severity="warning")


def play(live: LiveRun, speed: float = 1.0) -> Run | None:
    """Play a live run on the terminal; the run when it was played to its end.

    Args:
        live: The run.
        speed: Virtual seconds a second.

    Raises:
        Exception: What the simulation raised, if it did.
    """
    app = PlayApp(live, speed=speed)
    app.run()
    if app.failure is not None:
        raise app.failure
    return app.outcome
