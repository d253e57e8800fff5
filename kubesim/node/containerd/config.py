"""containerd's configuration, as far as it is simulated; names and defaults are ``config.toml``'s.

Mirrors: containerd internal/cri/config/config.go, config_unix.go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from kubesim.api.frozenmap import FrozenMap
from kubesim.node.containerd.images import ImageStoreConfig
from kubesim.sim.distribution import Constant, Distribution
from kubesim.sim.time import SECOND

DEFAULT_RUNTIME = "runc"
NO_TIME = Constant(0)
LAZY_SNAPSHOTTERS = frozenset({"stargz"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeEntry:
    """One entry of the runtime table.

    Attributes:
        shim: Which shim it is, such as ``spin``.
        pod_annotations: Patterns of the pod annotations that its runtime is given.
        snapshotter: Another one than the node's; empty for the node's.
    """

    shim: str
    pod_annotations: tuple[str, ...] = ()
    snapshotter: str = ""

    def passed(self, annotations: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        """The annotations that reach the runtime."""
        return tuple(
            (key, value)
            for key, value in annotations
            if any(fnmatchcase(key, pattern) for pattern in self.pod_annotations)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CriConfig:
    """What ``config.toml`` says of images and runtimes; defaults are containerd's.

    Attributes:
        max_concurrent_downloads: Layers of one image that are downloaded at the same time.
        discard_unpacked_layers: Compressed layers are deleted once they are unpacked.
        snapshotter: What unpacks.
        sandbox_image: The pause image.
        image_pull_progress_timeout_ns: How long a pull may stand still.
        default_runtime_name: What the empty handler means.
        runtimes: The runtime table, by handler.
    """

    max_concurrent_downloads: int = 3
    discard_unpacked_layers: bool = False
    snapshotter: str = "overlayfs"
    sandbox_image: str = "registry.k8s.io/pause:3.10.2"
    image_pull_progress_timeout_ns: int = 300 * SECOND
    default_runtime_name: str = DEFAULT_RUNTIME
    runtimes: FrozenMap[str, RuntimeEntry] = FrozenMap()  # noqa: RUF009  # it does not change

    def entry(self, handler: str) -> RuntimeEntry | None:
        """The runtime table's entry for a handler; the default's for the empty one."""
        return self.runtimes.get(handler or self.default_runtime_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndingTimes:
    """How long ending and resizing take; no time where nobody says.

    Attributes:
        kill_container: From SIGKILL until the shim has told of the end.
        remove_container: RemoveContainer of one that has ended.
        stop_sandbox: StopPodSandbox: the pause container's end.
        stop_network: CNI DEL in StopPodSandbox; ``stop_sandbox`` has it where this is not known.
        remove_sandbox: RemovePodSandbox of a stopped one.
        remove_network: What that takes longer if it had a network of its own.
        update_container: UpdateContainerResources, and the same of a whole pod.
    """

    kill_container: Distribution = NO_TIME
    remove_container: Distribution = NO_TIME
    stop_sandbox: Distribution = NO_TIME
    stop_network: Distribution = NO_TIME
    remove_sandbox: Distribution = NO_TIME
    remove_network: Distribution = NO_TIME
    update_container: Distribution = NO_TIME

    def of_stop(self, has_network: bool) -> tuple[Distribution, ...]:
        """The parts of StopPodSandbox."""
        return (self.stop_sandbox, *((self.stop_network,) if has_network else ()))

    def of_removal(self, has_network: bool) -> tuple[Distribution, ...]:
        """The parts of RemovePodSandbox."""
        return (self.remove_sandbox, *((self.remove_network,) if has_network else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerdConfig:
    """containerd's settings and how long its own work takes.

    Attributes:
        sandbox_network: Network namespace and CNI ADD.
        sandbox_runtime: Creating and starting the pause container.
        create_container: Snapshot and spec of a Linux container.
        create_wasm_container: The same for a container without a root file system.
        images: How images are brought and kept.
        cri: What ``config.toml`` says.
        ending: How long ending takes.
    """

    sandbox_network: Distribution
    sandbox_runtime: Distribution
    create_container: Distribution
    create_wasm_container: Distribution
    images: ImageStoreConfig
    cri: CriConfig = field(default_factory=CriConfig)
    ending: EndingTimes = EndingTimes()
