"""SpinKube: the operator, its webhooks, and what installs shims on nodes.

Mirrors: spin-operator (internal/controller, internal/webhook), runtime-class-manager
(internal/controller), kwasm-operator.
"""

from kubesim.controlplane.spin.installers import (
    KwasmController,
    ShimController,
    ShimJobController,
)
from kubesim.controlplane.spin.nodefeatures import NodeFeatureController
from kubesim.controlplane.spin.spinapp import SpinAppController
from kubesim.controlplane.spin.spinappexecutor import SpinAppExecutorController
from kubesim.controlplane.spin.webhooks import SPIN_WEBHOOKS

__all__ = [
    "SPIN_WEBHOOKS",
    "KwasmController",
    "NodeFeatureController",
    "ShimController",
    "ShimJobController",
    "SpinAppController",
    "SpinAppExecutorController",
]
