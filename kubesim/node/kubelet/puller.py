"""Who may pull, and when: one after another, a few at a time, and so many a second.

With ``serializeImagePulls``, the default, a small image waits behind a large one. Without it, images
that are asked for in a burst meet ``registryPullQPS``: what exceeds it is not delayed but fails at
once, and comes back with the back-off.

Mirrors: pkg/kubelet/images/puller.go, helpers.go (throttledImageService).
Departs: the serial puller's queue has no limit of ten requests; behind the tenth, callers wait in
order all the same.
"""

from __future__ import annotations

from kubesim.controlplane.client.flowcontrol import TokenBucket
from kubesim.node.cri.messages import PodSandboxConfig
from kubesim.node.cri.services import ImageService
from kubesim.node.kubelet.configuration import KubeletConfiguration
from kubesim.sim import Sim, SimProcess

QPS_EXCEEDED = "pull QPS exceeded"


class PullThrottled(Exception):  # noqa: N818  # named as what happened
    """The pull was not made: too many in too short a time."""


class Puller:
    """One kubelet's way to the runtime's PullImage.

    Args:
        sim: The run.
        images: The runtime's image service.
        config: ``serializeImagePulls``, ``maxParallelImagePulls``, ``registryPullQPS``,
            ``registryBurst``.
    """

    def __init__(self, sim: Sim, *, images: ImageService, config: KubeletConfiguration) -> None:
        self._sim = sim
        self._images = images
        slots = 1 if config.serialize_image_pulls else config.max_parallel_image_pulls
        self._slots = sim.resource(slots) if slots else None
        self._bucket = TokenBucket(qps=config.registry_pull_qps, burst=config.registry_burst)

    def pull(self, image: str, sandbox: PodSandboxConfig) -> SimProcess[int]:
        """Pull as soon as it is its turn; returns when that was.

        Raises:
            CriError: If the runtime could not.
            PullThrottled: If there were too many in too short a time.
        """
        if self._slots is None:
            return (yield from self._pull(image, sandbox))
        with self._slots.request() as slot:
            yield slot
            return (yield from self._pull(image, sandbox))

    def _pull(self, image: str, sandbox: PodSandboxConfig) -> SimProcess[int]:
        began_ns = self._sim.now
        if not self._bucket.try_accept(began_ns):
            raise PullThrottled(QPS_EXCEEDED)
        yield from self._images.pull_image(image, sandbox)
        return began_ns
