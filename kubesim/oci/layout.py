"""An OCI image layout: a folder of blobs named by their digests, and an index of what is there.

Reading trusts nothing: a digest is checked to be one before it becomes a path, and every blob is
hashed before its bytes are used. Writing is reproducible: the index is sorted by reference, files
carry no time, and the same images give the same bytes in whatever order they were added.

Mirrors: opencontainers/image-spec image-layout.md.
Departs: of an index in an index only the Wasm platform is looked at.
"""

from __future__ import annotations

import os
from pathlib import Path

from kubesim.errors import InputError
from kubesim.oci import media
from kubesim.oci.manifest import (
    Descriptor,
    Manifest,
    encode,
    parse_descriptor,
    parse_manifest,
    parse_object,
)
from kubesim.wire.image import sha256_digest

LAYOUT_FILE = "oci-layout"
INDEX_FILE = "index.json"
LAYOUT_VERSION = "1.0.0"
CACHE_VARIABLE = "KUBESIM_CACHE_DIR"

_INDEXES = frozenset({media.INDEX, media.DOCKER_INDEX})


def local_store() -> Path:
    """Where images are kept by name: ``$KUBESIM_CACHE_DIR/images``, or the user's data folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen) / "images"
    import platformdirs  # noqa: PLC0415 - needed at most once a process

    return platformdirs.user_data_path("kubesim") / "images"


def is_layout(folder: Path) -> bool:
    """Whether a folder is an image layout."""
    return (folder / LAYOUT_FILE).is_file()


class Layout:
    """A folder with images.

    Args:
        folder: The folder; made by the first ``add`` if it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self) -> tuple[Descriptor, ...]:
        """What the index lists.

        Raises:
            InputError: The folder is no layout.
        """
        try:
            marker = parse_object((self.folder / LAYOUT_FILE).read_bytes(), LAYOUT_FILE)
            raw = (self.folder / INDEX_FILE).read_bytes()
        except OSError as error:
            raise InputError(
                f'"{self.folder}" is not an OCI image layout: {_why(error)}'
            ) from None
        version = marker.get("imageLayoutVersion")
        if version != LAYOUT_VERSION:
            raise InputError(f'"{self.folder}" has the image layout version {version!r}')
        return parse_index(raw, f"{self.folder / INDEX_FILE}")

    def references(self) -> tuple[str, ...]:
        """The names of its images, sorted."""
        names = (entry.annotations.get(media.REF_NAME) for entry in self.entries())
        return tuple(sorted(name for name in names if name))

    def manifest(self, reference: str | None = None) -> Manifest:
        """One of its images.

        Args:
            reference: Its name or its digest; needed when there are several.

        Raises:
            InputError: There is no such image, or it is damaged.
        """
        entry = self._choose(reference)
        for _ in range(2):  # an index may list an index of platforms
            if entry.media_type not in _INDEXES:
                break
            entry = pick_platform(parse_index(self.blob(entry), entry.digest), entry.digest)
        return parse_manifest(self.blob(entry), entry)

    def blob(self, descriptor: Descriptor) -> bytes:
        """The bytes that a descriptor points at, checked.

        Raises:
            InputError: They are missing, or are not those.
        """
        path = self._path(descriptor.digest)
        try:
            size_bytes = path.stat().st_size
            if size_bytes != descriptor.size_bytes:
                expected = descriptor.size_bytes
                raise InputError(
                    f"blob {descriptor.digest} has {size_bytes} bytes, not {expected}"
                )
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"blob {descriptor.digest}: {_why(error)}") from None
        if sha256_digest(content) != descriptor.digest:
            raise InputError(f"blob {descriptor.digest} has other content than its digest says")
        return content

    def has(self, descriptor: Descriptor) -> bool:
        """Whether a blob of that digest and size is there; its content is not looked at."""
        path = self._path(descriptor.digest)
        return path.is_file() and path.stat().st_size == descriptor.size_bytes

    def add(self, reference: str, manifest: Manifest, blobs: dict[str, bytes]) -> None:
        """Put an image in, in place of one of the same name.

        Args:
            reference: Its name.
            manifest: What it consists of.
            blobs: Content by digest; may lack what the folder has.

        Raises:
            InputError: The folder cannot be written, or is something else.
        """
        others: tuple[Descriptor, ...] = ()
        if is_layout(self.folder):
            others = self.entries()
        elif self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise InputError(f'"{self.folder}" exists and is not an OCI image layout')
        entry = Descriptor(
            media_type=manifest.descriptor.media_type,
            digest=manifest.descriptor.digest,
            size_bytes=manifest.descriptor.size_bytes,
            annotations={media.REF_NAME: reference},
        )
        kept = [each for each in others if each.annotations.get(media.REF_NAME) != reference]
        entries = sorted((*kept, entry), key=_order)
        try:
            for digest, content in {**blobs, entry.digest: manifest.raw}.items():
                self._write(self._path(digest), content)
            index = {
                "schemaVersion": 2,
                "mediaType": media.INDEX,
                "manifests": [each.to_data() for each in entries],
            }
            self._write(self.folder / INDEX_FILE, encode(index))
            marker = encode({"imageLayoutVersion": LAYOUT_VERSION})
            self._write(self.folder / LAYOUT_FILE, marker)
        except OSError as error:
            raise InputError(f'"{self.folder}" cannot be written: {_why(error)}') from None

    def _choose(self, reference: str | None) -> Descriptor:
        entries = self.entries()
        if reference is None:
            if len(entries) == 1:
                return entries[0]
            known = ", ".join(self.references()) or "none has a name"
            raise InputError(f'"{self.folder}" has {len(entries)} images; say which: {known}')
        for entry in entries:
            if reference in (entry.annotations.get(media.REF_NAME), entry.digest):
                return entry
        known = ", ".join(self.references()) or "none with a name"
        raise InputError(f'"{self.folder}" has no image "{reference}"; it has: {known}')

    def _path(self, digest: str) -> Path:
        algorithm, _, encoded = digest.partition(":")
        return self.folder / "blobs" / algorithm / encoded

    def _write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_bytes(content)
        new.replace(path)


def pick_platform(entries: tuple[Descriptor, ...], what: str) -> Descriptor:
    """The entry of an index of platforms that is for Wasm, or the only one.

    Raises:
        InputError: There is none.
    """
    wasm = [entry for entry in entries if entry.platform and entry.platform[0] == "wasm"]
    chosen = wasm or (list(entries) if len(entries) == 1 else [])
    if not chosen:
        platforms = ", ".join("/".join(reversed(e.platform)) for e in entries if e.platform)
        raise InputError(f"index {what} has no image for Wasm; platforms: {platforms or 'none'}")
    return chosen[0]


def parse_index(raw: bytes, what: str) -> tuple[Descriptor, ...]:
    """What an index lists, from its bytes; ``what`` names it in messages.

    Raises:
        InputError: It is none.
    """
    listed = parse_object(raw, what).get("manifests")
    if not isinstance(listed, list):
        raise InputError(f"{what} lists no manifests")
    return tuple(
        parse_descriptor(entry, f"{what}: manifest {number}")
        for number, entry in enumerate(listed)
    )


def _order(entry: Descriptor) -> tuple[str, str]:
    return entry.annotations.get(media.REF_NAME, ""), entry.digest


def _why(error: OSError) -> str:
    return error.strerror or str(error)
