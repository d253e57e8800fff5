"""The verbs of ``kubesim image``; what they do is in ``imaging``."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from kubesim.cli.options import OutputFormat

app = typer.Typer(
    help="OCI images of Wasm: build, inspect, push and pull them.", no_args_is_help=True
)


class ImageForm(Enum):
    """The forms of a Wasm image."""

    RUNWASI = "runwasi"
    ARTIFACT = "artifact"
    SPIN = "spin"


Image = Annotated[
    str, typer.Argument(help="The folder of an OCI layout, or the name of an image built here.")
]
WhichOne = Annotated[
    str | None, typer.Option("--ref", help="The image's name, when the folder has several.")
]
Remote = Annotated[str, typer.Argument(help="Such as registry.example.com/team/app:v1.")]
PlainHttp = Annotated[
    bool, typer.Option("--plain-http", help="Speak http; a registry on localhost always does.")
]
Username = Annotated[str | None, typer.Option("--username", "-u", help="Who you are there.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]


@app.command(epilog="Example: kubesim image build spin.toml -t registry.example.com/hello:v1")
def build(
    source: Annotated[Path, typer.Argument(help="A module, a component, or a spin.toml.")],
    *,
    tag: Annotated[str, typer.Option("--tag", "-t", help="The image's name.")],
    form: Annotated[
        ImageForm | None,
        typer.Option(help="Default: spin for a spin.toml, runwasi for a Wasm file."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The folder of the layout; default: the local store."),
    ] = None,
) -> None:
    """Make an OCI image of Wasm, byte for byte reproducible."""
    from kubesim.cli.imaging import build_command  # noqa: PLC0415

    sys.exit(build_command(source, tag=tag, form=form.value if form else None, out=out))


@app.command(epilog="Example: kubesim image inspect hello:v1 -o json")
def inspect(
    image: Image,
    *,
    reference: WhichOne = None,
    output: Annotated[
        OutputFormat, typer.Option("--output", "-o", help="How to print it.")
    ] = OutputFormat.TEXT,
) -> None:
    """Show an image's layers, and what its Wasm imports, exports and needs."""
    from kubesim.cli.imaging import inspect_command  # noqa: PLC0415

    sys.exit(inspect_command(image, reference=reference, output=output))
