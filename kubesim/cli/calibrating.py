"""``kubesim calibrate``: measure this machine, and write numbers that a preset can take over."""

from __future__ import annotations

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
        return EXIT_PASSED
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(Problem(message=error.strerror or str(error), file=str(out))) from None
    print(f"written: {out}")
    return EXIT_PASSED
