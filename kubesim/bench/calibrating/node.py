"""Measuring a node: what is installed is run, what is not is said.

Containers and Wasm in one run on one machine, so that they can stand side by side. Needs root and
Linux; the programs are Debian's packages.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from datetime import date

from kubesim.bench.calibrating.oci import measure_runtime
from kubesim.bench.calibrating.pods import PULLED_BYTES, Pods, busybox_layer, random_layer
from kubesim.bench.calibrating.samples import Samples
from kubesim.bench.calibrating.workshop import PLUGINS, Workshop
from kubesim.bench.calibration import wasm_seconds
from kubesim.bench.result import machine
from kubesim.errors import InputError, Problem

PACKAGES = {
    "runc": "runc",
    "crun": "crun",
    "containerd": "containerd",
    "docker-registry": "docker-registry",
    "busybox": "busybox-static",
}

_INSTALL = (
    "apt-get install runc crun containerd containernetworking-plugins docker-registry"
    " busybox-static"
)
_BUSY = 0.5
_MEMORY_PODS = 10
_LAYERS = 5  # of one more image, to see what a layer takes beside its bytes
_MS_PER_S = 1_000


def measure_node(count: int, today: date, say: Callable[[str], object]) -> Samples:
    """Run containers and Wasm here.

    Args:
        count: Samples of each phase.
        today: What to write down as the date.
        say: Told what is being done.

    Raises:
        InputError: If nothing is installed, or this is not root on Linux.
    """
    programs = {name: path for name in PACKAGES if (path := shutil.which(name))}
    _require(programs)
    found, load = machine(), os.getloadavg()[0]
    if load > _BUSY:
        say(f"load average {load:.1f}: others work on this machine, and what is measured shows it")
    samples = Samples(
        provenance=f"kubesim calibrate node --samples {count}, {today.isoformat()}, load {load:.1f}",
        machine=f"{found['cpu']}, {found['cores']} cores",
        measured=f"{today:%Y-%m}",
    )
    for name, package in PACKAGES.items():
        if name not in programs:
            samples.missing[name] = f"not installed (Debian: {package})"
    with Workshop() as workshop:
        workshop.make_rootfs(programs["busybox"])
        for runtime in ("runc", "crun"):
            if runtime in programs:
                say(f"{runtime}: create, start, delete")
                _runtime(workshop, runtime, count, samples)
        if {"runc", "containerd", "docker-registry"} <= programs.keys():
            _containerd(workshop, programs, count, samples, say)
    say("Wasm: compile, load, instantiate, first request")
    for what, seconds in wasm_seconds(count).items():
        samples.ms[f"wasm/{what}"] = [round(each * _MS_PER_S, 6) for each in seconds]
    return samples


def _require(programs: dict[str, str]) -> None:
    missing = "" if {"runc", "crun"} & programs.keys() else "neither runc nor crun is installed"
    if not missing and "busybox" not in programs:
        missing = "busybox is not installed, and containers need a program to run"
    if missing:
        raise InputError(Problem(message=missing, suggestion=f"on Debian: {_INSTALL}"))
    if sys.platform != "linux" or os.geteuid() != 0:
        raise InputError("kubesim calibrate node runs containers: that takes root on Linux")


def _runtime(workshop: Workshop, runtime: str, count: int, samples: Samples) -> None:
    folder = workshop.folder / runtime
    cgroup = f"/{workshop.name}/{runtime}"
    try:
        steps = measure_runtime(runtime, folder, workshop.rootfs, cgroup, count)
    except RuntimeError as error:
        samples.missing[runtime] = str(error)
        return
    for step, values in steps.items():
        samples.ms[f"{runtime}/{step}"] = values


def _containerd(
    workshop: Workshop,
    programs: dict[str, str],
    count: int,
    samples: Samples,
    say: Callable[[str], object],
) -> None:
    workshop.start_registry(programs["docker-registry"])
    image = workshop.push("busybox", [busybox_layer(workshop.rootfs)])
    client = workshop.start_containerd(programs["containerd"], image)
    client.call("PullImage", {"image": {"image": image}})
    pods = Pods(workshop, client, image, samples)
    network = (PLUGINS / "bridge").exists()
    if not network:
        samples.missing["CNI"] = f"no {PLUGINS}/bridge (Debian: containernetworking-plugins)"
    for with_network in (True, False) if network else (False,):
        say(f"containerd: pods {'with CNI' if with_network else 'in the host network'}")
        for serial in range(count + 2):
            pods.cycle(network=with_network, counts=serial >= 2)
    say("containerd: StopContainer that kills")
    for _ in range(max(5, count // 2)):
        pods.cycle(network=network, kill=True)
    if network:
        say("containerd: memory of shim, pause and container")
        pods.memory(_MEMORY_PODS)
    say("containerd: pulls from a registry on the loopback")
    _pulls(workshop, pods, count)


def _pulls(workshop: Workshop, pods: Pods, count: int) -> None:
    ctr = shutil.which("ctr")
    for size, number in (*((size, 1) for size in PULLED_BYTES), (PULLED_BYTES[0], _LAYERS)):
        layers = [random_layer(size // number) for _ in range(number)]
        reference = workshop.push(f"random-{size}-{number}", layers)
        name = f"{sum(len(packed) for _, packed in layers)}/{number}"
        few = max(5, count // 4 if size == PULLED_BYTES[0] else count // 10)
        for _ in range(few):
            pods.pull(reference, f"pull/{name}")
        if ctr is not None:
            for _ in range(3):
                pods.unpack(ctr, reference, f"unpack/{name}")
    reference = f"{workshop.registry}/random-{PULLED_BYTES[1]}-1:1"
    pods.pull_present(reference, max(5, count // 2))
