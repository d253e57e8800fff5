"""Directories that exist only in memory: all of the file system that a guest can ever see.

A pod's volumes become a ``Directory`` here, are granted to the module as a preopened directory,
and are read-only: a path is looked up in a tree of names, and no name of the real machine is in
it.

Mirrors: WASI preview 1's preopened directories; a ConfigMap or Secret volume as a container sees
    it.
Departs: read-only, no symbolic links, all times are zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class File:
    """A file: its bytes, and the number that stands for it in a directory."""

    data: bytes
    inode: int = 0


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory: names in order, each a file or another directory."""

    entries: Mapping[str, Directory | File] = field(default_factory=lambda: MappingProxyType({}))
    inode: int = 0

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> Directory:
        """Build a tree from files by their relative paths, such as ``{"conf.d/a.yaml": b"..."}``.

        Args:
            files: Contents by path; parent directories come into being by themselves.
        """
        return _grow(sorted(files.items()), at="")

    def find(self, names: tuple[str, ...]) -> Directory | File | None:
        """The node at a path of plain names, no ``.`` or ``..``; ``None`` when there is none."""
        node: Directory | File | None = self
        for name in names:
            if not isinstance(node, Directory):
                return None
            node = node.entries.get(name)
        return node


def _grow(files: list[tuple[str, bytes]], *, at: str) -> Directory:
    below: dict[str, list[tuple[str, bytes]]] = {}
    entries: dict[str, Directory | File] = {}
    for path, data in files:
        name, _, rest = path.partition("/")
        assert name not in {"", ".", ".."}, path
        if rest:
            below.setdefault(name, []).append((rest, data))
        else:
            entries[name] = File(data, _inode(f"{at}/{name}"))
    for name, inner in below.items():
        assert name not in entries, f"{at}/{name} is both a file and a directory"
        entries[name] = _grow(inner, at=f"{at}/{name}")
    ordered = {name: entries[name] for name in sorted(entries)}
    return Directory(MappingProxyType(ordered), _inode(at))


def _inode(path: str) -> int:
    return int.from_bytes(blake2b(path.encode(), digest_size=7).digest(), "little")
