"""Same seed, same bytes: the property that must never be traded away."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from kubesim.scenario import LiveRun, Scenario
from kubesim.sim.time import MILLISECOND, SECOND
from kubesim.telemetry import Run


def digest_of(seed: int, *, hash_seed: str) -> str:
    """The digest that a fresh process prints."""
    command = [sys.executable, "-m", "kubesim", "run", "mixed-pool", "--seed", str(seed)]
    done = subprocess.run(
        [*command, "-o", "json"],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        check=True,
    )
    return str(json.loads(done.stdout)["digest"])


@pytest.mark.parametrize("hash_seed", ["0", "1", "2"])
def test_digest_under_hash_seeds(hash_seed: str, mixed_pool: Run) -> None:
    """A fresh process gives the same digest, whatever PYTHONHASHSEED is."""
    assert mixed_pool.digest == digest_of(7, hash_seed=hash_seed)


def test_second_run_in_one_process(mixed_pool: Run) -> None:
    """A second run in the same process, with warm caches, gives the same digest."""
    assert mixed_pool.digest == Scenario.load("mixed-pool").run(seed=7).digest


def test_another_seed(mixed_pool: Run) -> None:
    """Another seed gives another digest."""
    assert mixed_pool.digest != Scenario.load("mixed-pool").run(seed=8).digest


@pytest.mark.parametrize("step_ns", [7 * SECOND, 333 * MILLISECOND])
def test_steps_do_not_matter(step_ns: int, mixed_pool: Run) -> None:
    """A run that is stopped and looked at every so often is the same run, with the same verdicts."""
    live = LiveRun(Scenario.load("mixed-pool"), seed=7)
    while not live.over:
        live.advance(live.now_ns + step_ns)
        live.view.pods()
    run = live.finish()
    assert mixed_pool.digest == run.digest
    assert mixed_pool.expectations == run.expectations
