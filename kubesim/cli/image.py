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


@app.command(epilog="Example: kubesim image push hello:v1 localhost:5000/hello:v1")
def push(  # noqa: PLR0913  # the options of the verb
    image: Image,
    target: Remote,
    *,
    reference: WhichOne = None,
    mount_from: Annotated[
        str, typer.Option("--mount-from", help="A repository there that may have the layers.")
    ] = "",
    plain_http: PlainHttp = False,
    username: Username = None,
    password_stdin: PasswordStdin = False,
) -> None:
    """Push an image to a registry."""
    from kubesim.cli.imaging import credentials_of, push_command  # noqa: PLC0415

    credentials = credentials_of(username, password_stdin=password_stdin)
    sys.exit(
        push_command(
            image,
            target,
            reference=reference,
            mount_from=mount_from,
            plain_http=plain_http,
            credentials=credentials,
        )
    )


@app.command(epilog="Example: kubesim image pull localhost:5000/hello:v1 -o hello/")
def pull(
    source: Remote,
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The folder of the layout; default: the local store."),
    ] = None,
    plain_http: PlainHttp = False,
    username: Username = None,
    password_stdin: PasswordStdin = False,
) -> None:
    """Pull an image from a registry, checking every digest."""
    from kubesim.cli.imaging import credentials_of, pull_command  # noqa: PLC0415

    credentials = credentials_of(username, password_stdin=password_stdin)
    sys.exit(pull_command(source, out=out, plain_http=plain_http, credentials=credentials))
