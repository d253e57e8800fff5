"""``kubesim calibrate``: measure this machine, and write numbers that a preset can take over."""

from __future__ import annotations

import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from kubesim.errors import EXIT_PASSED, InputError, Problem


def calibrate_wasm(out: Path | None) -> int:
    """Measure the Wasm engine; the fragment goes to a file or to standard output."""
    import yaml  # noqa: PLC0415

    from kubesim.bench.calibration import measure_wasm  # noqa: PLC0415

    fragment = measure_wasm(datetime.now(tz=UTC).date())
    text = (
        "# Measured by kubesim calibrate wasm; put the sections into a preset of models/presets.\n"
    )
    text += yaml.safe_dump(fragment, sort_keys=False, width=110)
    if out is None:
        print(text, end="")
    else:
        _write(out, text)
    return EXIT_PASSED


def calibrate_node(
    out: Path | None, *, count: int, samples_from: Path | None, samples_to: Path | None
) -> int:
    """Run containers here, or take recorded samples; a table is printed, a preset written.

    Args:
        out: Where the preset goes; it is named after the file.
        count: Samples of each phase.
        samples_from: Recorded samples instead of running anything.
        samples_to: Where the samples themselves go.
    """
    from kubesim.bench.calibrating import load_samples, preset_text  # noqa: PLC0415
    from kubesim.bench.calibrating.fitting import stats  # noqa: PLC0415
    from kubesim.bench.calibrating.node import measure_node  # noqa: PLC0415
    from kubesim.bench.calibrating.samples import recorded_path  # noqa: PLC0415
    from kubesim.bench.calibrating.table import table  # noqa: PLC0415

    stats()  # before a minute is spent on what could not be fitted
    recorded = None
    if samples_from is not None:
        samples = load_samples(samples_from)
    else:
        signal.signal(signal.SIGTERM, _interrupted)  # so that everything is cleaned up
        today = datetime.now(tz=UTC).date()
        samples = measure_node(count, today, lambda what: print(what, file=sys.stderr))
        recorded = load_samples(recorded_path("2026-11"))
    print(table(samples, recorded))
    if samples_to is not None:
        _write(samples_to, samples.to_json())
    if out is not None:
        description = f"Container starts measured on {samples.machine}."
        _write(out, preset_text(samples, out.stem, description))
    return EXIT_PASSED


def _interrupted(number: int, frame: object) -> None:  # noqa: ARG001
    raise KeyboardInterrupt


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(Problem(message=error.strerror or str(error), file=str(out))) from None
    print(f"written: {out}")
