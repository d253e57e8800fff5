"""Descriptors and manifests as values, and the one way their JSON is written.

A digest is a promise about bytes, so the same value must always become the same bytes: JSON is
written without spaces, with keys in the order of the specification.

Mirrors: opencontainers/image-spec descriptor.md, manifest.md.
Departs: sha256 is the only algorithm; urls, subject and embedded data are dropped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubesim.errors import InputError
from kubesim.oci import media
from kubesim.wire.image import sha256_digest

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a blob is, which one, and how long.

    Attributes:
        media_type: What it is.
        digest: ``sha256:`` and 64 hexadecimal digits.
        size_bytes: Its length.
        annotations: Name and value pairs.
        platform: Architecture and operating system, in an index.
    """

    media_type: str
    digest: str
    size_bytes: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: tuple[str, str] | None = None

    def to_data(self) -> dict[str, Any]:
        """As JSON has it."""
        data: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.size_bytes,
        }
        if self.annotations:
            data["annotations"] = dict(sorted(self.annotations.items()))
        if self.platform:
            data["platform"] = {"architecture": self.platform[0], "os": self.platform[1]}
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One image: its config and its layers.

    Attributes:
        descriptor: What points at it.
        config: The config's descriptor.
        layers: The layers' descriptors in order.
        raw: The bytes that the digest is of.
    """

    descriptor: Descriptor
    config: Descriptor
    layers: tuple[Descriptor, ...]
    raw: bytes = field(repr=False)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config and layers, each blob once."""
        once = {each.digest: each for each in (*self.layers, self.config)}
        return tuple(once.values())


def encode(data: Any) -> bytes:
    """A value as the JSON that is stored."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()


def describe(content: bytes, media_type: str) -> Descriptor:
    """The descriptor of some bytes."""
    return Descriptor(
        media_type=media_type, digest=sha256_digest(content), size_bytes=len(content)
    )


def compose(
    config: Descriptor,
    layers: tuple[Descriptor, ...],
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """The manifest of a config and layers."""
    data: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": media.MANIFEST,
        "config": config.to_data(),
        "layers": [layer.to_data() for layer in layers],
    }
    if annotations:
        data["annotations"] = dict(sorted(annotations.items()))
    raw = encode(data)
    return Manifest(
        descriptor=describe(raw, media.MANIFEST), config=config, layers=layers, raw=raw
    )


def parse_object(raw: bytes, what: str) -> dict[str, Any]:
    """A JSON object from bytes; ``what`` names it in messages.

    Raises:
        InputError: It is none.
    """
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        raise InputError(f"{what} is not JSON") from None
    if not isinstance(data, dict):
        raise InputError(f"{what} is not a JSON object")
    return data


def parse_descriptor(data: Any, what: str) -> Descriptor:
    """A descriptor from JSON; ``what`` names it in messages.

    Raises:
        InputError: A field is missing or is not what it must be.
    """
    if not isinstance(data, dict):
        raise InputError(f"{what} is not a descriptor")
    digest, size, media_type = data.get("digest"), data.get("size"), data.get("mediaType")
    if not isinstance(digest, str) or not is_digest(digest):
        raise InputError(f"{what} has the digest {digest!r}; sha256 and 64 digits are expected")
    if type(size) is not int or size < 0:
        raise InputError(f"{what} has the size {size!r}")
    if not isinstance(media_type, str):
        raise InputError(f"{what} has no mediaType")
    annotations = data.get("annotations") or {}
    platform = data.get("platform")
    return Descriptor(
        media_type=media_type,
        digest=digest,
        size_bytes=size,
        annotations=annotations if isinstance(annotations, dict) else {},
        platform=(str(platform.get("architecture")), str(platform.get("os")))
        if isinstance(platform, dict)
        else None,
    )


def parse_manifest(raw: bytes, descriptor: Descriptor) -> Manifest:
    """A manifest from its bytes, which ``descriptor`` points at.

    Raises:
        InputError: It is none.
    """
    what = f"manifest {descriptor.digest}"
    data = parse_object(raw, what)
    layers = data.get("layers")
    if not isinstance(layers, list):
        raise InputError(f"{what} has no layers")
    return Manifest(
        descriptor=descriptor,
        config=parse_descriptor(data.get("config"), f"{what}: config"),
        layers=tuple(
            parse_descriptor(layer, f"{what}: layer {number}")
            for number, layer in enumerate(layers)
        ),
        raw=raw,
    )


def is_digest(text: str) -> bool:
    """Whether a text is a SHA-256 digest as OCI writes it."""
    return _DIGEST.fullmatch(text) is not None
