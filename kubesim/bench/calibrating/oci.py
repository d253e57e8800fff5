"""An OCI runtime by itself: create, start and delete of ``/bin/true``, one after another.

It is measured in a process of its own, because it takes orphans in as an init does, and because a
runtime that does not know hybrid cgroups needs a mount namespace in which there are none.

``create``, ``start`` and ``delete`` are the wall time of the command, with its fork and exec.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import subprocess
import sys
from pathlib import Path
from time import perf_counter_ns
from typing import Any

STEPS = ("create", "start", "delete")
UNIFIED = Path("/sys/fs/cgroup/unified")

_SET_CHILD_SUBREAPER = 36
_NS_PER_MS = 1_000_000


def measure_runtime(
    runtime: str, folder: Path, rootfs: Path, cgroup: str, count: int
) -> dict[str, list[float]]:
    """Milliseconds of each step.

    Args:
        runtime: The program, such as ``runc``.
        folder: An empty folder that it may use.
        rootfs: A root file system with ``/bin/true``.
        cgroup: The cgroup of its containers.
        count: How many containers.

    Raises:
        RuntimeError: If a container did not start; with the runtime's words.
    """
    command = [
        sys.executable,
        "-m",
        __name__,
        runtime,
        str(folder),
        str(rootfs),
        cgroup,
        str(count),
    ]
    if UNIFIED.is_mount() and Path(runtime).name == "crun":
        script = f'umount {UNIFIED} && exec "$@"'
        command = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def oci_config(rootfs: Path, cgroup: str) -> dict[str, Any]:
    """A container's configuration: namespaces of its own, a read-only root, ``/bin/true``."""
    capabilities = ["CAP_KILL"]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["/bin/true"],
            "env": ["PATH=/bin"],
            "cwd": "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
            "noNewPrivileges": True,
        },
        "root": {"path": str(rootfs), "readonly": True},
        "hostname": "calibrate",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            _tmpfs("/dev", "mode=755", "size=65536k"),
        ],
        "linux": {
            "cgroupsPath": cgroup,
            "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount")],
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
        },
    }


def _tmpfs(destination: str, *options: str) -> dict[str, Any]:
    return {
        "destination": destination,
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["nosuid", *options],
    }


def _measure(runtime: str, folder: Path, count: int) -> dict[str, list[float]]:
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    found: dict[str, list[float]] = {step: [] for step in STEPS}
    for serial in range(count + 2):
        took = _one(runtime, folder, f"calibrate-{os.getpid()}-{serial}")
        if serial >= 2:  # the first ones find cold caches
            for step, ms in zip(STEPS, took, strict=True):
                found[step].append(round(ms, 3))
    return found


def _one(runtime: str, folder: Path, name: str) -> tuple[float, float, float]:
    """One container from its creation to its removal."""
    base = [runtime, "--root", str(folder / "state")]
    pid_file = folder / "pid"
    try:
        created = _run(
            [*base, "create", "--pid-file", str(pid_file), "-b", str(folder), name], folder
        )
        pid = int(pid_file.read_text())
        ended = os.pidfd_open(pid)
        started = _run([*base, "start", name], folder)
        select.select([ended], [], [], 10.0)
        os.close(ended)
        deleted = _run([*base, "delete", name], folder)
        os.waitpid(pid, 0)
    except BaseException:
        subprocess.run([*base, "delete", "--force", name], capture_output=True, check=False)
        raise
    return created, started, deleted


def _run(command: list[str], folder: Path) -> float:
    """Milliseconds of a command; its output goes to a file, for a pipe would outlive it."""
    with (folder / "log").open("wb") as log:
        began_ns = perf_counter_ns()
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
        )
        ms = (perf_counter_ns() - began_ns) / _NS_PER_MS
    if done.returncode:
        raise SystemExit((folder / "log").read_text(errors="replace").strip()[-500:])
    return ms


def _main(runtime: str, folder: str, rootfs: str, cgroup: str, count: str) -> None:
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    config = oci_config(Path(rootfs), cgroup)
    (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
    json.dump(_measure(runtime, place, int(count)), sys.stdout)


if __name__ == "__main__":
    _main(*sys.argv[1:])
