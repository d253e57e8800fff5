"""What the container runtime did."""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.sim.journal import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class CriCalled(Fact):
    """A CRI call ended; ``error`` is empty when it succeeded."""

    node: str
    method: str
    pod_uid: str
    subject: str
    began_ns: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerdRestarted(Fact):
    """containerd answers again after a restart; what ran went on running."""

    node: str
    began_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeCalled(Fact):
    """The runtime that a shim calls (``runtime``, as ``runc``) has done a command, as ``create``."""

    node: str
    runtime: str
    command: str
    pod_uid: str
    container: str
    began_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShimInstalled(Fact):
    """A node's containerd has a runtime that it did not have before."""

    node: str
    handler: str
    began_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShimRemoved(Fact):
    """A node's containerd has lost a runtime that it had."""

    node: str
    handler: str
    began_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPulled(Fact):
    """A layer was downloaded."""

    node: str
    image: str
    digest: str
    size_bytes: int
    began_ns: int
    downloaded_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerUnpacked(Fact):
    """A layer's files are on the disk, above those of the layers below it."""

    node: str
    image: str
    digest: str
    began_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePulled(Fact):
    """An image is on the node: all layers are downloaded and unpacked."""

    node: str
    image: str
    size_bytes: int
    downloaded_bytes: int
    began_ns: int
    resolved_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRemoved(Fact):
    """An image is no longer on the node, and neither is what only it needed."""

    node: str
    image: str
    size_bytes: int
    freed_bytes: int
