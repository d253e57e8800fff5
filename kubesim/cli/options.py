"""Options that several verbs share."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class OutputFormat(Enum):
    """How a result is printed."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


class PodOrder(Enum):
    """In which order pods of equal priority are taken."""

    AUTO = "auto"
    GIVEN = "given"
    SIZE = "size"


class TableFormat(Enum):
    """How a run's tables are written."""

    PARQUET = "parquet"
    JSONL = "jsonl"


ScenarioName = Annotated[
    str, typer.Argument(help="A shipped scenario by name, or a scenario's file or folder.")
]
Seed = Annotated[
    int | None, typer.Option(min=0, max=2**63 - 1, help="The seed; default: the scenario's.")
]
Until = Annotated[str | None, typer.Option(help="Stop after so much virtual time, such as 90s.")]
Preset = Annotated[
    str | None, typer.Option(help="A preset by name or file; default: the scenario's.")
]
PodName = Annotated[str, typer.Argument(help="The pod: NAME or NAMESPACE/NAME.")]
OfScenario = Annotated[
    str | None,
    typer.Option("--scenario", help="The scenario: a shipped one by name, a file or folder."),
]
OfRun = Annotated[
    Path | None, typer.Option("--run", help="A folder that kubesim run --out wrote.")
]
