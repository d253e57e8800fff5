"""The cloud: instances that boot, are billed by the second, and may be taken back."""

from kubesim.world.cloud.billing import billed_ns, cost_nano_usd
from kubesim.world.cloud.cloud import Cloud, CloudTimings
from kubesim.world.cloud.instances import (
    INSUFFICIENT_CAPACITY,
    Instance,
    InstanceSpec,
    Refusal,
)

__all__ = [
    "INSUFFICIENT_CAPACITY",
    "Cloud",
    "CloudTimings",
    "Instance",
    "InstanceSpec",
    "Refusal",
    "billed_ns",
    "cost_nano_usd",
]
