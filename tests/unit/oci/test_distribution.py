"""Pushing to a registry and pulling from one."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kubesim.cli import main as cli
from kubesim.errors import InputError
from kubesim.oci import media
from kubesim.oci.building import build
from kubesim.oci.distribution import pull, push
from kubesim.oci.layout import Layout
from kubesim.oci.reference import parse_reference
from kubesim.oci.transport import Credentials, Transport
from kubesim.wire.image import sha256_digest

sys.path.insert(0, str(Path(__file__).parent))
from registry import BASIC, TinyRegistry, serving

WriteSpin = Callable[..., Path]
ADA = Credentials("ada", "secret")


@pytest.fixture
def registry() -> Iterator[TinyRegistry]:
    """A registry of its own for each test."""
    with serving() as tiny:
        yield tiny


@pytest.fixture
def layout(tmp_path: Path, write_spin: WriteSpin) -> Layout:
    """A layout with one Spin application."""
    built = build(write_spin())
    layout = Layout(tmp_path / "layout")
    layout.add("shop:v1", built.manifest, built.blobs)
    return layout


def pushed(
    layout: Layout, registry: TinyRegistry, name: str = "team/app:v1", **options: str
) -> tuple[int, int, int]:
    """Push; how many blobs were sent, were there, were mounted."""
    target = parse_reference(f"{registry.host}/{name}")
    transport = Transport(target, credentials=ADA, push=True)
    done = push(layout, layout.manifest(), target, transport, **options)
    return len(done.moved), len(done.present), len(done.mounted)


def pulled(folder: Path, registry: TinyRegistry, name: str = "team/app:v1") -> tuple[int, int]:
    """Pull; how many blobs were fetched, were there."""
    source = parse_reference(f"{registry.host}/{name}")
    done = pull(source, Transport(source, credentials=ADA), Layout(folder), "back:v1")
    return len(done.moved), len(done.present)


@pytest.mark.parametrize("auth", ["none", "basic", "bearer"])
def test_there_and_back(layout: Layout, registry: TinyRegistry, tmp_path: Path, auth: str) -> None:
    """What was pushed comes back byte for byte, whatever log-in the registry wants."""
    registry.auth = auth
    assert (4, 0, 0) == pushed(layout, registry)
    assert (4, 0) == pulled(tmp_path / "back", registry)
    back = Layout(tmp_path / "back")
    assert layout.manifest().raw == back.manifest("back:v1").raw
    for blob in layout.manifest().blobs:
        assert layout.blob(blob) == back.blob(blob)


def test_what_is_there_is_not_sent_again(
    layout: Layout, registry: TinyRegistry, tmp_path: Path
) -> None:
    """A second push sends no blob, a second pull fetches none."""
    pushed(layout, registry)
    assert (0, 4, 0) == pushed(layout, registry, "team/app:v2")
    pulled(tmp_path / "back", registry)
    assert (0, 4) == pulled(tmp_path / "back", registry, "team/app:v2")


def test_damaged_blob_is_fetched_again(
    layout: Layout, registry: TinyRegistry, tmp_path: Path
) -> None:
    """A blob that is damaged in the folder does not count as there."""
    pushed(layout, registry)
    pulled(tmp_path / "back", registry)
    digest = layout.manifest().layers[0].digest.removeprefix("sha256:")
    path = tmp_path / "back" / "blobs" / "sha256" / digest
    path.write_bytes(path.read_bytes()[::-1])
    assert (1, 3) == pulled(tmp_path / "back", registry)


def test_mount(layout: Layout, registry: TinyRegistry) -> None:
    """Blobs of another repository of the registry are mounted instead of sent."""
    pushed(layout, registry, "team/base:v1")
    assert (0, 0, 4) == pushed(layout, registry, mount_from="team/base")
    assert (4, 0, 0) == pushed(layout, registry, "team/other:v1", mount_from="team/nothing")


def test_blobs_before_manifest(layout: Layout, registry: TinyRegistry) -> None:
    """The manifest is the last thing that is sent."""
    pushed(layout, registry)
    assert "PUT /v2/team/app/manifests/v1" == registry.asked[-1]


def test_pull_by_digest(layout: Layout, registry: TinyRegistry, tmp_path: Path) -> None:
    """A reference with a digest gets that manifest."""
    pushed(layout, registry)
    digest = layout.manifest().descriptor.digest
    assert (4, 0) == pulled(tmp_path / "back", registry, f"team/app@{digest}")


def test_pull_picks_the_wasm_platform(
    layout: Layout, registry: TinyRegistry, tmp_path: Path
) -> None:
    """Of an index of platforms the one for Wasm is pulled; without one it is an error."""
    pushed(layout, registry)
    entry = layout.manifest().descriptor.to_data()
    for tag, architecture in (("multi", "wasm"), ("linux", "amd64")):
        others = [
            {**entry, "digest": "sha256:" + "0" * 64,
             "platform": {"architecture": "arm64", "os": "linux"}},
            {**entry, "platform": {"architecture": architecture, "os": "wasip1"}},
        ]  # fmt: skip
        raw = json.dumps({"schemaVersion": 2, "manifests": others}).encode()
        registry.manifests["team/app", tag] = (media.INDEX, raw)
    assert (4, 0) == pulled(tmp_path / "back", registry, "team/app:multi")
    with pytest.raises(InputError, match="no image for Wasm; platforms: linux/arm64"):
        pulled(tmp_path / "back", registry, "team/app:linux")


def test_lying_registry(layout: Layout, registry: TinyRegistry, tmp_path: Path) -> None:
    """Content that is not what its digest says is refused, and nothing is written."""
    pushed(layout, registry)
    registry.lies = True
    with pytest.raises(InputError):
        pulled(tmp_path / "back", registry)
    digest = layout.manifest().descriptor.digest
    with pytest.raises(InputError, match="what came has the digest"):
        pulled(tmp_path / "back", registry, f"team/app@{digest}")
    assert False is (tmp_path / "back").exists()


def test_changed_blob(layout: Layout, registry: TinyRegistry, tmp_path: Path) -> None:
    """A blob with other content of the same length, or of a greater one, is refused."""
    pushed(layout, registry)
    digest = layout.manifest().layers[0].digest
    content = registry.blobs["team/app", digest]
    for other in (content[::-1], content + b"more", content[:-1]):
        registry.blobs["team/app", digest] = other
        with pytest.raises(InputError, match=r"other content|more than the"):
            pulled(tmp_path / "back", registry)


def test_credentials_stay_with_the_registry(
    layout: Layout, registry: TinyRegistry, tmp_path: Path
) -> None:
    """A redirection to another host is followed without the log-in."""
    registry.auth = "basic"
    pushed(layout, registry)
    with serving() as other:
        other.blobs = registry.blobs
        registry.elsewhere = f"http://127.0.0.1:{other.port}"
        assert (4, 0) == pulled(tmp_path / "back", registry)
        assert [None] * 4 == other.authorizations
    assert BASIC in registry.authorizations


def test_unknown_tag(layout: Layout, registry: TinyRegistry, tmp_path: Path) -> None:
    """A tag that is not there is an input error with the registry's own word."""
    with pytest.raises(InputError, match="not found: MANIFEST_UNKNOWN"):
        pulled(tmp_path / "back", registry, "team/app:v9")


