"""What lies between nodes, registries and users."""

from __future__ import annotations

from pydantic import Field

from kubesim.scenario.format.values import ScenarioModel, ScenarioQuantity, Span


class LinkSpec(ScenarioModel):
    """A link towards the core of the network.

    Attributes:
        latency: One way.
        bandwidth: Bytes a second each way; as wide as anybody needs when it is left out.
    """

    latency: Span = 0
    bandwidth: ScenarioQuantity | None = None


class ZoneSpec(LinkSpec):
    """A zone's link to the core; node pools say by ``zones`` which nodes are in it."""

    name: str


class RackSpec(LinkSpec):
    """A rack's link to its zone, or to the core.

    Attributes:
        nodes: Names of the nodes in it.
    """

    name: str
    zone: str = ""
    nodes: tuple[str, ...] = Field(min_length=1)


class RegistrySpec(LinkSpec):
    """A registry's link to the core, and its limit.

    Attributes:
        name: Its host, as references name it.
        limit: Manifest requests that it answers in each ``window``; the others get 429.
        window: The window.
    """

    name: str
    limit: int = Field(default=0, ge=0)
    window: Span = 3_600_000_000_000


class FurtherLink(LinkSpec):
    """One more way: between two of ``core``, ``zone/NAME``, ``rack/NAME``, ``registry/HOST``."""

    between: tuple[str, str]


class NetworkSpec(ScenarioModel):
    """The network. Without it every node has a link to the core as wide as the preset's registry.

    Attributes:
        nodes: The link of each node to its rack, its zone, or the core.
        users: The link of the users.
        zones: Zones.
        racks: Racks.
        registries: Registries that are far away, narrow or limited.
        links: Further links, for other ways when one is cut.
    """

    nodes: LinkSpec = LinkSpec()
    users: LinkSpec = LinkSpec()
    zones: tuple[ZoneSpec, ...] = ()
    racks: tuple[RackSpec, ...] = ()
    registries: tuple[RegistrySpec, ...] = ()
    links: tuple[FurtherLink, ...] = ()
