"""What clouds reserve of a node: the formulas behind ``reserved: eks``, ``gke`` and ``aks``.

A formula is either tiers (so many percent of the first piece, so many of the next), or a base and so
much a pod, or a table by size. Shares are exact fractions.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from kubesim.api.quantity import Quantity
from kubesim.calibration.number import Bytes, CalibrationModel, Sourced
from kubesim.manifests import read_paths, validate
from kubesim.share import share_path


class CpuTier(CalibrationModel):
    """A share of the next ``cores`` cores; of all the rest when that is left out."""

    cores: int | None = Field(default=None, gt=0)
    percent: str


class CpuLine(CalibrationModel):
    """What a machine of at least that many cores reserves."""

    cores: int = Field(gt=0)
    reserved: Quantity


class MemoryTier(CalibrationModel):
    """A share of the next piece of memory; of all the rest when ``size`` is left out."""

    size: Bytes | None = None
    percent: str


class CpuFormula(Sourced):
    """Reserved CPU: tiers, or a table."""

    tiers: tuple[CpuTier, ...] = ()
    table: tuple[CpuLine, ...] = ()

    @model_validator(mode="after")
    def _one_form(self) -> CpuFormula:
        if bool(self.tiers) == bool(self.table):
            raise ValueError("give either tiers or a table")
        return self

    def millis(self, cpu_millis: int) -> int:
        """Thousandths of a core that a machine reserves."""
        if self.table:
            fitting = [line for line in self.table if line.cores * 1000 <= cpu_millis]
            return (fitting or list(self.table[:1]))[-1].reserved.milli_value()
        sizes = [None if tier.cores is None else tier.cores * 1000 for tier in self.tiers]
        return _tiered(cpu_millis, sizes, [tier.percent for tier in self.tiers])


class MemoryFormula(Sourced):
    """Reserved memory: tiers, or a base and so much a pod, perhaps up to a share."""

    model_config = ConfigDict(alias_generator=to_camel)

    tiers: tuple[MemoryTier, ...] = ()
    base: Bytes = 0
    per_pod: Bytes = 0
    at_most_percent: str | None = None

    def reserved_bytes(self, memory_bytes: int, *, max_pods: int) -> int:
        """Bytes that a machine reserves."""
        if self.tiers:
            sizes = [tier.size for tier in self.tiers]
            return _tiered(memory_bytes, sizes, [tier.percent for tier in self.tiers])
        wanted = self.base + self.per_pod * max_pods
        if self.at_most_percent is None:
            return wanted
        return min(wanted, int(memory_bytes * Fraction(self.at_most_percent) / 100))


class ReservedFormula(CalibrationModel):
    """One cloud's formula."""

    model_config = ConfigDict(alias_generator=to_camel)

    name: str
    cpu: CpuFormula
    memory: MemoryFormula
    eviction_hard: dict[str, str]


class ReservedList(CalibrationModel):
    """The document that holds them."""

    api_version: Literal["kubesim.dev/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["ReservedList"]
    formulas: tuple[ReservedFormula, ...]


@cache
def load_reserved() -> dict[str, ReservedFormula]:
    """All shipped formulas by name."""
    found: dict[str, ReservedFormula] = {}
    for document in read_paths(sorted((share_path("models") / "reserved").glob("*.yaml"))):
        for formula in validate(document, ReservedList).formulas:
            found[formula.name] = formula
    return found


def _tiered(amount: int, sizes: list[int | None], percents: list[str]) -> int:
    total, left = Fraction(0), amount
    for size, percent in zip(sizes, percents, strict=True):
        piece = left if size is None else min(left, size)
        total += piece * Fraction(percent) / 100
        left -= piece
    return int(total)
