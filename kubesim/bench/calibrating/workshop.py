"""Where containers are really run: a folder, a registry, a containerd of its own; and the broom.

Everything lies in one temporary folder and is named after it, so that what was started can be told
from what is anybody else's. Whatever happens, on the way out: pods are removed, both daemons and
what is left of the shims are ended, mounts below the folder are taken away, cgroups and the bridge
too.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kubesim.bench.calibrating.criv1 import CriClient

PLUGINS = Path("/usr/lib/cni")
_CONTAINERD = """version = 2
root = "{folder}/root"
state = "{folder}/state"
[grpc]
  address = "{folder}/containerd.sock"
[debug]
  level = "warn"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  sandbox_image = "{image}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".registry.mirrors."{registry}"]
    endpoint = ["http://{registry}"]
"""
_REGISTRY = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/registry}}}}
http: {{addr: "{registry}"}}
"""
_PATIENCE_S = 30.0


class Workshop:
    """A place to run containers in; use it as a context.

    Attributes:
        folder: Its folder.
        name: What its cgroup is called.
        bridge: What its bridge is called.
        rootfs: A root file system with busybox.
        registry: Host and port of the registry, once it serves.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.folder = Path(tempfile.mkdtemp(prefix="kubesim-calibrate-"))
        self.name = self.folder.name
        self.bridge = f"ks{os.getpid() % 10**9}"
        self.rootfs = self.folder / "rootfs"
        self.registry = ""
        self._stack.callback(self._sweep)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def at_end(self, work: Callable[[], object]) -> None:
        """Have something done on the way out, before what was asked for earlier."""
        self._stack.callback(work)

    def make_rootfs(self, busybox: str) -> None:
        """Lay out the smallest root file system in which a shell runs."""
        for name in ("bin", "proc", "dev", "sys", "etc", "tmp"):
            (self.rootfs / name).mkdir(parents=True)
        shutil.copy(busybox, self.rootfs / "bin" / "busybox")
        for name in ("sh", "true", "sleep"):
            (self.rootfs / "bin" / name).symlink_to("busybox")

    def start_registry(self, program: str) -> None:
        """Serve images on the loopback."""
        self.registry = f"127.0.0.1:{_free_port()}"
        config = self.folder / "registry.yml"
        config.write_text(_REGISTRY.format(folder=self.folder, registry=self.registry))
        process = self._daemon([program, "serve", str(config)], "registry.log")
        _wait(lambda: _answers(f"http://{self.registry}/v2/"), process, "docker-registry")

    def push(self, name: str, layers: list[tuple[str, bytes]]) -> str:
        """Put an image into the registry.

        Args:
            name: Its name.
            layers: Digest of the content and the compressed blob, in order.
        """
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Cmd": ["/bin/sleep", "3600"], "Env": ["PATH=/bin"]},
                "rootfs": {"type": "layers", "diff_ids": [digest for digest, _ in layers]},
            }
        ).encode()
        kind = "application/vnd.oci.image"
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{kind}.manifest.v1+json",
            "config": self._upload(name, config, f"{kind}.config.v1+json"),
            "layers": [
                self._upload(name, blob, f"{kind}.layer.v1.tar+gzip") for _, blob in layers
            ],
        }
        url = f"http://{self.registry}/v2/{name}/manifests/1"
        _put(url, json.dumps(manifest).encode(), str(manifest["mediaType"]))
        return f"{self.registry}/{name}:1"

    def start_containerd(self, program: str, sandbox_image: str) -> CriClient:
        """Start a containerd that shares nothing with another one; returns a connection."""
        (self.folder / "cni").mkdir()
        if (PLUGINS / "bridge").exists():
            network = json.dumps(self._network())
            (self.folder / "cni" / "10-calibrate.conflist").write_text(network)
        config = self.folder / "containerd.toml"
        text = _CONTAINERD.format(
            folder=self.folder, image=sandbox_image, plugins=PLUGINS, registry=self.registry
        )
        config.write_text(text)
        process = self._daemon([program, "--config", str(config)], "containerd.log")
        path = self.folder / "containerd.sock"
        _wait(path.exists, process, "containerd")
        client = CriClient(str(path))
        self.at_end(client.close)
        client.wait_ready(_PATIENCE_S)
        return client

    def _network(self) -> dict[str, Any]:
        ipam = {
            "type": "host-local",
            "ranges": [[{"subnet": "10.253.0.0/16"}]],
            "dataDir": str(self.folder / "ipam"),
        }
        bridge = {"type": "bridge", "bridge": self.bridge, "isGateway": True, "ipam": ipam}
        return {"cniVersion": "0.4.0", "name": self.name, "plugins": [bridge]}

    def _upload(self, name: str, blob: bytes, media_type: str) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        url = f"http://{self.registry}/v2/{name}/blobs/uploads/"
        begin = urllib.request.Request(url, data=b"", method="POST")
        with urllib.request.urlopen(begin, timeout=_PATIENCE_S) as answer:  # noqa: S310
            place = answer.headers["Location"]
        joint = "&" if "?" in place else "?"
        _put(f"{place}{joint}digest={digest}", blob, "application/octet-stream")
        return {"mediaType": media_type, "digest": digest, "size": len(blob)}

    def _daemon(self, command: list[str], log: str) -> subprocess.Popen[bytes]:
        # A session of its own: Ctrl-C reaches this process only, which then ends them in order.
        with (self.folder / log).open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        self.at_end(lambda: _end(process))
        return process

    def _sweep(self) -> None:
        """After the daemons: shims, mounts, cgroups, the bridge, the folder."""
        for pid in self.shims():
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for pid in _in_cgroup(self.name):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        for mount in _mounts_below(self.folder):
            subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False)
        for place in sorted(Path("/sys/fs/cgroup").glob(f"**/{self.name}")):
            for cgroup in sorted((place, *place.rglob("*/")), reverse=True):
                with suppress(OSError):
                    cgroup.rmdir()
        subprocess.run(["ip", "link", "delete", self.bridge], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def shims(self) -> list[int]:
        """The shims of this containerd."""
        mine = str(self.folder / "containerd.sock").encode()
        return [
            pid
            for pid, command in _commands()
            if b"containerd-shim" in command and mine in command
        ]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes], what: str) -> None:
    give_up = time.monotonic() + _PATIENCE_S
    while not ready():
        if process.poll() is not None:
            raise RuntimeError(f"{what} ended at once with code {process.returncode}")
        if time.monotonic() > give_up:
            raise RuntimeError(f"{what} does not answer")
        time.sleep(0.02)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - http, ours
            return True
    except (urllib.error.URLError, OSError):
        return False


def _put(url: str, data: bytes, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    request = urllib.request.Request(url, data=data, method="PUT", headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=_PATIENCE_S):  # noqa: S310
        return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _commands() -> list[tuple[int, bytes]]:
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with suppress(OSError):
                found.append((int(place.name), (place / "cmdline").read_bytes()))
    return found


def _in_cgroup(name: str) -> list[int]:
    found = []
    for pid, _ in _commands():
        with suppress(OSError):
            if f"/{name}/" in Path(f"/proc/{pid}/cgroup").read_text():
                found.append(pid)
    return found


def _mounts_below(folder: Path) -> list[str]:
    """Mount points below a folder, the deepest first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split(" ")[4] for line in lines]
    return sorted((p for p in points if p.startswith(f"{folder}/")), reverse=True)
