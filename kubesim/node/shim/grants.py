"""What a container's module is granted: stores, variables, hosts, and its mounts.

The Wasm runtimes other than Spin give a module the container's root as a preopened directory: here
there is nothing in it but what is mounted. Spin's components see no mounts, but Spin itself looks for
its runtime configuration among them (``runtimeconfig``).

Mirrors: containerd-shim-spin (variables of the environment with the prefix ``SPIN_VARIABLE_``
override the manifest's; ``SPIN_MAX_INSTANCE_MEMORY``), runwasi crates/containerd-shim-wasmtime
(preopened root).
"""

from __future__ import annotations

from dataclasses import replace

from kubesim.node.shim import runtimeconfig
from kubesim.node.shim.runtimeconfig import RuntimeConfig
from kubesim.node.shim.spin import NAME as SPIN
from kubesim.node.shim.task import TaskSpec
from kubesim.wasm.execution import Limits
from kubesim.wasm.stores import SpinContext, Stores
from kubesim.wire.filetree import Directory, assemble
from kubesim.wire.image import SpinGrants, WasmProgram

MAX_MEMORY_BYTES = 1 << 32  # a 32-bit linear memory
_VARIABLE_PREFIX = "SPIN_VARIABLE_"
_INSTANCE_MEMORY = "SPIN_MAX_INSTANCE_MEMORY"

Snapshot = list[tuple[Directory, Directory]]


def runtime_config(shim: str, spec: TaskSpec, grants: SpinGrants) -> RuntimeConfig:
    """Where the stores are, of a shim that is Spin's.

    Raises:
        RuntimeConfigError: Spin does not start with its configuration.
    """
    if shim != SPIN:
        return RuntimeConfig()
    mounted = dict(spec.mounts).get(runtimeconfig.RUNTIME_CONFIG_PATH)
    return runtimeconfig.read(mounted, grants, spec.container)


def limits(shim: str, spec: TaskSpec) -> Limits:
    """The sandbox's limits: the container's memory limit, and Spin's for one instance."""
    found = Limits()
    if spec.memory_limit_bytes:
        found = replace(found, memory_bytes=min(spec.memory_limit_bytes, MAX_MEMORY_BYTES))
    given = dict(spec.envs).get(_INSTANCE_MEMORY, "") if shim == SPIN else ""
    if given.isdecimal():  # anything else, the shim ignores
        found = replace(found, memory_bytes=min(int(given), found.memory_bytes))
    return found


def spin_context(
    program: WasmProgram, spec: TaskSpec, stores: Stores, config: RuntimeConfig
) -> SpinContext:
    """What a container's component is granted: its manifest's grants, variables overridden."""
    grants = program.grants
    variables = dict(grants.variables)
    for name, value in spec.envs:
        if name.startswith(_VARIABLE_PREFIX):
            variables[name.removeprefix(_VARIABLE_PREFIX).lower()] = value
    return SpinContext(
        stores=stores,
        key_value_stores=grants.key_value_stores,
        sqlite_databases=grants.sqlite_databases,
        variables=variables,
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


def snapshot(spec: TaskSpec) -> Snapshot:
    """What is written in the container's mounts now."""
    writable = (tree for _, tree in spec.mounts if isinstance(tree, Directory) and tree.space)
    return [(tree, tree.copy()) for tree in writable]


def restore(taken: Snapshot) -> None:
    """Take back what was written since."""
    for tree, before in taken:
        tree.become(before)
        assert tree.space is not None
        assert before.space is not None
        tree.space.used_bytes = before.space.used_bytes
