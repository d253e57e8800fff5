"""Unmodified components of the large SDKs: built here from small sources, served by kubesim's own host.

They carry an interpreter (13 to 38 MB), so they are not committed. componentize-py comes from PyPI,
componentize-js from npm, both into the user's cache folder.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

import platformdirs
import pytest

from kubesim.scenario import Scenario
from kubesim.wasm import Engine, SpinContext, Stores, WasiContext
from kubesim.wire.http import HttpRequest

SOURCES = Path(__file__).parents[1] / "fixtures" / "wasm" / "toolchains"
START_NS = 1_767_225_600 * 10**9  # 2026-01-01T00:00:00Z
COMPONENTIZE_PY = ("componentize-py==0.25.1",)
SPIN_SDK = ("spin-sdk==3.4.1", "componentize-py==0.17.0")  # the SDK's own version of the tool
COMPONENTIZE_JS = ("@bytecodealliance/componentize-js@0.23.0", "@bytecodealliance/jco@1.35.0")
WASI = "0.2.12"  # what jco carries the WIT of
WASI_OF_JS = "0.2.10"  # the only one that componentize-js 0.23 takes


@pytest.fixture(scope="module")
def cache() -> Path:
    """Where toolchains are kept."""
    return platformdirs.user_cache_path("kubesim")


@pytest.fixture(scope="module")
def npm(cache: Path) -> Path:
    """The folder with componentize-js, and with the WIT of WASI."""
    folder = cache / "componentize-js-0.23.0"
    if not (folder / "node_modules" / "@bytecodealliance" / "jco").exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--prefix", folder, *COMPONENTIZE_JS]
        subprocess.run(command, check=True)
    return folder


@pytest.fixture(scope="module")
def wit(npm: Path):
    """Make the folder with a world and the interfaces it includes, in some version of WASI."""
    jco = npm / "node_modules" / "@bytecodealliance" / "jco"

    def world(source: Path, target: Path, version: str) -> Path:
        shutil.copytree(jco / "lib" / "wit" / "builtin" / WASI, target / "deps")
        shutil.copy(source, target)
        for file in target.rglob("*.wit"):
            file.write_text(file.read_text().replace(WASI, version))
        return target

    return world


@pytest.fixture
def ask():
    """Serve requests with a component; its answers."""
    engine = Engine(use_cache=False)

    def answers(wasm: Path, count: int) -> list[object]:
        component = engine.load(wasm.read_bytes())
        spin = SpinContext(stores=Stores(), key_value_stores=("default",))
        request = HttpRequest(method="POST", path="/say", query="x=1", body=b"one two one")
        context = WasiContext(start_ns=START_NS, seed=b"seed")
        handled = [engine.handle(component, request, context, spin=spin) for _ in range(count)]
        assert [200] * count == [one.response.status for one in handled]
        return [json.loads(one.response.body) for one in handled]

    return answers


def python(folder: Path, packages: tuple[str, ...]) -> Path:
    """A virtual environment with some packages."""
    if not (folder / "bin" / "componentize-py").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", *packages], check=True)
    return folder


SCENARIO = """apiVersion: kubesim.dev/v1alpha1
kind: Scenario
metadata: {name: sdk}
spec:
  duration: 60s
  nodePools:
    - {name: wasm, count: 1, machine: m5.large, runtimes: [runc, spin]}
  images:
    - {name: sdk:v1, wasm: {module: app.wasm, kind: http, spin: {keyValueStores: [default]}}}
  traffic:
    - {name: users, service: sdk, from: 40s, rate: 10/s}
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: spin}
handler: spin
---
apiVersion: v1
kind: Pod
metadata: {name: sdk, labels: {app: sdk}}
spec:
  runtimeClassName: spin
  containers: [{name: sdk, image: "sdk:v1", resources: {limits: {memory: 128Mi}}}]
---
apiVersion: v1
kind: Service
metadata: {name: sdk}
spec: {selector: {app: sdk}, ports: [{port: 80}]}
"""


@pytest.fixture
def in_a_pod(tmp_path: Path):
    """Run a component in a pod of a scenario with traffic; requests and errors of its Service."""

    def run(wasm: Path) -> tuple[bool, int]:
        shutil.copy(wasm, tmp_path / "app.wasm")
        (tmp_path / "scenario.yaml").write_text(SCENARIO)
        service = Scenario.load(tmp_path).run().services[0]
        return service["requests"] > 100, service["errors"]

    return run


def test_a_component_by_componentize_py_answers(cache, wit, ask, in_a_pod, tmp_path):
    """A wasi:http handler in Python reads the body, counts words and answers in JSON."""
    tool = python(cache / "componentize-py-0.25.1", COMPONENTIZE_PY) / "bin" / "componentize-py"
    world = wit(SOURCES / "http_py" / "world.wit", tmp_path / "wit", WASI)
    target = tmp_path / "words.wasm"
    arguments = ["-d", world, "-w", "handler", "componentize", "app", "-o", target]
    subprocess.run([tool, *arguments], cwd=SOURCES / "http_py", check=True)

    assert [{"path": "/say?x=1", "words": {"one": 2, "two": 1}}] == ask(target, 1)
    assert (True, 0) == in_a_pod(target)


def test_a_component_by_componentize_js_answers(npm, wit, ask, in_a_pod, tmp_path):
    """The same handler in JavaScript, by the web's fetch event."""
    world = wit(SOURCES / "http_js" / "world.wit", tmp_path / "wit", WASI_OF_JS)
    build = shutil.copy(SOURCES / "http_js" / "build.mjs", npm)
    target = tmp_path / "words.wasm"
    source = SOURCES / "http_js" / "handler.js"
    subprocess.run(["node", build, source, world, target], cwd=npm, check=True)

    assert [{"path": "/say?x=1", "words": {"one": 2, "two": 1}}] == ask(target, 1)
    assert (True, 0) == in_a_pod(target)


def test_a_component_by_the_spin_sdk_keeps_its_visits(cache, ask, in_a_pod, tmp_path):
    """An application by Spin's Python SDK counts in the key-value store, across its instances."""
    home = python(cache / "spin-sdk-3.4.1", SPIN_SDK)
    site = sysconfig.get_path("purelib", "posix_prefix", {"base": str(home)})
    target = tmp_path / "visits.wasm"
    arguments = ["-d", f"{site}/spin_sdk/wit", "-w", "spin-http", "componentize"]
    subprocess.run(
        [home / "bin" / "componentize-py", *arguments, "-p", ".", "-p", site, "app", "-o", target],
        cwd=SOURCES / "spin_py",
        check=True,
    )

    assert [{"uri": "/say?x=1", "visits": n} for n in (1, 2, 3)] == ask(target, 3)
    assert (True, 0) == in_a_pod(target)
