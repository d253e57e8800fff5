"""kubesim: a flight simulator for Kubernetes.

    import kubesim as ks

    run = ks.Scenario.load("mixed-pool").run(seed=7)
    run.pods.df          # a DataFrame, when pandas is installed
    run.passed           # what was expected of it

Names are loaded when they are first used: ``import kubesim`` alone loads neither wasmtime nor
textual nor pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kubesim.errors import InputError, KubesimError, Problem
    from kubesim.scenario import LiveRun, Scenario
    from kubesim.telemetry import ExpectationResult, Run, Table

__version__ = "0.1.0.dev0"

__all__ = [
    "ExpectationResult",
    "InputError",
    "KubesimError",
    "LiveRun",
    "Problem",
    "Run",
    "Scenario",
    "Table",
    "__version__",
]

_HOMES = {
    "ExpectationResult": "kubesim.telemetry",
    "InputError": "kubesim.errors",
    "KubesimError": "kubesim.errors",
    "LiveRun": "kubesim.scenario",
    "Problem": "kubesim.errors",
    "Run": "kubesim.telemetry",
    "Scenario": "kubesim.scenario",
    "Table": "kubesim.telemetry",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'kubesim' has no attribute '{name}'")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
