"""What the programs do that bring shims to nodes: they run in containers, and act on the host.

The *node-installer* of the Spin shim is a script: it copies the binary under the host's root, which it
finds at ``NODE_ROOT``, adds an entry to containerd's configuration and restarts containerd, once. The
installer of the *runtime-class-manager* does the same for the shim that its arguments name, after a
downloader has brought it, and takes it away again. Whatever a script lacks ends it with an error.

Mirrors: containerd-shim-spin node-installer/script/installer.sh; runtime-class-manager
    cmd/node-installer/{install,uninstall}.go, images/downloader/download_shim.sh.
Departs: every distribution's containerd is restarted alike; the archive behind a location is what the
    Shim's name says; a checksum is not verified.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from kubesim.cluster.shims import WASM_SHIMS
from kubesim.node.shim.runc import RuncTask, Script
from kubesim.node.shim.spintainer import option
from kubesim.sim import SimProcess

NODE_ROOT = "NODE_ROOT"
SPIN_HANDLER = "spin"


class Host(Protocol):
    """A node's host, as a privileged container with its root gets at it."""

    def add_shim(self, handler: str, shim: str) -> SimProcess[bool]:
        """Configure a handler and restart containerd; false when nothing had to be done."""
        ...

    def remove_shim(self, handler: str) -> SimProcess[bool]:
        """The opposite; false when there was no such handler."""
        ...


def install_script(host: Callable[[], Host]) -> Script:
    """The installers, told apart by how they are called."""

    def script(task: RuncTask) -> SimProcess[int]:
        arguments = (*task.spec.command, *task.spec.args)
        if "uninstall" in arguments:
            return (yield from _uninstall(task, host(), option(arguments, "-r", "--runtime")))
        if "install" in arguments:
            return (yield from _install(task, host(), option(arguments, "-r", "--runtime")))
        return (yield from _install_spin(task, host()))

    return script


def download_script(task: RuncTask) -> SimProcess[int]:
    """Fetch the shim that the environment names."""
    env = dict(task.spec.envs)
    name, location = env.get("SHIM_NAME", ""), env.get("SHIM_LOCATION", "")
    _say(task, f"INFO\tstart downloading shim from  {location}...")
    yield task.sim.timeout(task.program.init.draw(task.rng))
    if not shim_of(name):
        _say(task, f"cp: cannot stat '/tmp/containerd-shim-{name}': No such file or directory")
        return 1
    _say(task, "INFO\tdownload successful:")
    return 0


def shim_of(handler: str) -> str:
    """The shim behind a handler such as ``spin-v2``; empty when there is none."""
    name = re.sub(r"-v\d+$", "", handler)
    return name if name in WASM_SHIMS else ""


def _install_spin(task: RuncTask, host: Host) -> SimProcess[int]:
    root = dict(task.spec.envs).get(NODE_ROOT)
    if root is None:
        _say(task, f"/script/installer.sh: line 1: {NODE_ROOT}: parameter not set")
        return 2
    if not _has_root(task, root):
        _say(task, f"nsenter: can't open '{root}/proc/1/ns/mnt': No such file or directory")
        return 1
    yield task.sim.timeout(task.program.init.draw(task.rng))
    _say(task, "Adding Spin runtime to containerd")
    changed = yield from host.add_shim(SPIN_HANDLER, SPIN_HANDLER)
    if not changed:
        _say(task, "No change in containerd/config.toml")
    return 0


def _install(task: RuncTask, host: Host, handler: str) -> SimProcess[int]:
    if not _has_root(task, option((*task.spec.command, *task.spec.args), "-H", "--host-root")):
        _say(task, "failed to detect containerd config")
        return 1
    yield task.sim.timeout(task.program.init.draw(task.rng))
    changed = yield from host.add_shim(handler, shim_of(handler))
    _say(task, "restarted containerd" if changed else "nothing changed, nothing more to do")
    return 0


def _uninstall(task: RuncTask, host: Host, handler: str) -> SimProcess[int]:
    changed = yield from host.remove_shim(handler)
    if not changed:
        _say(task, f"failed to uninstall: shim {handler} not installed")
        return 1
    _say(task, "restarted containerd")
    return 0


def _has_root(task: RuncTask, path: str) -> bool:
    return bool(path) and path.rstrip("/") in dict(task.spec.mounts)


def _say(task: RuncTask, line: str) -> None:
    task.log.write("stdout", f"{line}\n".encode())
