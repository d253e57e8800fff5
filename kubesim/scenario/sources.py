"""Where a run's numbers are from: the preset, flattened."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubesim.calibration import Preset
from kubesim.calibration.number import CalibrationModel, DurationNumber, Sourced
from kubesim.sim.time import human
from kubesim.telemetry import Table

COLUMNS = ("number", "value", "grade", "measured", "source", "note")


def sources_table(preset: Preset) -> Table:
    """One row for each number of a preset."""
    return Table("sources", COLUMNS, list(_rows(preset, "")))


def _rows(value: Any, path: str) -> Iterator[dict[str, Any]]:
    if isinstance(value, Sourced):
        shown = getattr(value, "value", None)
        yield {
            "number": path,
            "value": human(value.value) if isinstance(value, DurationNumber) else str(shown),
            "grade": value.grade,
            "measured": value.measured,
            "source": value.source,
            "note": value.note,
        }
    elif isinstance(value, CalibrationModel):
        for name in type(value).model_fields:
            yield from _rows(getattr(value, name), f"{path}.{name}" if path else name)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _rows(item, f"{path}.{name}")
