"""The volumes of one pod: set up before its sandbox, kept up while it lives.

A volume that cannot be set up is tried again, after half a second and then twice as long each time; its
pod stays ContainerCreating. A ConfigMap or a Secret that changes is seen in the volume with the pod's
next periodic sync. What was mounted with a subPath stays as it was.

Mirrors: pkg/kubelet/volumemanager/volume_manager.go (WaitForAttachAndMount, two minutes and three
seconds), pkg/util/goroutinemap/exponentialbackoff, pkg/kubelet/kubelet_pods.go (makeMounts), the
periodic sync of pkg/kubelet/pod_workers.go; messages as there.
Departs: a hostPath has no type checks; an emptyDir of medium Memory takes no memory; other
kinds of volumes are empty directories that can be written; labels in a downward API volume are those
of the pod's start.
"""

from __future__ import annotations

from collections.abc import Callable

from kubesim.api.corev1 import ConfigMap, Container, Pod, Secret, Volume
from kubesim.controlplane.client import Recorder
from kubesim.node.cri.messages import Mount
from kubesim.node.kubelet.environment import ConfigError, Surroundings, expand
from kubesim.node.kubelet.volumes.manager import VolumeHost
from kubesim.node.kubelet.volumes.payload import Reference, SetUpError, payload, wanted
from kubesim.sim import Rng, Sim, SimProcess
from kubesim.sim.time import MILLISECOND, SECOND
from kubesim.wire.filetree import Directory, File

FIRST_RETRY_NS = 500 * MILLISECOND  # initialDurationBeforeRetry
MAX_RETRY_NS = 122 * SECOND  # maxDurationBeforeRetry
MOUNT_TIMEOUT_NS = 123 * SECOND  # podAttachAndMountTimeout
SYNC_PERIOD_NS = 60 * SECOND  # syncFrequency, jittered by up to half of it

Fetch = Callable[[type[ConfigMap | Secret], str], SimProcess[ConfigMap | Secret | None]]


