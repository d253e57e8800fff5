"""References to images: ``registry/repository:tag`` and ``registry/repository@digest``.

Mirrors: distribution/reference (the grammar and its defaults, docker.io and latest).
Departs: a digest is SHA-256.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from typing_extensions import override

from kubesim.errors import InputError
from kubesim.oci.manifest import is_digest

DEFAULT_REGISTRY = "docker.io"
DEFAULT_TAG = "latest"
_DOCKER_HOST = "registry-1.docker.io"

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Where an image is.

    Attributes:
        registry: The host, with its port.
        repository: The name there.
        tag: Its tag; empty when there is a digest alone.
        digest: Its digest; empty when only the tag is known.
    """

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def target(self) -> str:
        """What stands at the end of a manifest's URL."""
        return self.digest or self.tag

    @property
    def host(self) -> str:
        """The host to connect to."""
        return _DOCKER_HOST if self.registry == DEFAULT_REGISTRY else self.registry

    @property
    def is_loopback(self) -> bool:
        """Whether the registry is on this machine."""
        return _LOOPBACK.fullmatch(self.registry) is not None

    @override
    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"


def parse_reference(text: str) -> Reference:
    """A reference from a text.

    Raises:
        InputError: It is none.
    """
    rest, _, digest = text.partition("@")
    if "@" in text and not is_digest(digest):
        raise InputError(f'"{text}": a digest is sha256: and 64 hexadecimal digits')
    first, slash, path = rest.partition("/")
    has_registry = slash and ("." in first or ":" in first or first == "localhost")
    registry, path = (first, path) if has_registry else (DEFAULT_REGISTRY, rest)
    repository, _, tag = path.partition(":")
    if not _HOST.fullmatch(registry):
        raise InputError(f'"{text}": "{registry}" is not a registry\'s host')
    if not _REPOSITORY.fullmatch(repository):
        raise InputError(
            f'"{text}": "{repository}" is not a repository: small letters, digits, and . _ - / between'
        )
    if ":" in path and not _TAG.fullmatch(tag):
        raise InputError(f'"{text}": "{tag}" is not a tag')
    if registry == DEFAULT_REGISTRY and "/" not in repository:
        repository = f"library/{repository}"
    if not tag and not digest:
        tag = DEFAULT_TAG
    return Reference(registry=registry, repository=repository, tag=tag, digest=digest)


def parse_name(text: str) -> str:
    """A name that an image can be given: like a reference, without a digest.

    Raises:
        InputError: It is none.
    """
    if "@" in text:
        raise InputError(
            f'"{text}": an image is named by a tag; its digest comes from its content'
        )
    parse_reference(text)
    return text
