"""Registries: image references to manifests, digests to blobs; each with its limits and its bad days.

A reference names its registry by host. A registry that counts manifest requests answers 429 to those
beyond its limit; containerd asks six times without a pause and gives up. One that is out answers 503,
or nothing at all.

Mirrors: the pull half of the OCI distribution specification v1.1 (GET manifest, GET blob); containerd
core/remotes/docker/resolver.go (retryRequest) for what a client does with 429 and 503.
Departs: everybody is one client to a limit (a cluster behind one address). No tokens, no pull secrets,
no mirrors.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kubesim.sim import Sim, SimProcess
from kubesim.sim.distribution import Distribution
from kubesim.wire.image import Image, Layer
from kubesim.world.network.topology import StalledError, Topology, registry_place

DOCKER_IO = "docker.io"
DOCKER_HOST = "registry-1.docker.io"
TRIES_WHEN_LIMITED = 6
TRIES_WHEN_UNAVAILABLE = 2
DIAL_TIMEOUT_NS = 30_000_000_000  # net.Dialer's in containerd's default transport


class RegistryError(Exception):
    """The registry said no, or nothing; the message is the client's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryConfig:
    """One registry, where it differs from the others.

    Attributes:
        host: Its name in references.
        limit: Manifest requests in ``window_ns``; 0 means no limit.
        window_ns: The window.
    """

    host: str
    limit: int = 0
    window_ns: int = 0


class Registry:
    """Everything a cluster can pull, wherever it is.

    Args:
        sim: The run.
        images: By reference.
        resolve: Finding a manifest (HEAD and GET).
        request: Until the first byte of a blob.
        topology: The way from registries to nodes.
        configs: Registries with limits.
    """

    def __init__(  # what registries are made of
        self,
        sim: Sim,
        *,
        images: Mapping[str, Image],
        resolve: Distribution,
        request: Distribution,
        topology: Topology,
        configs: Iterable[RegistryConfig] = (),
    ) -> None:
        self._sim = sim
        self._images = dict(images)
        self._resolve = resolve
        self._request = request
        self._topology = topology
        self._configs = {config.host: config for config in configs}
        self._counted: dict[str, deque[int]] = {}
        self._out: dict[str, bool] = {}
        self._rng = sim.rng("registry")

    def fail(self, host: str, *, silent: bool = False) -> None:
        """A registry is out: it answers 503, or does not answer."""
        self._out[host] = silent

    def restore(self, host: str) -> None:
        """It is back."""
        self._out.pop(host, None)

    def resolve(
        self, reference: str, node: str, *, patience_ns: int = 0
    ) -> SimProcess[Image | None]:
        """The manifest behind a reference; ``None`` when the registry does not know it.

        Raises:
            RegistryError: If the registry does not say.
        """
        host = host_of(reference)
        url = _manifest_url(reference, host)
        yield from self._travel(host, node, url, "Head", patience_ns)
        yield self._sim.timeout(self._resolve.draw(self._rng))
        yield from self._refusals(host, f"HEAD request to {url}", counted=True)
        return self._images.get(reference)

    def fetch(
        self, layer: Layer, node: str, *, reference: str, patience_ns: int = 0
    ) -> SimProcess[None]:
        """Download a blob to a node.

        Raises:
            RegistryError: If the registry does not send it, or nothing of it for too long.
        """
        host = host_of(reference)
        url = f"https://{_endpoint(host)}/v2/{_repository(reference, host)}/blobs/{layer.digest}"
        yield from self._travel(host, node, url, "Get", patience_ns)
        yield self._sim.timeout(self._request.draw(self._rng))
        yield from self._refusals(host, f"GET request to {url}", counted=False)
        place = registry_place(self._topology, host)
        try:
            yield from self._topology.transfer(
                place, f"node/{node}", layer.size_bytes, patience_ns=patience_ns
            )
        except StalledError:
            raise RegistryError("context canceled") from None

    def _travel(
        self, host: str, node: str, url: str, method: str, patience_ns: int
    ) -> SimProcess[None]:
        """The path's delay, there and back."""
        place = registry_place(self._topology, host)
        if self._out.get(host):
            yield self._sim.timeout(DIAL_TIMEOUT_NS)
            raise RegistryError(f'failed to do request: {method} "{url}": dial tcp: i/o timeout')
        try:
            yield from self._topology.round_trip(f"node/{node}", place, patience_ns=patience_ns)
        except StalledError:
            raise RegistryError("context canceled") from None

    def _refusals(self, host: str, what: str, *, counted: bool) -> SimProcess[None]:
        """Ask again as a client does; raises when it gives up."""
        for tries in range(1, TRIES_WHEN_LIMITED + 1):
            if host in self._out:
                status, most = "503 Service Unavailable", TRIES_WHEN_UNAVAILABLE
            elif counted and not self._admitted(host):
                status, most = "429 Too Many Requests", TRIES_WHEN_LIMITED
            else:
                return
            if tries >= most:
                raise RegistryError(f"unexpected status from {what}: {status}")
            yield self._sim.timeout(self._request.draw(self._rng))

    def _admitted(self, host: str) -> bool:
        """Count a request, if there is room for it in the window."""
        config = self._configs.get(host)
        if config is None or not config.limit:
            return True
        counted = self._counted.setdefault(host, deque())
        while counted and counted[0] <= self._sim.now - config.window_ns:
            counted.popleft()
        if len(counted) >= config.limit:
            return False
        counted.append(self._sim.now)
        return True


def host_of(reference: str) -> str:
    """The registry that a reference names; docker.io when it names none."""
    first, slash, _ = reference.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named else DOCKER_IO


def _endpoint(host: str) -> str:
    return DOCKER_HOST if host == DOCKER_IO else host


def _repository(reference: str, host: str) -> str:
    name = reference.removeprefix(f"{host}/").partition("@")[0]
    head, slash, last = name.rpartition("/")
    name = f"{head}{slash}{last.partition(':')[0]}"
    return f"library/{name}" if host == DOCKER_IO and "/" not in name else name


def _manifest_url(reference: str, host: str) -> str:
    _, at, digest = reference.partition("@")
    tag = digest if at else reference.rpartition("/")[2].partition(":")[2] or "latest"
    return f"https://{_endpoint(host)}/v2/{_repository(reference, host)}/manifests/{tag}"
