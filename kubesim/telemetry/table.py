"""A table: rows with named columns, a DataFrame when pandas is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from typing_extensions import override

Row = Mapping[str, Any]


class Table(Sequence[Row]):
    """Rows of one shape, in order; iterate it, index it, or take ``.df``.

    Args:
        name: The table's name.
        columns: The names of its columns, in order.
        rows: Values by column; a column that a row lacks is ``None`` there.
    """

    def __init__(self, name: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        self.name = name
        self.columns = tuple(columns)
        self._rows = list(rows)

    @override
    def __len__(self) -> int:
        return len(self._rows)

    @override
    def __getitem__(self, index: Any) -> Any:
        return self._rows[index]

    @override
    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    @override
    def __repr__(self) -> str:
        return f"<Table {self.name}: {len(self)} rows of {', '.join(self.columns)}>"

    def _repr_html_(self) -> str:
        return str(self.df._repr_html_())  # Jupyter's own protocol

    def column(self, name: str) -> list[Any]:
        """The values of one column."""
        return [row.get(name) for row in self._rows]

    @property
    def df(self) -> Any:
        """The table as a pandas DataFrame.

        Raises:
            ImportError: If pandas is not installed (``pip install 'kubesim[study]'``).
        """
        import pandas as pd  # noqa: PLC0415  # heavy, and an extra

        return pd.DataFrame(self._rows, columns=list(self.columns))
