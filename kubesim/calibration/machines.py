"""Machine types: what a node pool may be made of, and what it costs."""

from __future__ import annotations

from functools import cache
from typing import Literal

from pydantic import Field

from kubesim.api.quantity import Quantity
from kubesim.calibration.number import Bytes, CalibrationModel, Sourced
from kubesim.errors import InputError, Problem
from kubesim.manifests import read_paths, validate
from kubesim.share import share_path


class MachineType(Sourced):
    """A kind of machine a cloud rents out.

    Attributes:
        name: Its name at the provider.
        provider: The provider.
        cpu: Virtual CPUs.
        memory: Memory.
        pods: How many pods the provider's default configuration allows.
        price_per_hour_usd: On-demand price, as a decimal number in a string (exact).
        spot_price_per_hour_usd: Spot price; where there is none the preset has a percentage.
        usual: Whether Karpenter buys it in a scenario that names no machines.
    """

    name: str
    provider: str
    cpu: int = Field(gt=0)
    memory: Bytes = Field(gt=0)
    pods: int = Field(gt=0)
    price_per_hour_usd: str = Field(alias="pricePerHourUSD", pattern=r"^\d+(\.\d+)?$")

    spot_price_per_hour_usd: str | None = Field(
        default=None, alias="spotPricePerHourUSD", pattern=r"^\d+(\.\d+)?$"
    )

    usual: bool = False

    def spot_price_nano_usd(self, percent: int) -> int:
        """The spot price in billionths of a dollar an hour.

        Args:
            percent: Of the on-demand price, where no spot price is known.
        """
        if self.spot_price_per_hour_usd is not None:
            return Quantity(self.spot_price_per_hour_usd).nanos
        return self.price_per_hour_nano_usd * percent // 100

    @property
    def price_per_hour_nano_usd(self) -> int:
        """The price in billionths of a dollar an hour."""
        return Quantity(self.price_per_hour_usd).nanos


class MachineList(CalibrationModel):
    """The document that holds them."""

    api_version: Literal["kubesim.dev/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["MachineList"]
    machines: tuple[MachineType, ...]


@cache
def load_machines() -> dict[str, MachineType]:
    """All shipped machine types by name."""
    machines: dict[str, MachineType] = {}
    for path in sorted((share_path("models") / "machines").glob("*.yaml")):
        for document in read_paths([path]):
            for machine in validate(document, MachineList).machines:
                if machine.name in machines:
                    problem = Problem(message=f'machine "{machine.name}" twice', file=str(path))
                    raise InputError(problem)
                machines[machine.name] = machine
    return machines
