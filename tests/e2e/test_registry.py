"""Images there and back through a real registry: Debian's docker-registry, on this machine.

It is installed with apt-get when it is missing, which needs Debian and root; where that fails, so
do these tests.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kubesim.share import share_path

MODULE = share_path("scenarios") / "mixed-pool" / "modules" / "greeter" / "greeter.wasm"
APT = ["apt-get", "-y", "-o", "DPkg::Lock::Timeout=300"]
CONFIG = """version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: FOLDER}}
http: {addr: "127.0.0.1:PORT"}
"""
SPIN_TOML = """spin_manifest_version = 2
application = { name = "greeter", version = "1.0.0" }
[[trigger.http]]
route = "/..."
component = "greeter"
executor = { type = "wagi" }
[component.greeter]
source = "greeter.wasm"
files = ["page.html"]
"""


@pytest.fixture(scope="module")
def docker_registry() -> str:
    """The registry's program."""
    program = shutil.which("docker-registry")
    if program is None:
        install = [*APT, "install", "--no-install-recommends", "docker-registry"]
        if subprocess.run(install, check=False, capture_output=True).returncode:
            subprocess.run([*APT, "update"], check=True, capture_output=True)
            subprocess.run(install, check=True, capture_output=True)
        program = shutil.which("docker-registry")
    assert program is not None, "apt-get installed no docker-registry"
    return program


@pytest.fixture
def registry(docker_registry: str, tmp_path: Path) -> Iterator[str]:
    """A registry that is up: host and port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "registry.yml"
    text = CONFIG.replace("FOLDER", str(tmp_path / "registry")).replace("PORT", str(port))
    config.write_text(text)
    with (tmp_path / "registry.log").open("wb") as log:
        process = subprocess.Popen([docker_registry, "serve", config], stdout=log, stderr=log)
        try:
            _wait_for(f"http://127.0.0.1:{port}/v2/", process)
            yield f"localhost:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the registry ended at once"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"nobody answers at {url}")


def kubesim(*args: str, code: int = 0) -> str:
    """Call ``kubesim image``; what it printed."""
    command = [sys.executable, "-m", "kubesim.cli.main", "image", *args]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert code == done.returncode, done.stderr
    return done.stdout + done.stderr


def _as_file(folder: Path, *form: str) -> list[str]:
    shutil.copy(MODULE, folder / "greeter.wasm")
    return [str(folder / "greeter.wasm"), *form]


def _as_spin(folder: Path) -> list[str]:
    _as_file(folder)
    (folder / "page.html").write_text("<p>" + "hello " * 100)
    (folder / "spin.toml").write_text(SPIN_TOML)
    return [str(folder / "spin.toml")]


@pytest.mark.parametrize(
    ("form", "source"),
    [
        ("runwasi", _as_file),
        ("artifact", lambda folder: _as_file(folder, "--form", "artifact")),
        ("spin", _as_spin),
    ],
)
def test_there_and_back(
    registry: str, tmp_path: Path, form: str, source: Callable[[Path], list[str]]
) -> None:
    """Each form is pushed, pulled, and the same to the last byte; a second push sends nothing."""
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    name = f"{registry}/e2e/greeter:v1"
    kubesim("build", *source(tmp_path), "-t", name, "-o", one)
    blobs = "4" if form == "spin" else "2"
    assert f"{blobs} blobs sent, 0 were there" in kubesim("push", one, name)
    assert f"0 blobs sent, {blobs} were there" in kubesim("push", one, name)
    assert f"{blobs} blobs fetched" in kubesim("pull", name, "-o", two)
    reports = [json.loads(kubesim("inspect", folder, "-o", "json")) for folder in (one, two)]
    assert reports[0] == reports[1]
    assert form == reports[0]["form"]
    files = [
        {
            path.relative_to(folder): path.read_bytes()
            for path in Path(folder).rglob("*")
            if path.is_file()
        }
        for folder in (one, two)
    ]
    assert files[0] == files[1]


def test_mounted_from_another_repository(registry: str, tmp_path: Path) -> None:
    """A real registry mounts blobs that another of its repositories has."""
    layout = str(tmp_path / "one")
    kubesim("build", *_as_file(tmp_path), "-t", "greeter:v1", "-o", layout)
    kubesim("push", layout, f"{registry}/base:v1")
    done = kubesim("push", layout, f"{registry}/team/app:v1", "--mount-from", "base")
    assert "0 blobs sent, 0 were there, 2 mounted" in done


def test_unknown_image(registry: str, tmp_path: Path) -> None:
    """What is not there is a mistake of the user's."""
    done = kubesim("pull", f"{registry}/nothing:v1", "-o", str(tmp_path / "x"), code=2)
    assert "MANIFEST_UNKNOWN" in done
