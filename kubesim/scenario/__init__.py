"""Scenarios: the format, loading, running, and judging.

``Scenario.load("mixed-pool").run(seed=7)`` gives a ``Run``.
"""

from kubesim.scenario.live import LiveRun
from kubesim.scenario.scenario import Scenario

__all__ = ["LiveRun", "Scenario"]
