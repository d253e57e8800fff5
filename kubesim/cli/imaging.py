"""``kubesim image``: build an OCI image of Wasm, look into one, push it, pull one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from kubesim.cli.options import OutputFormat
from kubesim.cli.output import print_data
from kubesim.errors import EXIT_PASSED, InputError
from kubesim.oci.building import build
from kubesim.oci.distribution import pull, push
from kubesim.oci.inspection import open_image, report
from kubesim.oci.layout import Layout, is_layout, local_store
from kubesim.oci.media import Form
from kubesim.oci.reference import parse_name, parse_reference
from kubesim.oci.transport import Credentials, Transport


def build_command(source: Path, *, tag: str, form: str | None, out: Path | None) -> int:
    """Build an image into a layout; returns the exit code."""
    parse_name(tag)
    built = build(source, Form(form) if form else None)
    layout = Layout(out or local_store())
    layout.add(tag, built.manifest, built.blobs)
    print(f"{tag} {built.manifest.descriptor.digest}")
    layers = len(built.manifest.layers)
    size = sum(layer.size_bytes for layer in built.manifest.layers)
    plural = "s" if layers != 1 else ""
    print(f"{built.form.value} image, {layers} layer{plural}, {size} bytes, in {layout.folder}")
    return EXIT_PASSED


def inspect_command(image: str, *, reference: str | None, output: OutputFormat) -> int:
    """Print what is in an image; returns the exit code."""
    layout, name = find_image(image, reference)
    data = report(open_image(layout, name), name or _only_name(layout))
    if output is OutputFormat.TEXT:
        # A name in an image may be anything; a terminal should not obey it.
        print("\n".join("".join(_visible(each) for each in line) for line in _text(data)))
    else:
        print_data(data, output)
    return EXIT_PASSED


def push_command(
    image: str,
    target: str,
    *,
    reference: str | None,
    mount_from: str,
    plain_http: bool,
    credentials: Credentials | None,
) -> int:
    """Push an image; returns the exit code."""
    where = parse_reference(target)
    layout, name = find_image(image, reference)
    manifest = layout.manifest(name)
    transport = Transport(where, credentials=credentials, plain_http=plain_http, push=True)
    done = push(layout, manifest, where, transport, mount_from)
    counts = f"{len(done.moved)} blobs sent, {len(done.present)} were there"
    mounted = f", {len(done.mounted)} mounted" if done.mounted else ""
    print(f"{where} {done.digest}\n{counts}{mounted}")
    return EXIT_PASSED


def pull_command(
    source: str, *, out: Path | None, plain_http: bool, credentials: Credentials | None
) -> int:
    """Pull an image into a layout; returns the exit code."""
    where = parse_reference(source)
    layout = Layout(out or local_store())
    transport = Transport(where, credentials=credentials, plain_http=plain_http)
    done = pull(where, transport, layout, source)
    counts = f"{len(done.moved)} blobs fetched, {len(done.present)} were there"
    print(f"{source} {done.digest}\n{counts}, in {layout.folder}")
    return EXIT_PASSED


def credentials_of(username: str | None, *, password_stdin: bool) -> Credentials | None:
    """Who the user is; the password comes from standard input, where no list of processes shows it.

    Raises:
        InputError: There is one without the other.
    """
    if username is None and not password_stdin:
        return None
    if username is None or not password_stdin:
        raise InputError("--username and --password-stdin go together")
    return Credentials(username, sys.stdin.readline().rstrip("\n"))


def find_image(image: str, reference: str | None) -> tuple[Layout, str | None]:
    """The layout that an image is in, and its name there.

    Args:
        image: A layout's folder, or the name of an image in the local store.
        reference: Which image of the folder is meant.

    Raises:
        InputError: There is none.
    """
    if is_layout(Path(image)):
        return Layout(Path(image)), reference
    store = Layout(local_store())
    if is_layout(store.folder) and image in store.references():
        return store, image
    raise InputError(f'"{image}" is neither the folder of an OCI layout nor an image built here')


def _visible(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


def _only_name(layout: Layout) -> str:
    names = layout.references()
    return names[0] if names else ""


def _text(data: dict[str, Any]) -> list[str]:
    """The report for people."""
    lines = [f"{data['reference']} {data['digest']}".strip()]
    platform = "/".join(str(each) for each in (data["os"], data["architecture"]) if each)
    lines.append(f"form          {data['form']} ({platform})" if platform else data["form"])
    lines.append("layers")
    lines += [
        f"  {each['digest']}  {each['size']:>9}  {each['mediaType']}" for each in data["layers"]
    ]
    for part in data["wasm"]:
        inside = ""
        if part["kind"] == "component":
            inside = (
                f", {part['modulesInside']} modules, {part['componentsInside']} components in it"
            )
        lines.append(f"{part['kind']} {part['name']} ({part['size']} bytes{inside})")
        lines += [f"  import {name}" for name in part["imports"]]
        lines += [f"  export {name}" for name in part["exports"]]
    lines.append(f"capabilities  {', '.join(data['capabilities']) or 'none'}")
    if "spin" in data:
        lines += _spin_text(data["spin"])
    return lines


def _spin_text(spin: dict[str, Any]) -> list[str]:
    lines = [f"application   {spin['name']} {spin['version'] or ''}".rstrip()]
    for trigger in spin["triggers"]:
        what = trigger["route"] or str(trigger["config"].get("channel", "private"))
        component = trigger["component"]
        called = f"{component} {trigger['executor']}".strip() if component else ""
        lines.append(f"  trigger {trigger['type']} {what} -> {called or 'static response'}")
    names = {
        "allowedOutboundHosts": "allowed hosts",
        "keyValueStores": "key-value stores",
        "sqliteDatabases": "SQLite databases",
        "aiModels": "AI models",
    }
    for component in spin["components"]:
        lines.append(f"  component {component['id']}")
        for key, name in names.items():
            if component[key]:
                lines.append(f"    {name}: {', '.join(component[key])}")
        if component["files"]:
            lines.append(
                f"    files: {', '.join(str(file['path']) for file in component['files'])}"
            )
    return lines
