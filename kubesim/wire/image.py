"""OCI images as values: layers with digests and sizes, and what runs inside.

A real image says what runs by its config and its files. Here a Wasm image carries the module's own
bytes, and a Linux image carries a model of its program, because nothing but Wasm is really run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum

from kubesim.sim.distribution import Distribution
from kubesim.wire.http import HttpResponse


class WasmKind(Enum):
    """How a module is used."""

    COMMAND = "command"
    """Run ``_start`` to its end; the container ends with it."""
    WAGI = "wagi"
    """Answer each HTTP request with a fresh instance of ``_start``, CGI fashion."""
    HTTP = "http"
    """Answer each HTTP request with a fresh instance of a ``wasi:http`` component."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer: what is downloaded and unpacked once a node."""

    digest: str
    size_bytes: int
    media_type: str = "application/vnd.oci.image.layer.v1.tar+gzip"


class Condition(Enum):
    """How a program is."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    """It answers with 503; a command in its container fails."""
    HUNG = "hung"
    """It accepts connections and answers nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """When a program is well; instants in nanoseconds since its container's start.

    Attributes:
        healthy_after_ns: From when on it is well.
        unhealthy_from_ns: From when on it is not, if ever.
        unhealthy_for_ns: For how long; ``None`` for ever.
        hang_from_ns: From when on it answers nobody, if ever.
        hang_for_ns: For how long; ``None`` for ever.
    """

    healthy_after_ns: int = 0
    unhealthy_from_ns: int | None = None
    unhealthy_for_ns: int | None = None
    hang_from_ns: int | None = None
    hang_for_ns: int | None = None

    def at(self, age_ns: int) -> tuple[Condition, int | None]:
        """How the program is at an age, and the age up to which it stays so (``None``: ever)."""
        changes = [self.healthy_after_ns]
        for begin_ns, for_ns in (
            (self.unhealthy_from_ns, self.unhealthy_for_ns),
            (self.hang_from_ns, self.hang_for_ns),
        ):
            if begin_ns is not None:
                changes.append(begin_ns)
                if for_ns is not None:
                    changes.append(begin_ns + for_ns)
        later = [at_ns for at_ns in changes if at_ns > age_ns]
        return self._condition(age_ns), min(later, default=None)

    def _condition(self, age_ns: int) -> Condition:
        if _within(age_ns, self.hang_from_ns, self.hang_for_ns):
            return Condition.HUNG
        ill = _within(age_ns, self.unhealthy_from_ns, self.unhealthy_for_ns)
        return Condition.UNHEALTHY if ill or age_ns < self.healthy_after_ns else Condition.HEALTHY


def _within(age_ns: int, from_ns: int | None, for_ns: int | None) -> bool:
    if from_ns is None or age_ns < from_ns:
        return False
    return for_ns is None or age_ns < from_ns + for_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCall:
    """What a program asks of another Service for each request that it serves.

    Attributes:
        namespace: The Service's namespace; empty for the caller's own.
        service: Its name.
        port: Its port.
        path: The path.
        count: How often.
        parallel: All at once instead of one after another.
        timeout_ns: How long each may take; 0 for ever.
    """

    namespace: str
    service: str
    port: int = 80
    path: str = "/"
    count: int = 1
    parallel: bool = False
    timeout_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumption:
    """What a program takes from a queue, message by message.

    Attributes:
        queue: The queue's name.
        messages: It ends when it has handled so many; ``None`` for any number.
        idle_ns: It ends when none came for so long; ``None`` to wait for ever.
    """

    queue: str
    messages: int | None = None
    idle_ns: int | None = None