def test_wrong_password(layout: Layout, registry: TinyRegistry) -> None:
    """A log-in that fails is an input error, for both kinds of log-in."""
    target = parse_reference(f"{registry.host}/team/app:v1")
    for auth in ("basic", "bearer"):
        registry.auth = auth
        for credentials in (None, Credentials("ada", "wrong")):
            transport = Transport(target, credentials=credentials, push=True)
            with pytest.raises(InputError, match=r"does not let you|wants a user name"):
                push(layout, layout.manifest(), target, transport)


def test_nobody_there() -> None:
    """A registry that does not listen is an input error."""
    with serving() as gone:
        host = gone.host
    source = parse_reference(f"{host}/a:v1")
    with pytest.raises(InputError, match="cannot be reached"):
        pull(source, Transport(source), Layout(Path("nowhere")), "a")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("team/app:v1", "docker.io/team/app:v1"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
        ("ghcr.io/a@sha256:" + "0" * 64, "ghcr.io/a@sha256:" + "0" * 64),
        ("[::1]:5000/a:b", "[::1]:5000/a:b"),
    ],
)
def test_references(text: str, expected: str) -> None:
    """A reference is completed as Docker does it."""
    assert expected == str(parse_reference(text))


@pytest.mark.parametrize(
    "text", ["", "A", "a:", "a:b c", "a@sha256:0", "ex ample.com/a", "h.io/../a", "h.io/", "a//b"]
)
def test_bad_references(text: str) -> None:
    """What is no reference is an input error."""
    with pytest.raises(InputError):
        parse_reference(text)


def test_verbs(
    layout: Layout,
    registry: TinyRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """``push`` and ``pull`` do it from the command line, the password from standard input."""
    registry.auth = "bearer"
    name = f"{registry.host}/team/app:v1"
    log_in = ["--username", "ada", "--password-stdin"]
    for args in (["push", str(layout.folder), name], ["pull", name, "-o", str(tmp_path / "b")]):
        monkeypatch.setattr(sys, "argv", ["kubesim", "image", *args, *log_in])
        monkeypatch.setattr(sys, "stdin", io.StringIO("secret\n"))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert 0 == ended.value.code
    digest = sha256_digest(Layout(tmp_path / "b").manifest(name).raw)
    assert f"{name} {digest}\n4 blobs fetched, 0 were there" in capsys.readouterr().out
