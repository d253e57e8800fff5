"""A SQLite database that a guest may do anything to, and nothing else.

It is the real SQLite. What could reach out of it is taken away: other files (ATTACH), settings
(PRAGMA), a query without end, a database without end. What is not a function of its input is
replaced: ``random()`` draws from the run's stream, ``now`` is the simulation's time.

Mirrors: Spin 3, crates/sqlite-inproc.
Departs: a query is interrupted after ``STEPS_MAX`` instructions of SQLite's machine.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

STEPS_MAX = 20_000_000
PAGES_MAX = 16_384  # of 4 KiB: 64 MiB
TEXT_BYTES_MAX = 1024 * 1024
ROWS_MAX = 100_000

_STEPS_BETWEEN_LOOKS = 10_000
_REFUSED = frozenset({sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_PRAGMA})
_DATE_FUNCTIONS = ("date", "time", "datetime", "julianday", "unixepoch", "strftime")

Cell = int | float | str | bytes | None


class DatabaseFull(Exception):  # noqa: N818 - the guest's error value
    """There is no room for more."""


class Database:
    """One database.

    Args:
        path: A file, or ``:memory:``.
        content: What it begins with: the bytes of such a file.
    """

    def __init__(self, path: str, *, content: bytes = b"") -> None:
        self._connection = connection = sqlite3.connect(path, isolation_level=None)
        if content:
            connection.deserialize(content)
            connection.execute("SELECT count(*) FROM sqlite_schema")  # is it a database?
        connection.execute(f"PRAGMA max_page_count = {PAGES_MAX}")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, TEXT_BYTES_MAX)
        connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, TEXT_BYTES_MAX)
        connection.set_authorizer(_authorize)
        connection.set_progress_handler(self._looked, _STEPS_BETWEEN_LOOKS)
        self._looks = 0
        self._open = False
        self._dates = sqlite3.connect(":memory:")
        self._now_ns: Callable[[], int] = lambda: 0
        self._draw: Callable[[int], bytes] = bytes
        self._replace_functions()

    def execute(
        self,
        statement: str,
        parameters: Sequence[Cell],
        *,
        now_ns: Callable[[], int],
        draw: Callable[[int], bytes],
    ) -> tuple[list[str], list[tuple[Cell, ...]]]:
        """Run one statement; the names of its columns, and its rows.

        Args:
            statement: SQL.
            parameters: The values of its placeholders.
            now_ns: Nanoseconds since 1970.
            draw: Random bytes of a length.

        Raises:
            DatabaseFull: There is no room.
            sqlite3.Error: The statement is wrong or was refused.
        """
        self._looks, self._now_ns, self._draw = 0, now_ns, draw
        try:
            cursor = self._connection.execute(statement, tuple(parameters))
            columns = [column[0] for column in cursor.description or ()]
            rows = cursor.fetchmany(ROWS_MAX)
            cursor.close()
        except sqlite3.OperationalError as error:
            if "is full" in str(error):
                raise DatabaseFull from None
            raise
        return columns, rows

    def begin(self) -> None:
        """From here on it can be taken back."""
        if not self._open:
            self._connection.execute("SAVEPOINT kubesim_run")
            self._open = True

    def end(self, *, keep: bool) -> None:
        """Keep or take back what was done since ``begin``."""
        if not self._open:
            return
        self._open = False
        if not self._connection.in_transaction:
            return  # the guest ended the transaction itself
        if not keep:
            self._connection.execute("ROLLBACK TO kubesim_run")
        self._connection.execute("RELEASE kubesim_run")

    def dump(self) -> bytes:
        """All of it, as a file."""
        self._connection.set_authorizer(None)  # it asks for the number of pages by a PRAGMA
        try:
            pages = self._connection.execute("PRAGMA page_count").fetchone()[0]
            return self._connection.serialize() if pages else b""
        finally:
            self._connection.set_authorizer(_authorize)

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()
        self._dates.close()

    def _looked(self) -> int:
        self._looks += 1
        return int(self._looks > STEPS_MAX // _STEPS_BETWEEN_LOOKS)

    def _replace_functions(self) -> None:
        define = self._connection.create_function
        define("random", 0, lambda: int.from_bytes(self._draw(8), "little", signed=True))
        define("randomblob", 1, lambda length: self._draw(max(1, min(length, TEXT_BYTES_MAX))))
        for name in _DATE_FUNCTIONS:
            define(name, -1, self._date(name))
        for name, function in (("timestamp", "datetime"), ("date", "date"), ("time", "time")):
            define(f"current_{name}", 0, self._date(function))

    def _date(self, name: str) -> Callable[..., Any]:
        """A date function in which the present is the simulation's."""

        def date(*given: Cell) -> Cell:
            seconds, rest = divmod(self._now_ns(), 1_000_000_000)
            whole, fraction = self._dates.execute(
                "SELECT strftime('%Y-%m-%d %H:%M:%S', ?, 'unixepoch'), ?",
                (seconds, rest // 1_000_000),
            ).fetchone()
            now = f"{whole}.{fraction:03d}"
            needs_now = len(given) == (1 if name == "strftime" else 0)
            arguments = [now if value == "now" else value for value in given]
            if needs_now:
                arguments.append(now)
            marks = ", ".join("?" * len(arguments))
            found = self._dates.execute(f"SELECT {name}({marks})", arguments)
            (answer,) = found.fetchone()
            return answer  # type: ignore[no-any-return]

        return date


def _authorize(action: int, *_: str | None) -> int:
    return sqlite3.SQLITE_DENY if action in _REFUSED else sqlite3.SQLITE_OK
