"""Pods and images through CRI, one call after another, each with its time.

A pod's container is a shell that ends at SIGTERM; the pause container is ``sleep``. Images are
random bytes, so that compressing them does not make them smaller.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from kubesim.bench.calibrating.criv1 import CONTAINER, NODE, POD, CriClient, encode, first_text
from kubesim.bench.calibrating.samples import Samples
from kubesim.bench.calibrating.workshop import Workshop

PULLED_BYTES = (1 << 20, 10 << 20, 50 << 20)

_SHELL = ("/bin/sh", "-c", 'trap "exit 0" TERM; while :; do sleep 3600 & wait; done')
_TRAP_S = 0.03  # until the shell has installed its trap
_NS_PER_MS = 1_000_000
_UNPACKED = re.compile(r"done: ([\d.]+)(ms|s|µs)")
_MS = {"s": 1_000.0, "ms": 1.0, "µs": 0.001}


class Pods:
    """A runtime's pods.

    Args:
        workshop: Where they run.
        client: The runtime.
        image: The containers' image.
        samples: What to add to.
    """

    def __init__(
        self, workshop: Workshop, client: CriClient, image: str, samples: Samples
    ) -> None:
        self._workshop = workshop
        self._client = client
        self._image = image
        self._samples = samples
        self._alive: list[str] = []
        self._serial = 0
        workshop.at_end(self._remove_all)

    def cycle(self, *, network: bool = True, kill: bool = False, counts: bool = True) -> None:
        """Start a pod and end it.

        Args:
            network: With a network of its own, by CNI.
            kill: With SIGKILL at once.
            counts: Whether its times are kept.
        """
        sandbox, container = self.start(network=network, counts=counts)
        time.sleep(_TRAP_S)
        place = "" if network else "/host"
        timeout = 0 if kill else 10
        request = {"container_id": container, "timeout": timeout}
        named = {"container_id": container}
        pod = {"pod_sandbox_id": sandbox}
        self._timed(counts, "StopContainer", request, "/kill" if kill else place)
        self._timed(counts and not kill, "RemoveContainer", named, place)
        self._timed(counts and not kill, "StopPodSandbox", pod, place)
        self._timed(counts and not kill, "RemovePodSandbox", pod, place)
        self._alive.remove(sandbox)

    def start(self, *, network: bool = True, counts: bool = False) -> tuple[str, str]:
        """Start a pod; gives the ids of sandbox and container."""
        self._serial += 1
        name = f"p{self._serial}"
        place = "" if network else "/host"
        namespaces = {"network": POD if network else NODE, "pid": CONTAINER}
        config: dict[str, Any] = {
            "metadata": {"name": name, "uid": f"{self._workshop.name}-{name}", "namespace": "b"},
            "hostname": name if network else "",
            "log_directory": str(self._workshop.folder / "logs" / name),
            "linux": {
                "cgroup_parent": f"/{self._workshop.name}/{name}",
                "security_context": {"namespace_options": namespaces},
            },
        }
        container = {
            "metadata": {"name": "c"},
            "image": {"image": self._image},
            "command": _SHELL,
            "log_path": "c.log",
            "linux": {
                "resources": {
                    "cpu_period": 100_000,
                    "cpu_shares": 102,
                    "memory_limit_in_bytes": 64 << 20,
                    "oom_score_adj": 1000,
                },
                "security_context": {"namespace_options": namespaces},
            },
        }
        (self._workshop.folder / "logs" / name).mkdir(parents=True)
        sandbox = self._timed(counts, "RunPodSandbox", {"config": config}, place)
        self._alive.append(sandbox)
        request = {"pod_sandbox_id": sandbox, "config": container, "sandbox_config": config}
        container_id = self._timed(counts, "CreateContainer", request, place)
        self._timed(counts, "StartContainer", {"container_id": container_id}, place)
        return sandbox, container_id

    def memory(self, count: int) -> None:
        """Keep so many pods and read what their processes take."""
        started = [self.start() for _ in range(count)]
        time.sleep(1.0)
        shims = [usage for pid in self._workshop.shims() if (usage := _memory(pid))]
        kinds = {"shim": shims, "pause": [], "container": []}
        for sandbox, container in started:
            kinds["pause"] += _memory_of(sandbox)
            kinds["container"] += _memory_of(container)
        for kind, usages in kinds.items():
            if usages:
                rss, pss = (round(sum(each) / len(each)) for each in zip(*usages, strict=True))
                self._samples.kib[kind] = {"rss": rss, "pss": pss, "pods": count}
        self._remove_all()

    def pull(self, reference: str, name: str) -> None:
        """Pull an image that is not there, and remove it again."""
        request = {"image": {"image": reference}}
        self._timed_as(name, "PullImage", request)
        self._client.call("RemoveImage", request)

    def pull_present(self, reference: str, count: int) -> None:
        """Pull an image again that is there."""
        request = {"image": {"image": reference}}
        self._timed_as("", "PullImage", request)
        for _ in range(count):
            self._timed_as("pull/present", "PullImage", request)

    def unpack(self, ctr: str, reference: str, name: str) -> None:
        """Pull with ``ctr``, which unpacks after the download and says how long that took."""
        base = [ctr, "-a", str(self._workshop.folder / "containerd.sock"), "-n", "calibrate"]
        done = subprocess.run(
            [*base, "images", "pull", "--plain-http", reference],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        subprocess.run(
            [*base, "images", "rm", "--sync", reference], capture_output=True, check=False
        )
        found = _UNPACKED.search(done.stdout)
        if found is not None:
            ms = float(found[1]) * _MS[found[2]]
            self._samples.ms.setdefault(name, []).append(round(ms, 3))

    def _timed(self, counts: bool, method: str, request: dict[str, Any], place: str) -> str:
        return self._timed_as(f"cri/{method}{place}" if counts else "", method, request)

    def _timed_as(self, name: str, method: str, request: dict[str, Any]) -> str:
        """Encoding and decoding are not part of the time."""
        call, encoded = self._client.prepared(method), encode(f"{method}Request", request)
        began_ns = perf_counter_ns()
        answer = call(encoded)
        ms = (perf_counter_ns() - began_ns) / _NS_PER_MS
        if name:
            self._samples.ms.setdefault(name, []).append(round(ms, 3))
        return first_text(answer)

    def _remove_all(self) -> None:
        while self._alive:
            request = {"pod_sandbox_id": self._alive.pop()}
            for method in ("StopPodSandbox", "RemovePodSandbox"):
                with suppress(Exception):  # what is still there is swept up afterwards
                    self._client.call(method, request)


def busybox_layer(rootfs: Path) -> tuple[str, bytes]:
    """The root file system as a layer."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        tar.add(rootfs, arcname=".", filter=_ownerless)
    return _packed(raw.getvalue())


def random_layer(size: int) -> tuple[str, bytes]:
    """Ten files of random bytes."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for serial in range(10):
            entry = tarfile.TarInfo(f"data/{serial}.bin")
            entry.size = size // 10
            tar.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    return _packed(raw.getvalue())


def _ownerless(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    return entry


def _packed(raw: bytes) -> tuple[str, bytes]:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}", gzip.compress(raw, 1, mtime=0)


def _memory_of(container_id: str) -> Iterator[tuple[int, int]]:
    """The first process of a container."""
    for place in sorted(Path("/proc").iterdir(), key=lambda p: (len(p.name), p.name)):
        if place.name.isdigit():
            with suppress(OSError):
                if container_id in (place / "cgroup").read_text():
                    usage = _memory(int(place.name))
                    if usage is not None:
                        yield usage
                        return


def _memory(pid: int) -> tuple[int, int] | None:
    """Resident and proportional set in KiB."""
    found = {}
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, value = line.split(":")
            found[name] = int(value.split()[0])
    return (found["Rss"], found["Pss"]) if "Pss" in found else None
