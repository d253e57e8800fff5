"""What a container's module is granted: stores, variables, hosts, and its mounts.

The Wasm runtimes other than Spin give a module the container's root as a preopened directory: here
there is nothing in it but what is mounted. Spin's components see no mounts, but Spin itself looks for
its runtime configuration among them.

Mirrors: containerd-shim-spin (RUNTIME_CONFIG_PATH; variables of the environment with the prefix
``SPIN_VARIABLE_`` override the manifest's), spin crates/factor-key-value and factor-sqlite (labels
without a definition are refused), runwasi crates/containerd-shim-wasmtime (preopened root).
Departs: of the runtime configuration only the labels of stores and databases count: whatever their
type is, they are in memory and the container's own; without one, every label that the manifest asks
for is there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable

from kubesim.node.shim.spin import NAME as SPIN
from kubesim.node.shim.task import ShimError, TaskSpec
from kubesim.wasm.stores import SpinContext, Stores
from kubesim.wire.filetree import Directory, File, assemble
from kubesim.wire.image import SpinGrants, WasmProgram

RUNTIME_CONFIG_PATH = "/runtime-config.toml"
_VARIABLE_PREFIX = "SPIN_VARIABLE_"

Snapshot = list[tuple[Directory, Directory]]


def spin_context(program: WasmProgram, spec: TaskSpec, stores: Stores) -> SpinContext:
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
    )


def preopens(shim: str, spec: TaskSpec) -> dict[str, Directory]:
    """The directories that a module finds open."""
    if shim == SPIN or not spec.mounts:
        return {}
    return {"/": assemble(dict(spec.mounts))}


def check_runtime_config(shim: str, spec: TaskSpec, grants: SpinGrants) -> None:
    """Read the runtime configuration where Spin looks for it.

    Raises:
        ShimError: If it is no TOML, or does not define what the application asks for.
    """
    mounted = dict(spec.mounts).get(RUNTIME_CONFIG_PATH)
    if shim != SPIN or not isinstance(mounted, File):
        return
    try:
        config = tomllib.loads(mounted.data.decode())
    except ValueError as error:
        raise ShimError(
            f"failed to resolve runtime config from {RUNTIME_CONFIG_PATH}: {error}"
        ) from None
    for key, what, asked in (
        ("key_value_store", "key_value_stores", grants.key_value_stores),
        ("sqlite_database", "sqlite_databases", grants.sqlite_databases),
    ):
        unknown = _undefined(asked, config.get(key, {}))
        if unknown:
            raise ShimError(f'unknown {what} label "{unknown}" for component "{spec.container}"')


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


def _undefined(asked: Iterable[str], defined: object) -> str:
    known = {"default", *defined} if isinstance(defined, dict) else {"default"}
    return next((label for label in asked if label not in known), "")
