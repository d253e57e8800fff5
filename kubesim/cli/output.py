"""Printing results: text for people, JSON and YAML for programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from kubesim.cli.options import OutputFormat
from kubesim.errors import InputError


def print_data(data: Any, output: OutputFormat) -> None:
    """Print plain data as JSON or YAML on standard output."""
    if output is OutputFormat.YAML:
        import yaml  # noqa: PLC0415

        print(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), end="")
    else:
        json.dump(data, sys.stdout, indent=2, ensure_ascii=False)
        print()


def console(*, stderr: bool = False) -> Any:
    """A rich console; wide enough for the report when the output is not a terminal."""
    from rich.console import Console  # noqa: PLC0415

    from kubesim.report.text import REPORT_WIDTH  # noqa: PLC0415

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else REPORT_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=False)


def write_text(file: Path, text: str) -> None:
    """Write a file and say so.

    Raises:
        InputError: If it cannot be written.
    """
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}") from None
    print(f"wrote {file}", file=sys.stderr)
