"""What a node has of volumes: its own directories, the persistent ones, and news of API objects.

Mirrors: pkg/kubelet/volumemanager, pkg/kubelet/configmap and secret (the watch-based managers).
Departs: attaching a persistent volume takes no time of its own, and nobody checks that a volume that
allows one node is on one only (the scheduler does).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from kubesim.api.corev1 import ConfigMap, PersistentVolumeClaim, Pod, Secret
from kubesim.controlplane.client import Client, NotFound
from kubesim.sim import SimProcess
from kubesim.wire.filetree import Directory, Space

NODEFS = "nodefs"


class LocalDisk(Protocol):
    """The disk under the node's own volumes."""

    def try_allocate(self, size_bytes: int, *, filesystem: str) -> bool:
        """Take space if there is so much."""
        ...

    def free(self, size_bytes: int, *, filesystem: str) -> None:
        """Give it back."""
        ...


Listener = Callable[[type[ConfigMap | Secret], str], None]


class VolumeHost:
    """The volumes of one node.

    Args:
        client: The kubelet's connection, for claims and for news.
        persistent: The volumes that outlive nodes, by name; whoever asks first makes one.
        host_paths: The node's own directories, which outlive a boot.
        disk: Where a pod's own volumes are.
        written: Is told of pods that wrote into such a volume.
    """

    def __init__(
        self,
        client: Client,
        *,
        persistent: dict[str, Directory],
        host_paths: dict[str, Directory],
        disk: LocalDisk,
        written: Callable[[Pod], None],
    ) -> None:
        self._client = client
        self._disk = disk
        self._written = written
        self._persistent = persistent
        self._host_paths = host_paths
        self._listeners: dict[str, Listener] = {}
        self._watched = False

    def host_path(self, path: str) -> Directory:
        """A directory of the node itself; it stays when pods go."""
        found = self._host_paths.get(path)
        if found is None:
            found = self._host_paths[path] = Directory.writable(f"host{path}")
        return found

    def own(self, pod: Pod, space: Space) -> None:
        """What is written to a pod's own volume takes room on the node's disk from now on."""
        space.changed = partial(self._charge, pod, space)

    def release(self, space: Space) -> None:
        """Such a volume is gone."""
        space.changed = None
        self._disk.free(space.charged_bytes, filesystem=NODEFS)
        space.charged_bytes = 0

    def _charge(self, pod: Pod, space: Space) -> None:
        """Take what there is more; where there is no room, that much was not written."""
        more = space.used_bytes + space.filled_bytes - space.charged_bytes
        if more < 0:
            self._disk.free(-more, filesystem=NODEFS)
        elif not self._disk.try_allocate(more, filesystem=NODEFS):
            space.filled_bytes = max(0, space.filled_bytes - more)
            return
        space.charged_bytes += more
        self._written(pod)

    def persistent(self, name: str) -> Directory:
        """A persistent volume's contents."""
        found = self._persistent.get(name)
        if found is None:
            found = self._persistent[name] = Directory.writable(f"pv/{name}")
        return found

    def claim(self, key: str) -> SimProcess[PersistentVolumeClaim | None]:
        """A claim from the API server."""
        try:
            return (yield from self._client.get(PersistentVolumeClaim, key))
        except NotFound:
            return None

    def listen(self, pod_uid: str, listener: Listener) -> None:
        """Tell a pod's volumes of every ConfigMap and Secret that changes, by kind and key."""
        self._listeners[pod_uid] = listener
        if not self._watched:
            self._watched = True
            self._client.informer(ConfigMap).add_handler(
                lambda old, new: self._changed(ConfigMap, old, new)
            )
            self._client.informer(Secret).add_handler(
                lambda old, new: self._changed(Secret, old, new)
            )

    def forget(self, pod_uid: str) -> None:
        """A pod is gone."""
        self._listeners.pop(pod_uid, None)

    def _changed(
        self,
        kind: type[ConfigMap | Secret],
        old: ConfigMap | Secret | None,
        new: ConfigMap | Secret | None,
    ) -> None:
        if old is not None and new is not None:
            for listener in tuple(self._listeners.values()):
                listener(kind, new.key)
