"""SpinKube in a cluster: the operator, and what brings shims to nodes; a process each."""

from __future__ import annotations

from collections.abc import Callable

from kubesim.controlplane.client import Client, Controller
from kubesim.controlplane.spin import (
    KwasmController,
    NodeFeatureController,
    ShimController,
    ShimJobController,
    SpinAppController,
    SpinAppExecutorController,
)
from kubesim.sim import Sim

# controller-runtime's client-side limits: requests a second and burst.
SPIN_OPERATOR_LIMITS = (20.0, 30)


def start_spin_operator(sim: Sim, *, client: Client) -> tuple[Controller, ...]:
    """The operator's controllers, with one client together."""
    return (
        SpinAppController(sim, client=client),
        SpinAppExecutorController(sim, client=client),
    )


def start_shim_installers(
    sim: Sim, *, client: Callable[[str, tuple[float, int]], Client]
) -> tuple[Controller, ...]:
    """KWasm and the runtime-class-manager, each a process of its own.

    Args:
        sim: The run.
        client: Makes a client for a component with its limits.
    """
    manager = client("runtime-class-manager", SPIN_OPERATOR_LIMITS)
    return (
        KwasmController(sim, client=client("kwasm-operator", SPIN_OPERATOR_LIMITS)),
        ShimController(sim, client=manager),
        ShimJobController(sim, client=manager),
    )


def start_feature_discovery(sim: Sim, *, client: Client) -> tuple[Controller, ...]:
    """Node Feature Discovery."""
    return (NodeFeatureController(sim, client=client),)
