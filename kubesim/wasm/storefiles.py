"""Stores as the files that Spin keeps them in: SQLite databases, to be put onto a volume.

Mirrors: Spin crates/key-value-spin/src/store.rs (one table, its name and columns).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

_TABLE = (
    "CREATE TABLE IF NOT EXISTS spin_key_value ("
    "store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key))"
)


def pairs_to_file(label: str, pairs: Mapping[str, bytes], before: bytes = b"") -> bytes:
    """The file of a key-value store; other labels' pairs in it stay.

    Args:
        label: The store's label.
        pairs: What is in it.
        before: What the file was.
    """
    connection = _opened(before)
    connection.execute(_TABLE)
    connection.execute("DELETE FROM spin_key_value WHERE store = ?", (label,))
    rows = [(label, key, value) for key, value in sorted(pairs.items())]
    connection.executemany("INSERT INTO spin_key_value VALUES (?, ?, ?)", rows)
    connection.commit()
    data = connection.serialize()
    connection.close()
    return data


def pairs_of_file(label: str, data: bytes) -> dict[str, bytes]:
    """What a file has of a store.

    Raises:
        sqlite3.Error: It is no SQLite database.
    """
    connection = _opened(data)
    try:
        connection.execute(_TABLE)
        found = connection.execute(
            "SELECT key, value FROM spin_key_value WHERE store = ? ORDER BY key", (label,)
        )
        return {str(key): bytes(value) for key, value in found}
    finally:
        connection.close()


def _opened(data: bytes) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    if data:
        connection.deserialize(data)
    return connection
