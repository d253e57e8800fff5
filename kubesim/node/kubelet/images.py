"""The image manager: is the image here, may it be pulled, and when again after a failure.

Mirrors: pkg/kubelet/images/image_manager.go.
Departs: image pull secrets are not looked at: every image may be pulled by every pod.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.api.corev1 import Container, Pod
from kubesim.api.duration import format_duration
from kubesim.controlplane.client import Recorder
from kubesim.node.cri.messages import CriError, PodSandboxConfig
from kubesim.node.cri.services import ImageService
from kubesim.node.kubelet.backoff import BackOff
from kubesim.node.kubelet.configuration import KubeletConfiguration
from kubesim.node.kubelet.container import should_pull
from kubesim.node.kubelet.environment import ConfigError
from kubesim.node.kubelet.puller import Puller, PullThrottled
from kubesim.sim import Sim, SimProcess
from kubesim.sim.time import MILLISECOND, SECOND

RETRY_NS = 10 * SECOND  # backOffPeriod: an image that must not be pulled may come with another pod


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Why a container cannot start yet, and when to try again."""

    reason: str
    message: str
    retry_in_ns: int


class ImageManager:
    """One node's image manager.

    Args:
        sim: The run.
        images: The runtime's image service.
        recorder: Where the pods' events go.
        config: How many may be pulled at a time, and how often.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        images: ImageService,
        recorder: Recorder,
        config: KubeletConfiguration,
    ) -> None:
        self._sim = sim
        self._images = images
        self._recorder = recorder
        self._puller = Puller(sim, images=images, config=config)
        self._backoff = BackOff()
        self._last_errors: dict[str, str] = {}

    def ensure_image_exists(
        self, pod: Pod, container: Container, sandbox: PodSandboxConfig
    ) -> SimProcess[Waiting | None]:
        """Have a container's image on the node; returns why it is not there when it failed."""
        image = container.image
        assert image, container.name
        present = (yield from self._images.image_status(image, pod_uid=pod.uid)) is not None
        if not should_pull(container, present=present):
            if present:
                message = (
                    f'Container image "{image}" already present on machine '
                    "and can be accessed by the pod"
                )
                self._recorder.normal(pod, "Pulled", message)
                return None
            message = f'Container image "{image}" is not present with pull policy of Never'
            self._recorder.warning(pod, "ErrImageNeverPull", message)
            return Waiting(reason="ErrImageNeverPull", message=message, retry_in_ns=RETRY_NS)
        key = f"{pod.uid}_{image}"
        remaining_ns = self._backoff.remaining_ns(key, now_ns=self._sim.now)
        if remaining_ns:
            message = f'Back-off pulling image "{image}"'
            self._recorder.normal(pod, "BackOff", message)
            message += f": ErrImagePull: {self._last_errors[key]}"
            return Waiting(reason="ImagePullBackOff", message=message, retry_in_ns=remaining_ns)
        return (yield from self._pull(pod, image, sandbox, key=key))

    def image_user(self, pod: Pod, container: Container) -> SimProcess[None]:
        """Ask once more for a container's image, whose user its process gets (getImageUser).

        Raises:
            ConfigError: If the runtime does not answer.
        """
        assert container.image, container.name
        try:
            yield from self._images.image_status(container.image, pod_uid=pod.uid)
        except CriError as error:
            raise ConfigError(error.message) from None

    def _pull(
        self, pod: Pod, image: str, sandbox: PodSandboxConfig, *, key: str
    ) -> SimProcess[Waiting | None]:
        self._recorder.normal(pod, "Pulling", f'Pulling image "{image}"')
        asked_ns = self._sim.now
        try:
            began_ns = yield from self._puller.pull(image, sandbox)
        except (CriError, PullThrottled) as error:
            self._backoff.next(key, now_ns=self._sim.now, since_ns=self._sim.now)
            self._last_errors[key] = str(error)
            message = f'Failed to pull image "{image}": {error}'
            self._recorder.warning(pod, "Failed", message)
            self._recorder.warning(pod, "Failed", "Error: ErrImagePull")
            delay_ns = self._backoff.delay_ns(key)
            return Waiting(reason="ErrImagePull", message=str(error), retry_in_ns=delay_ns)
        now_ns = self._sim.now
        pulled = yield from self._images.image_status(image, pod_uid=pod.uid)
        self._recorder.normal(
            pod,
            "Pulled",
            f'Successfully pulled image "{image}" in {_whole_millis(now_ns - began_ns)} '
            f"({_whole_millis(now_ns - asked_ns)} including waiting). "
            f"Image size: {pulled.size if pulled is not None else 0} bytes.",
        )
        return None


def _whole_millis(duration_ns: int) -> str:
    return format_duration(duration_ns // MILLISECOND * MILLISECOND)
