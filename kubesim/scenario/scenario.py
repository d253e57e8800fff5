"""A scenario as notebooks and scripts know it: load it, run it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kubesim.scenario.lenient import Strictness
from kubesim.scenario.live import LiveRun
from kubesim.scenario.loading import LoadedScenario, load_scenario
from kubesim.telemetry import Run
from kubesim.wasm.measuring import Clock


@dataclass(frozen=True, kw_only=True, eq=False)
class Scenario(LoadedScenario):
    """A scenario, loaded and checked: ``Scenario.load("mixed-pool").run(seed=7)``."""

    @classmethod
    def load(
        cls, name: str | Path, *, preset: str | None = None, strictness: Strictness | None = None
    ) -> Scenario:
        """Load a scenario.

        Args:
            name: A shipped scenario's name, or the path of a folder or a file.
            preset: A preset to use instead of the scenario's: a name or a file.
            strictness: How manifests are taken, instead of what the scenario says.

        Raises:
            InputError: With everything that is wrong in the scenario, its manifests and its modules.
        """
        return cls(**vars(load_scenario(name, preset=preset, strictness=strictness)))

    def run(
        self, *, seed: int | None = None, until: int | None = None, clock: Clock | None = None
    ) -> Run:
        """Simulate from beginning to end.

        Args:
            seed: A seed instead of the scenario's.
            until: Nanoseconds of virtual time after which to stop instead.
            clock: Nanoseconds on the wall, such as ``time.perf_counter_ns``: what ``timing: measured``
                needs, and nothing else does.

        Raises:
            InputError: The scenario needs a clock.
        """
        live = LiveRun(self, seed=seed, until_ns=until, clock=clock)
        live.advance(live.end_ns)
        return live.finish()
