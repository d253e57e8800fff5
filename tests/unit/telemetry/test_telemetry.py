"""Quantiles, tables, runs on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kubesim.telemetry import Run, Table
from kubesim.telemetry.quantiles import quantile
from kubesim.telemetry.writing import write_run


@pytest.mark.parametrize(
    ("values", "q", "expected"),
    [([], 50, 0), ([7], 99, 7), ([1, 2, 3, 4], 50, 2), (list(range(1, 101)), 99, 99),
     (list(range(1, 1001)), 99.9, 999), ([1, 2], 100, 2), ([1, 2], 0, 1)],
)  # fmt: skip
def test_quantiles(values: list[int], q: float, expected: int) -> None:
    """A quantile is a value that occurred, by nearest rank."""
    assert expected == quantile(values, q)


def test_table_reads_as_rows_and_frame() -> None:
    """A table is a sequence of rows, has columns, and becomes a DataFrame."""
    table = Table("t", ("a", "b"), [{"a": 1, "b": 2}, {"a": 3}])
    assert [1, 3] == table.column("a")
    assert (2, ["a", "b"]) == (len(table), list(table.df.columns))


def test_facts_are_tables(mixed_pool: Run) -> None:
    """Each kind of fact is a table with its own columns and the time first."""
    bound = mixed_pool.facts()["PodBound"]
    assert "at_ns" == bound.columns[0]
    assert {"name", "node", "uid"} <= set(bound.columns)


def test_written_rows_are_the_tables_rows(mixed_pool: Run, tmp_path: Path) -> None:
    """What is written as JSON Lines is what the tables hold."""
    write_run(mixed_pool, tmp_path, file_format="jsonl")
    lines = (tmp_path / "pods.jsonl").read_text().splitlines()
    assert [dict(row) for row in mixed_pool.pods] == [json.loads(line) for line in lines]


def test_parquet_can_be_read_back(mixed_pool: Run, tmp_path: Path) -> None:
    """What is written as Parquet has the same rows and columns."""
    import pandas as pd

    write_run(mixed_pool, tmp_path, file_format="parquet")
    frame = pd.read_parquet(tmp_path / "fact_RequestCompleted.parquet")
    table = mixed_pool.facts()["RequestCompleted"]
    assert (len(table), list(table.columns)) == (len(frame), list(frame.columns))


def test_pod_lookup(mixed_pool: Run) -> None:
    """A pod is found by name; one that is not there is a KeyError."""
    assert "Succeeded" == mixed_pool.pod("report")["phase"]
    with pytest.raises(KeyError):
        mixed_pool.pod("nobody")
