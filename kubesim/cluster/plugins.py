"""The scheduler plugins that a user brings, in Python and in Wasm, made ready for a configuration.

A plugin that is given and not spoken of in any profile is switched on: one in Python wherever it can
be called, a guest at the points that choose a node (built with the Go SDK it exports them all, and
one that does nothing at ``bind`` would bind nothing).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kubesim.cluster.wasmplugin import wasm_plugin
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.engine import Engine
from kubesim.controlplane.scheduler.framework.listers import ObjectLister
from kubesim.controlplane.scheduler.pluginloading import (
    mentioned,
    python_plugin,
    registry_for,
    switched_on,
)
from kubesim.controlplane.scheduler.registry import DEFAULT_REGISTRY, PluginFactory
from kubesim.errors import InputError, Problem
from kubesim.wasm.errors import WasmError
from kubesim.wasm.schedulerguest import Guest

WASM_POINTS = ("pre_filter", "filter", "pre_score", "score", "reserve", "permit")
GUEST_URL = "guestURL"


SCHEDULER_LIMITS = (50.0, 100)  # clientConnection.qps, clientConnection.burst


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSetup:
    """A scheduler's configuration and the plugins that it can name."""

    config: KubeSchedulerConfiguration = field(default_factory=KubeSchedulerConfiguration)
    registry: Mapping[str, PluginFactory] = field(default_factory=lambda: DEFAULT_REGISTRY)

    @property
    def limits(self) -> tuple[float, int]:
        """Requests a second and burst of the scheduler's client; a negative rate is none."""
        connection = self.config.client_connection
        qps = float(connection.get("qps", 0)) or SCHEDULER_LIMITS[0]
        return max(qps, 0.0), int(connection.get("burst", 0)) or SCHEDULER_LIMITS[1]

    def check(self) -> None:
        """Make all plugins once, to see whether they can be made.

        Raises:
            InputError: If one cannot, or a profile does not make sense.
        """
        Engine(config=self.config, lister=ObjectLister(), clock=lambda: 0, registry=self.registry)


def set_up(
    config: KubeSchedulerConfiguration,
    plugins: Mapping[str, str],
    *,
    folder: Path | None = None,
) -> SchedulerSetup:
    """Make a user's plugins ready.

    Args:
        config: The configuration.
        plugins: By name ``module:Class``, ``file.py:Class`` or ``guest.wasm``. A profile may also
            name a guest as kube-scheduler-wasm-extension does, by ``guestURL`` in its arguments.
        folder: Where paths begin; by default where the process runs.

    Raises:
        InputError: If a plugin is missing or is none.
    """
    targets = {**_guest_urls(config), **plugins}
    named = {name: _factory(name, target, folder) for name, target in targets.items()}
    guests = [name for name, target in targets.items() if _is_wasm(target)]
    config = switched_on(config, [name for name in named if name not in guests])
    config = switched_on(config, guests, points=WASM_POINTS)
    return SchedulerSetup(config=config, registry=registry_for(config, named))


def _guest_urls(config: KubeSchedulerConfiguration) -> dict[str, str]:
    """The guests that a configuration brings along."""
    names = dict.fromkeys(mentioned(config))
    return {
        name: str(args[GUEST_URL]).removeprefix("file://")
        for profile in config.profiles
        for name in names
        if GUEST_URL in (args := profile.args_of(name))
    }


def _is_wasm(target: str) -> bool:
    return target.endswith(".wasm")


def _factory(name: str, target: str, folder: Path | None) -> PluginFactory:
    if not _is_wasm(target):
        return python_plugin(name, target, folder=folder)
    file = Path(target) if folder is None else folder / target
    try:
        wasm = file.read_bytes()
    except OSError as error:
        message = f'plugin "{name}": cannot be read: {error.strerror or error}'
        raise InputError(Problem(message=message, file=str(file))) from None
    _start(name, file, wasm, "")  # what is wrong with it is said now, not in the middle of a run
    return wasm_plugin(name, lambda config: _start(name, file, wasm, config))


def _start(name: str, file: Path, wasm: bytes, config: str) -> Guest:
    # Only here, so that a scheduler without guests does not load 30 MB of engine.
    from kubesim.wasm.nativescheduler import SchedulerGuest  # noqa: PLC0415

    try:
        return SchedulerGuest(wasm, config=config)
    except WasmError as error:
        message = f'plugin "{name}": {error.problems[0].message}'
        raise InputError(Problem(message=message, file=str(file))) from None