class Role(Enum):
    """What a program is, when it is more than a server with a model."""

    SERVER = "server"
    REDIS = "redis"
    """A Redis server: it does what commands say and keeps what they set."""
    SPIN = "spin"
    """The Spin CLI: ``spin up`` fetches an application and serves it."""
    NODE_INSTALLER = "node-installer"
    """Brings a shim to the host that its container runs on, or takes it away."""
    SHIM_DOWNLOADER = "shim-downloader"
    """Fetches a shim for the installer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskUse:
    """What a program writes to the disk and never deletes.

    Attributes:
        path: Where: in a volume, or in the container's own file system.
        size_bytes: What it writes when it is up.
        growth_bytes: What it adds each time.
        growth_every_ns: How often; 0 for never.
    """

    path: str = "/tmp"  # noqa: S108  # a path inside a container
    size_bytes: int = 0
    growth_bytes: int = 0
    growth_every_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxProgram:
    """A model of a program in a Linux container.

    Attributes:
        init: From its first instruction until it listens.
        service: CPU time of one request.
        workers: How many requests it works on at the same time.
        memory_bytes: Resident memory when idle.
        port: Where it listens; 0 when it does not.
        run_time: How long it runs before it ends; ``None`` when it runs until it is stopped.
        exit_code: What it ends with.
        log: Lines it writes once it is up.
        body: What it answers to every request.
        guessed: Nobody described it: the image has no model in the scenario.
        queue_length: How many requests may wait for a worker; ``None`` for any number.
        refuses_when_full: A full queue refuses connections; else it answers with 503.
        calls: What it asks of other Services for each request, in this order.
        finishes: At SIGTERM it stops to listen and ends when its last request is answered; else it
            ends at once, as a program that does nothing about the signal.
        start: What its runtime takes to start it, where that is known of the image; else what the
            runtime takes for any.
        health: When it is well; always, unless somebody says otherwise.
        cpu_millis: What it uses all the time from when it is up, beside its requests.
        request_memory_bytes: What it needs in addition for each request that it works on.
        growth_bytes: What its memory grows by each time.
        growth_every_ns: How often it grows; 0 for never.
        role: What it is beside that.
        consumes: The queue from which its workers take messages, at ``service`` each.
        disk: What it writes.
    """

    init: Distribution
    service: Distribution
    workers: int
    memory_bytes: int
    port: int = 80
    run_time: Distribution | None = None
    exit_code: int = 0
    log: tuple[str, ...] = ()
    body: bytes = b"ok\n"
    guessed: bool = False
    queue_length: int | None = None
    refuses_when_full: bool = False
    calls: tuple[ServiceCall, ...] = ()
    start: Distribution | None = None
    health: Health = Health()
    finishes: bool = False
    cpu_millis: int = 0
    request_memory_bytes: int = 0
    growth_bytes: int = 0
    growth_every_ns: int = 0
    role: Role = Role.SERVER
    consumes: Consumption | None = None
    disk: DiskUse = DiskUse()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpinGrants:
    """What a Spin application's manifest allows a component; nothing by default.

    Attributes:
        key_value_stores: Labels of the stores it may open.
        sqlite_databases: Names of the databases it may open.
        variables: Names and values of its configuration variables.
        allowed_outbound_hosts: Whom it may call, as ``scheme://host:port``.
    """

    key_value_stores: tuple[str, ...] = ()
    sqlite_databases: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    allowed_outbound_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpinComponent:
    """One component of a Spin application.

    Attributes:
        id: Its id in the manifest.
        module: The bytes.
        digest: Their digest.
        grants: What it may open and call; templates of variables are not filled in yet.
        environment: Its environment variables.
        files: Its files and their paths, relative to its root.
    """

    id: str
    module: bytes = field(repr=False)
    digest: str
    grants: SpinGrants = SpinGrants()
    environment: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpinTrigger:
    """One HTTP trigger of a Spin application.

    Attributes:
        id: Its id.
        route: The route as the manifest has it; ``None`` for a private one.
        component: Who answers; empty when the answer is always the same.
        wagi: The component is a program that prints the answer.
        argv: The template of its arguments then; empty for Spin's own.
        response: The answer, when no component makes it.
    """

    id: str
    route: str | None
    component: str = ""
    wagi: bool = False
    argv: str = ""
    response: HttpResponse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpinApp:
    """A Spin application as its image has it.

    Attributes:
        name: Its name.
        version: Its version; may be empty.
        variables: Its variables and their defaults; ``None`` is one that must be given.
        components: All of them.
        triggers: Its HTTP triggers, in the manifest's order.
        commands: The components of its command triggers.
    """

    name: str
    version: str = ""
    variables: tuple[tuple[str, str | None], ...] = ()
    components: tuple[SpinComponent, ...]
    triggers: tuple[SpinTrigger, ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WasmProgram:
    """A real Wasm module and how it is used.

    Attributes:
        module: The bytes; those of an application's first component that is used.
        digest: Their digest.
        kind: How it is used.
        port: Where it listens; 0 is where its runtime does by default.
        grants: What it may open and call.
        app: The application that it is a part of; ``None`` for a module alone.
        notes: What of the image is not simulated, in words.
    """

    module: bytes = field(repr=False)
    digest: str
    kind: WasmKind
    port: int = 0
    grants: SpinGrants = SpinGrants()
    app: SpinApp | None = None
    notes: tuple[str, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """Whom anything in it may call."""
        components = self.app.components if self.app is not None else ()
        grants = (self.grants, *(component.grants for component in components))
        listed = (host for granted in grants for host in granted.allowed_outbound_hosts)
        return tuple(dict.fromkeys(listed))

    @property
    def calls_out(self) -> bool:
        """Whether anything in it may call others."""
        return bool(self.hosts)


Program = LinuxProgram | WasmProgram


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image in a registry.

    Attributes:
        name: The reference, with its tag.
        digest: The manifest's digest.
        layers: In chain order.
        program: What a container of it runs.
    """

    name: str
    digest: str
    layers: tuple[Layer, ...]
    program: Program

    @property
    def size_bytes(self) -> int:
        """The compressed size of all layers."""
        return sum(layer.size_bytes for layer in self.layers)


def sha256_digest(data: bytes) -> str:
    """The OCI digest of some bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
