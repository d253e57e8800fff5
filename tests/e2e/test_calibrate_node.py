"""``kubesim calibrate node`` for real: runc, crun and containerd run containers on this machine.

Debian's packages are installed with apt-get where they are missing, which needs root; where that
fails, so do these tests.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kubesim.bench.calibrating import load_samples
from kubesim.calibration import load_preset

APT = ["apt-get", "-y", "-o", "DPkg::Lock::Timeout=300"]
PACKAGES = [
    "runc", "crun", "containerd", "containernetworking-plugins", "docker-registry",
    "busybox-static", "iproute2",
]  # fmt: skip
CALLS = (
    "RunPodSandbox", "CreateContainer", "StartContainer", "StopContainer", "RemoveContainer",
    "StopPodSandbox", "RemovePodSandbox",
)  # fmt: skip
PHASES = {
    *(
        f"{runtime}/{step}"
        for runtime in ("runc", "crun")
        for step in ("create", "start", "delete")
    ),
    *(f"cri/{call}" for call in CALLS),
    *(f"cri/{call}/host" for call in CALLS),
    "cri/StopContainer/kill",
    "pull/present",
    *(f"wasm/{what}" for what in ("compile", "load", "instantiate", "first_request")),
}
NUMBERS = ("sandbox_network", "sandbox_runtime", "create_container", "unpack_rate", "stop_sandbox")


@pytest.fixture(scope="module")
def _installed() -> None:
    """The runtimes are on this machine."""
    programs = ("runc", "crun", "containerd", "docker-registry", "busybox", "ip")
    if all(map(shutil.which, programs)) and Path("/usr/lib/cni/bridge").exists():
        return
    install = [*APT, "install", "--no-install-recommends", *PACKAGES]
    if subprocess.run(install, check=False, capture_output=True).returncode:
        subprocess.run([*APT, "update"], check=True, capture_output=True)
        subprocess.run(install, check=True, capture_output=True)


def left_behind(pid: int) -> list[str]:
    """Folders, mounts, cgroups, processes and bridges of a calibration that is over."""
    found = [str(path) for path in Path("/tmp").glob("kubesim-calibrate-*")]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob("**/kubesim-calibrate-*")]
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found += [line for line in mounts if "kubesim-calibrate-" in line]
    links = subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True)
    found += re.findall(rf"ks{pid}\b", links.stdout)
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"kubesim-calibrate-" in command.read_bytes():
                found.append(str(command))
        except OSError:
            continue
    return found


def started(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "kubesim", "calibrate", "node", *options]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)


@pytest.mark.usefixtures("_installed")
def test_every_phase_is_measured_and_the_preset_loads(tmp_path: Path) -> None:
    """Ten samples of each; the file is a preset with the numbers measured; nothing is left behind."""
    preset_file, samples_file = tmp_path / "mine.yaml", tmp_path / "samples.json"
    process = started("--samples", "10", "-o", str(preset_file), "--keep", str(samples_file))
    out, errors = process.communicate(timeout=600)
    assert 0 == process.returncode, out + errors
    print(out)  # noqa: T201 - what this machine gave, for those who look
    samples = load_samples(samples_file)
    assert {} == samples.missing
    assert set() == PHASES - samples.ms.keys()
    assert [4, 4] == [sum(n.startswith((f"{what}/1", f"{what}/5")) for n in samples.ms)
                      for what in ("pull", "unpack")]  # fmt: skip
    assert {10} == {len(samples.ms[f"cri/{call}/host"]) for call in CALLS}
    assert {"shim", "pause", "container"} == samples.kib.keys()
    preset = load_preset(str(preset_file))
    measured = [getattr(preset.containerd, name) for name in NUMBERS]
    measured += [preset.registry.resolve, preset.registry.request, preset.runtimes["runc"].start]
    measured += [preset.wasm_runtimes["wasmtime"].load]
    assert all(number.source.startswith("kubesim calibrate node") for number in measured)
    assert [] == left_behind(process.pid)


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_calibration_cleans_up(number: signal.Signals) -> None:
    """Ended among its pods, it leaves no process, mount, cgroup, bridge or folder."""
    process = started("--samples", "500")
    assert process.stderr is not None
    for line in process.stderr:
        if "memory" in line or "with CNI" in line:
            break
    assert any(Path("/tmp").glob("kubesim-calibrate-*/containerd.sock"))
    os.kill(process.pid, number)
    process.communicate(timeout=120)
    assert 0 != process.returncode
    assert [] == left_behind(process.pid)
