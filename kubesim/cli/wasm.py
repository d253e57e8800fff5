"""The verbs of ``kubesim wasm``; what they do is in ``wasming``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kubesim.cli.options import OutputFormat

app = typer.Typer(
    help="Single modules and components: run them as a node would, look into them.",
    no_args_is_help=True,
)

ModuleFile = Annotated[Path, typer.Argument(help="A module or component, binary or text.")]
Output = Annotated[OutputFormat, typer.Option("--output", "-o", help="How to print the result.")]


@app.command(epilog="Example: kubesim wasm run add.wasm --invoke add 2 3")
def run(  # noqa: PLR0913  # the options of the verb
    module: ModuleFile,
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Its arguments; those of the function; METHOD PATH.")
    ] = None,
    *,
    env: Annotated[list[str] | None, typer.Option(help="An environment variable: K=V.")] = None,
    grant: Annotated[
        list[str] | None,
        typer.Option("--dir", help="A directory it may read: host::guest, or the same for both."),
    ] = None,
    invoke: Annotated[str, typer.Option(help="Call this exported function.")] = "",
    http: Annotated[
        bool, typer.Option("--http", help="Send it a request: METHOD PATH [BODY].")
    ] = False,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Run a module once, in its sandbox, with nothing but what is granted here."""
    from kubesim.cli.wasming import run_wasm  # noqa: PLC0415

    sys.exit(
        run_wasm(
            module,
            arguments or [],
            env=env or [],
            grants=grant or [],
            invoke=invoke,
            http=http,
            output=output,
        )
    )


@app.command(epilog="Example: kubesim wasm inspect handler.wasm -o json")
def inspect(module: ModuleFile, *, output: Output = OutputFormat.TEXT) -> None:
    """Say what a module is, what it imports and exports, and which capabilities it needs."""
    from kubesim.cli.wasming import inspect_wasm  # noqa: PLC0415

    sys.exit(inspect_wasm(module, output=output))
