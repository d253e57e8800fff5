"""A Run on disk: one file a table, and ``run.json`` that says what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from kubesim.telemetry.run import SCHEMA_VERSION, Run
from kubesim.telemetry.table import Table

Format = Literal["parquet", "jsonl"]


def write_run(run: Run, folder: Path, *, file_format: Format) -> list[Path]:
    """Write a run's tables; returns the files, ``run.json`` first.

    Args:
        run: The run.
        folder: Where to; it is made if need be.
        file_format: ``parquet`` (needs pyarrow) or ``jsonl``.

    Raises:
        OSError: If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write = _write_parquet if file_format == "parquet" else _write_jsonl
    files = [write(table, folder) for table in run.tables()]
    about = folder / "run.json"
    head = {
        "schema": SCHEMA_VERSION,
        "format": file_format,
        "path": run.path,
        "scenario_digest": run.scenario_digest,
        "tables": {file.stem: file.name for file in files},
        **run.to_json(),
    }
    about.write_text(json.dumps(head, indent=2, sort_keys=False) + "\n", encoding="utf-8")
    return [about, *files]


def parquet_available() -> bool:
    """Whether pyarrow is installed."""
    from importlib.util import find_spec  # noqa: PLC0415

    return find_spec("pyarrow") is not None


def _write_jsonl(table: Table, folder: Path) -> Path:
    file = folder / f"{table.name}.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for row in table:
            ordered = {column: row.get(column) for column in table.columns}
            out.write(json.dumps(ordered, separators=(",", ":")) + "\n")
    return file


def _write_parquet(table: Table, folder: Path) -> Path:
    import pyarrow as pa  # noqa: PLC0415  # heavy, and an extra
    from pyarrow import parquet  # noqa: PLC0415

    file = folder / f"{table.name}.parquet"
    columns: dict[str, Any] = {
        name: [_plain(row.get(name)) for row in table] for name in table.columns
    }
    parquet.write_table(pa.table(columns), file)
    return file


def _plain(value: Any) -> Any:
    """Maps become JSON text: a column has one type, and maps have keys of their own."""
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value
