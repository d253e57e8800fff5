"""SpinKube in a cluster: the operator's process, with one client for its two controllers."""

from __future__ import annotations

from kubesim.controlplane.client import Client, Controller
from kubesim.controlplane.spin import SpinAppController, SpinAppExecutorController
from kubesim.sim import Sim

# controller-runtime's client-side limits: requests a second and burst.
SPIN_OPERATOR_LIMITS = (20.0, 30)


def start_spin_operator(sim: Sim, *, client: Client) -> tuple[Controller, ...]:
    """The operator's controllers."""
    return (
        SpinAppController(sim, client=client),
        SpinAppExecutorController(sim, client=client),
    )