class PodVolumes:
    """One pod's volumes.

    Args:
        sim: The run.
        host: The node's volumes.
        recorder: Where events go.
        rng: The kubelet's stream.
        fetch: A ConfigMap or a Secret from the API server.
    """

    def __init__(
        self, sim: Sim, *, host: VolumeHost, recorder: Recorder, rng: Rng, fetch: Fetch
    ) -> None:
        self._sim = sim
        self._host = host
        self._recorder = recorder
        self._rng = rng
        self._fetch = fetch
        self._mounted: dict[str, Directory] = {}
        self._own: set[str] = set()  # those that are on the node's own disk and go with the pod
        self._update_due = False
        self._gone = False

    def set_up(self, pod: Pod, around: Surroundings) -> SimProcess[None]:
        """Have every volume of a pod there; returns when it is so."""
        began_ns, retry_ns = self._sim.now, FIRST_RETRY_NS
        while True:
            missing: list[str] = []
            for volume in pod.spec.volumes:
                if volume.name in self._mounted:
                    continue
                try:
                    self._mounted[volume.name] = yield from self._made(pod, volume, around)
                except SetUpError as error:
                    missing.append(volume.name)
                    text = f'MountVolume.SetUp failed for volume "{volume.name}" : {error}'
                    self._recorder.warning(pod, "FailedMount", text)
            if not missing:
                break
            yield self._sim.timeout(retry_ns)
            retry_ns = min(2 * retry_ns, MAX_RETRY_NS)
            if self._sim.now - began_ns >= MOUNT_TIMEOUT_NS:
                began_ns = self._sim.now
                self._recorder.warning(pod, "FailedMount", _timed_out(missing))
        if any(wanted(volume) for volume in pod.spec.volumes):
            self._host.listen(pod.uid, lambda kind, key: self._changed(pod, around, kind, key))

    def mounts(self, pod: Pod, container: Container, envs: dict[str, str]) -> tuple[Mount, ...]:
        """What a container gets to see of them.

        Raises:
            ConfigError: If a path inside a volume is not there.
        """
        return tuple(
            Mount(
                container_path=mount.mount_path,
                readonly=bool(mount.read_only) or _is_read_only(pod, mount.name),
                content=self._content(
                    mount.name,
                    expand(mount.sub_path_expr, envs)
                    if mount.sub_path_expr
                    else mount.sub_path or "",
                ),
            )
            for mount in container.volume_mounts
            if mount.name in self._mounted
        )

    def tear_down(self, pod_uid: str) -> None:
        """The pod is gone; what was its own goes with it."""
        self._gone = True
        self._host.forget(pod_uid)
        for volume in self._mounted.values():
            if volume.space is not None and volume.space.charged_bytes:
                self._host.release(volume.space)
        self._mounted.clear()

    def use(self) -> dict[str, int]:
        """Bytes in the volumes that are on the node's own disk and go with the pod, by name."""
        return {
            name: volume.space.used_bytes + volume.space.filled_bytes
            for name, volume in self._mounted.items()
            if name in self._own and volume.space is not None
        }

    def _content(self, name: str, sub_path: str) -> Directory | File:
        volume = self._mounted[name]
        names = tuple(part for part in sub_path.split("/") if part)
        node = volume.find(names)
        if node is None and volume.space is not None:
            node = volume  # the kubelet makes the directories of a subPath
            for part in names:
                assert isinstance(node, Directory)
                node = node.entries.setdefault(part, Directory())
        if node is None:
            raise ConfigError(
                f'failed to prepare subPath for volumeMount "{name}" of container: '
                f"{sub_path}: no such file or directory"
            )
        if isinstance(node, Directory) and node is not volume:
            node = Directory(node.entries, node.inode, volume.space, mounted=True)
        return node

    def _made(self, pod: Pod, volume: Volume, around: Surroundings) -> SimProcess[Directory]:
        if volume.host_path is not None:
            return self._host.host_path(volume.host_path.path)
        if volume.persistent_volume_claim is not None:
            return (yield from self._claimed(pod, volume.persistent_volume_claim.claim_name))
        if volume.ephemeral is not None:
            return (yield from self._claimed(pod, f"{pod.name}-{volume.name}"))
        if volume.config_map or volume.secret or volume.projected or volume.downward_api:
            made = Directory(mounted=True)
            made.become((yield from self._filled(pod, volume, around)))
            return made
        made = Directory.writable(f"{pod.uid}/{volume.name}")
        if made.space is not None and (volume.empty_dir is None or not volume.empty_dir.medium):
            self._own.add(volume.name)
            self._host.own(pod, made.space)
        return made

    def _claimed(self, pod: Pod, name: str) -> SimProcess[Directory]:
        key = f"{pod.namespace}/{name}"
        claim = yield from self._host.claim(key)
        if claim is None:
            raise SetUpError(
                f"error processing PVC {key}: failed to fetch PVC from API server: "
                f'persistentvolumeclaims "{name}" not found'
            )
        if not claim.spec.volume_name:
            raise SetUpError(f"error processing PVC {key}: PVC is not bound")
        return self._host.persistent(claim.spec.volume_name)

    def _filled(self, pod: Pod, volume: Volume, around: Surroundings) -> SimProcess[Directory]:
        found: dict[Reference, ConfigMap | Secret | None] = {}
        for keys in wanted(volume):
            found[keys.kind, keys.name] = yield from self._fetch(
                keys.kind, f"{pod.namespace}/{keys.name}"
            )
        return Directory.of(payload(pod, volume, found, around, wall_ns=self._sim.wall_ns))

    def _changed(
        self, pod: Pod, around: Surroundings, kind: type[ConfigMap | Secret], key: str
    ) -> None:
        """Something changed that may be mounted here: it is seen with the next periodic sync."""
        namespace, _, name = key.rpartition("/")
        concerned = namespace == pod.namespace and any(
            (keys.kind, keys.name) == (kind, name)
            for volume in pod.spec.volumes
            for keys in wanted(volume)
        )
        if concerned and not self._update_due:
            self._update_due = True
            period_ns = SYNC_PERIOD_NS + self._rng.uniform(0, SYNC_PERIOD_NS // 2)
            delay_ns = self._rng.uniform(0, period_ns)
            self._sim.call_in(delay_ns, self._start_update, pod, around)

    def _start_update(self, pod: Pod, around: Surroundings) -> None:
        self._update_due = False
        if not self._gone:
            self._sim.process(self._update(pod, around))

    def _update(self, pod: Pod, around: Surroundings) -> SimProcess[None]:
        for volume in pod.spec.volumes:
            if not wanted(volume):
                continue
            try:
                files = yield from self._filled(pod, volume, around)
            except SetUpError:
                continue  # what is mounted stays as it is
            mounted = self._mounted.get(volume.name)
            if mounted is not None:
                mounted.become(files)


def _is_read_only(pod: Pod, name: str) -> bool:
    volume = next(volume for volume in pod.spec.volumes if volume.name == name)
    claim = volume.persistent_volume_claim
    return claim is not None and bool(claim.read_only)


def _timed_out(missing: list[str]) -> str:
    return (
        f"Unable to attach or mount volumes: unmounted volumes=[{' '.join(missing)}], "
        "unattached volumes=[], failed to process volumes=[]: context deadline exceeded"
    )
