"""Fixtures that many tests share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from kubesim.scenario import Scenario
from kubesim.telemetry import Run

NODE_POOL = "{name: pool, count: 1, capacity: {cpu: '4', memory: 8Gi}}"


@pytest.fixture(autouse=True, scope="session")
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads or writes the user's own cache of compiled modules."""
    patch = pytest.MonkeyPatch()
    patch.setenv("KUBESIM_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Tests that share an expensive run share a worker."""
    return _ByRun(config, log)


class _ByRun(LoadScopeScheduling):
    """A file's tests go to one worker; ``test_closed_loop.py`` where scenario ``closed-loop`` runs."""

    def _split_scope(self, nodeid: str) -> str:
        path, _, test = nodeid.partition("::")
        if path.endswith("/test_shipped.py"):
            return test.partition("[")[2].rstrip("]")
        return path.rpartition("/test_")[2].removesuffix(".py").replace("_", "-")


@pytest.fixture(scope="session")
def shipped() -> Callable[[str], Run]:
    """Runs a shipped scenario with its own seed; once, however many tests ask for it."""

    @cache
    def run(name: str) -> Run:
        return Scenario.load(name).run()

    return run


@pytest.fixture(scope="session")
def mixed_pool(shipped: Callable[[str], Run]) -> Run:
    """The story, run once with the seed of the issue, which is its own."""
    run = shipped("mixed-pool")
    assert 7 == run.seed
    return run


@pytest.fixture
def write_scenario(tmp_path: Path) -> Callable[..., Path]:
    """Writes a scenario with one small node pool; ``spec`` is more YAML under ``spec:``."""

    def write(spec: str = "", manifests: str = "", *, pools: str = f"[{NODE_POOL}]") -> Path:
        body = "\n".join(f"  {line}" for line in spec.splitlines())
        text = (
            "apiVersion: kubesim.dev/v1alpha1\n"
            "kind: Scenario\n"
            "metadata: {name: small}\n"
            "spec:\n"
            f"  nodePools: {pools}\n"
            f"{body}\n"
        )
        if "duration:" not in spec:
            text += "  duration: 10s\n"
        if manifests:
            text += f"---\n{manifests}"
        file = tmp_path / "scenario.yaml"
        file.write_text(text, encoding="utf-8")
        return file

    return write
