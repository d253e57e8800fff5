"""What a container's module is granted: stores, variables, hosts, and its mounts.

The Wasm runtimes other than Spin give a module the container's root as a preopened directory: here
there is nothing in it but what is mounted. Spin's components see no mounts, but Spin itself looks for
its runtime configuration among them (``runtimeconfig``).

Mirrors: containerd-shim-spin (variables of the environment with the prefix ``SPIN_VARIABLE_``
override the manifest's; ``SPIN_MAX_INSTANCE_MEMORY``), runwasi crates/containerd-shim-wasmtime
(preopened root).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from kubesim.node.shim import runtimeconfig
from kubesim.node.shim.runtimeconfig import RuntimeConfig
from kubesim.node.shim.spin import NAME as SPIN
from kubesim.node.shim.task import TaskSpec
from kubesim.wasm.execution import Limits
from kubesim.wasm.stores import NO_SPIN, SpinContext, Stores
from kubesim.wire.filetree import Directory, assemble
from kubesim.wire.image import SpinApp, SpinComponent, SpinGrants, WasmProgram
from kubesim.wire.spinvariables import VARIABLE_PREFIX, resolved

MAX_MEMORY_BYTES = 1 << 32  # a 32-bit linear memory
_INSTANCE_MEMORY = "SPIN_MAX_INSTANCE_MEMORY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a module finds when it runs.

    Attributes:
        environment: Its environment variables.
        preopens: The directories that are open.
        spin: Stores, variables and hosts.
    """

    environment: tuple[tuple[str, str], ...] = ()
    preopens: Mapping[str, Directory] = field(default_factory=dict)
    spin: SpinContext = NO_SPIN


def runtime_config(shim: str, spec: TaskSpec, asked: Mapping[str, SpinGrants]) -> RuntimeConfig:
    """Where the stores are, of a shim that is Spin's.

    Args:
        shim: The shim's name.
        spec: The container.
        asked: What each component may open, by its name.

    Raises:
        RuntimeConfigError: Spin does not start with its configuration.
    """
    config = RuntimeConfig()
    if shim == SPIN:
        mounted = dict(spec.mounts).get(runtimeconfig.RUNTIME_CONFIG_PATH)
        for component, grants in asked.items():
            config = runtimeconfig.read(mounted, grants, component)
    return config


def limits(shim: str, spec: TaskSpec) -> Limits:
    """The sandbox's limits: the container's memory limit, and Spin's for one instance."""
    found = Limits()
    if spec.memory_limit_bytes:
        found = replace(found, memory_bytes=min(spec.memory_limit_bytes, MAX_MEMORY_BYTES))
    given = dict(spec.envs).get(_INSTANCE_MEMORY, "") if shim == SPIN else ""
    if given.isdecimal():  # anything else, the shim ignores
        found = replace(found, memory_bytes=min(int(given), found.memory_bytes))
    return found


def given_to(
    shim: str, spec: TaskSpec, program: WasmProgram, stores: Stores, config: RuntimeConfig
) -> Given:
    """What a module gets that is alone in its image: all that its container has."""
    context = _context(program.grants, stores, config)
    variables = dict(program.grants.variables)
    for name, value in spec.envs:
        if name.startswith(VARIABLE_PREFIX):
            variables[name.removeprefix(VARIABLE_PREFIX).lower()] = value
    return Given(
        environment=spec.envs,
        preopens=preopens(shim, spec),
        spin=replace(context, variables=variables),
    )


def given_to_component(
    app: SpinApp, component: SpinComponent, spec: TaskSpec, stores: Stores, config: RuntimeConfig
) -> Given:
    """What a component of an application gets: what its manifest says, its variables filled in."""
    files = dict(component.files)
    return Given(
        environment=component.environment,
        preopens={"/": Directory.of(files)} if files else {},
        spin=_context(resolved(app, component.id, dict(spec.envs)), stores, config),
    )


def _context(grants: SpinGrants, stores: Stores, config: RuntimeConfig) -> SpinContext:
    return SpinContext(
        stores=stores,
        key_value_stores=grants.key_value_stores,
        sqlite_databases=grants.sqlite_databases,
        variables=dict(grants.variables),
        allowed_outbound_hosts=grants.allowed_outbound_hosts,
        redis_stores=config.redis_stores,
        unreachable=config.unreachable,
        unreachable_databases=config.unreachable_databases,
    )


def preopens(shim: str, spec: TaskSpec) -> dict[str, Directory]:
    """The directories that a module finds open."""
    if shim == SPIN or not spec.mounts:
        return {}
    return {"/": assemble(dict(spec.mounts))}
