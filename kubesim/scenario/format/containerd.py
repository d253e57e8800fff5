"""containerd's ``config.toml``, as far as it is simulated: the names are containerd's own.

Mirrors: containerd internal/cri/config/config.go (ImageConfig, RuntimeConfig, Runtime).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from kubesim.scenario.format.values import ScenarioModel

UNSIMULATED_OF_RUNTIME = (
    "container_annotations", "privileged_without_host_devices", "base_runtime_spec",
    "cni_conf_dir",
)  # fmt: skip
OPTIONS_READ = ("BinaryName", "SystemdCgroup")  # the latter is how cgroups are named, no more


class TomlModel(ScenarioModel):
    """The base: frozen, snake case as TOML has it, no unknown fields."""

    model_config = ConfigDict(alias_generator=None)


class RuntimeTable(TomlModel):
    """One entry of the runtime table.

    Attributes:
        runtime_type: The shim, as ``io.containerd.NAME.VERSION``, or its path.
        runtime_path: The shim's path, instead.
        snapshotter: Another one than the node's.
        pod_annotations: Which of the pod's annotations its runtime sees; ``*`` at the end.
        container_annotations: Accepted; containers have no annotations of their own here.
        options: The runtime's own; ``BinaryName`` is looked at, and ``SystemdCgroup`` is accepted.
    """

    runtime_type: str
    runtime_path: str = ""
    snapshotter: str = ""
    pod_annotations: tuple[str, ...] = ()
    container_annotations: tuple[str, ...] = ()
    options: dict[str, Any] = Field(default_factory=dict)
    privileged_without_host_devices: bool = False
    base_runtime_spec: str = ""
    cni_conf_dir: str = ""
    sandboxer: Literal["", "podsandbox", "shim"] = ""

    def unsimulated(self, *, node_snapshotter: str) -> list[str]:
        """What was given and makes no difference."""
        names = [name for name in UNSIMULATED_OF_RUNTIME if getattr(self, name)]
        if self.snapshotter not in ("", node_snapshotter):
            names.append("snapshotter")
        if self.sandboxer == "shim":
            names.append("sandboxer")
        return names + [f"options.{name}" for name in self.options if name not in OPTIONS_READ]


class ContainerdSettings(TomlModel):
    """What ``config.toml`` says of images and runtimes.

    Attributes:
        file: A ``config.toml`` to begin with; what stands beside it overrides it.
        max_concurrent_downloads: Layers of one image that are downloaded at the same time.
        discard_unpacked_layers: Compressed layers are deleted once they are unpacked.
        snapshotter: ``overlayfs``, or ``stargz``, which starts containers before their image is here.
        sandbox_image: The pause image; it is on every node from the beginning.
        image_pull_progress_timeout: How long a pull may stand still.
        default_runtime_name: What pods without a RuntimeClass run with.
        runtimes: The runtime table, beside the pool's ``runtimes``.
    """

    file: str | None = None
    max_concurrent_downloads: int = Field(default=3, gt=0)
    discard_unpacked_layers: bool = False
    snapshotter: Literal["overlayfs", "native", "stargz"] = "overlayfs"
    sandbox_image: str = "registry.k8s.io/pause:3.10.2"
    image_pull_progress_timeout: str = "5m0s"
    default_runtime_name: str = "runc"
    runtimes: dict[str, RuntimeTable] = Field(default_factory=dict)

    def unsimulated(self) -> list[str]:
        """The settings that were given and make no difference."""
        found = ["snapshotter native"] if self.snapshotter == "native" else []
        for handler, table in self.runtimes.items():
            unread = table.unsimulated(node_snapshotter=self.snapshotter)
            found += [f"runtimes.{handler}.{name}" for name in unread]
        if "sandbox_image" in self.model_fields_set:
            found.append("sandbox_image")
        return found

    @model_validator(mode="before")
    @classmethod
    def _file(cls, value: object) -> object:
        return {"file": value} if isinstance(value, str) else value
