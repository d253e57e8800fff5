"""What a container's component is granted. Pure.

Mirrors: containerd-shim-spin, spin crates/variables (a variable of the environment, with the prefix
``SPIN_VARIABLE_``, overrides the manifest's).
"""

from __future__ import annotations

from kubesim.node.shim.task import TaskSpec
from kubesim.wasm.stores import SpinContext, Stores
from kubesim.wire.image import WasmProgram

_VARIABLE_PREFIX = "SPIN_VARIABLE_"


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
