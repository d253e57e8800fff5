"""Fixtures that many tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubesim.scenario import Scenario
from kubesim.telemetry import Run

NODE_POOL = "{name: pool, count: 1, capacity: {cpu: '4', memory: 8Gi}}"


@pytest.fixture(autouse=True, scope="session")
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads or writes the user's own cache of compiled modules."""
    patch = pytest.MonkeyPatch()
    patch.setenv("KUBESIM_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def mixed_pool() -> Run:
    """The story, run once with the seed of the issue."""
    return Scenario.load("mixed-pool").run(seed=7)


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
