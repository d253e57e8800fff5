"""Directories that exist only in memory: all of the file system that a guest can ever see.

A pod's volumes become a ``Directory`` here, are mounted into containers, and are granted to a Wasm
module as preopened directories. A path is looked up in a tree of names, and no name of the real
machine is in it. What is mounted by several containers is the same tree for all of them.

A tree cannot be written unless there is ``Space``: then what is inside may change, up to so many
bytes. A directory that is a mount point says for everything below whether there is any.

Mirrors: WASI preview 1's preopened directories; volumes as a container sees them.
Departs: no symbolic links, no modes, all times are zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

VOLUME_BYTES_MAX: Final = 64 * 1024 * 1024  # what the simulator keeps of one volume
NAME_BYTES = 64  # what a name counts for


@dataclass(slots=True)
class Space:
    """Room for what is written to a volume.

    Attributes:
        limit_bytes: How much the simulator keeps of it.
        used_bytes: How much there is.
        filled_bytes: What models of programs say that they wrote, of which nothing is kept.
        changed: Is told of every change, if somebody wants to know.
        charged_bytes: What whoever looks after the volume has taken from the disk for it.
    """

    limit_bytes: int = VOLUME_BYTES_MAX
    used_bytes: int = 0
    filled_bytes: int = 0
    changed: Callable[[], None] | None = None
    charged_bytes: int = 0

    def take(self, length: int) -> bool:
        """Use some, or with a negative length give some back; false when there is not enough."""
        if length > 0 and self.used_bytes + length > self.limit_bytes:
            return False
        self.used_bytes = max(0, self.used_bytes + length)
        if self.changed is not None:
            self.changed()
        return True

    def fill(self, length: int) -> None:
        """A model of a program writes so much, of which nothing is kept."""
        self.filled_bytes += length
        if self.changed is not None:
            self.changed()


@dataclass(slots=True)
class File:
    """A file: its bytes, and the number that stands for it in a directory."""

    data: bytes
    inode: int = 0


@dataclass(slots=True)
class Directory:
    """A directory: names in order, each a file or another directory.

    Attributes:
        entries: What is in it.
        inode: The number that stands for it.
        space: Where it is a mount point: room for writing; without, it cannot be written.
        mounted: Whether it is a mount point.
    """

    entries: dict[str, Directory | File] = field(default_factory=dict)
    inode: int = 0
    space: Space | None = None
    mounted: bool = False

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> Directory:
        """Build a tree from files by their relative paths, such as ``{"conf.d/a.yaml": b"..."}``.

        Args:
            files: Contents by path; parent directories come into being by themselves.
        """
        return _grow(sorted(files.items()), at="")

    @classmethod
    def writable(cls, name: str) -> Directory:
        """An empty volume that can be written."""
        return cls(inode=inode_of(name), space=Space(), mounted=True)

    def find(self, names: tuple[str, ...]) -> Directory | File | None:
        """The node at a path of plain names, no ``.`` or ``..``; ``None`` when there is none."""
        node: Directory | File | None = self
        for name in names:
            if not isinstance(node, Directory):
                return None
            node = node.entries.get(name)
        return node

    def space_at(self, names: tuple[str, ...]) -> Space | None:
        """The room there is for writing at a path; ``None`` where nothing can be written."""
        node: Directory | File | None = self
        space = self.space
        for name in names:
            node = node.entries.get(name) if isinstance(node, Directory) else None
            if isinstance(node, Directory) and node.mounted:
                space = node.space
        return space

    @property
    def takes_writes(self) -> bool:
        """Whether something can be written, here or in what is mounted below."""
        if self.space is not None:
            return True
        inner = self.entries.values() if not self.mounted else ()
        return any(isinstance(node, Directory) and node.takes_writes for node in inner)

    def become(self, other: Directory) -> None:
        """Have the entries of another one from now on; who has a file open keeps the old one."""
        self.entries.clear()
        self.entries.update(other.entries)

    def mount(self, *, read_only: bool) -> Directory:
        """The same entries as a mount point, perhaps without the right to write."""
        space = None if read_only else self.space
        return Directory(self.entries, self.inode, space, mounted=True)

    def copy(self) -> Directory:
        """The whole tree as it is now."""
        space = (
            None if self.space is None else Space(self.space.limit_bytes, self.space.used_bytes)
        )
        entries = {
            name: node.copy() if isinstance(node, Directory) else File(node.data, node.inode)
            for name, node in self.entries.items()
        }
        return Directory(entries, self.inode, space, self.mounted)


Snapshot = list[tuple[Directory, Directory]]
"""Trees, and what was in each of them."""


def snapshot(roots: Iterable[Directory]) -> Snapshot:
    """What can be written below some directories, as it is now."""
    return [(tree, tree.copy()) for root in roots for tree in _volumes(root)]


def restore(taken: Snapshot) -> None:
    """Take back what was written since."""
    for tree, before in taken:
        tree.become(before)
        assert tree.space is not None
        assert before.space is not None
        tree.space.take(before.space.used_bytes - tree.space.used_bytes)


def _volumes(root: Directory) -> Iterator[Directory]:
    if root.space is not None:
        yield root
        return
    for node in root.entries.values():
        if isinstance(node, Directory):
            yield from _volumes(node)


def assemble(mounts: Mapping[str, Directory | File]) -> Directory:
    """The root of a container: nothing but what is mounted, by absolute path."""
    root = Directory(inode=inode_of("/"))
    for path in sorted(mounts):
        names = tuple(name for name in path.split("/") if name)
        here = root
        for depth, name in enumerate(names[:-1], start=1):
            inner = here.entries.get(name)
            if not isinstance(inner, Directory):
                inner = here.entries[name] = Directory(inode=inode_of("/".join(names[:depth])))
            elif inner.mounted:
                # A mount inside another one: it is seen here only, not by others who have that.
                inner = here.entries[name] = Directory(
                    dict(inner.entries), inner.inode, inner.space, mounted=True
                )
            here = inner
        if names:
            here.entries[names[-1]] = mounts[path]
    return root


def _grow(files: list[tuple[str, bytes]], *, at: str) -> Directory:
    below: dict[str, list[tuple[str, bytes]]] = {}
    entries: dict[str, Directory | File] = {}
    for path, data in files:
        name, _, rest = path.partition("/")
        assert name not in {"", ".", ".."}, path
        if rest:
            below.setdefault(name, []).append((rest, data))
        else:
            entries[name] = File(data, inode_of(f"{at}/{name}"))
    for name, inner in below.items():
        assert name not in entries, f"{at}/{name} is both a file and a directory"
        entries[name] = _grow(inner, at=f"{at}/{name}")
    return Directory({name: entries[name] for name in sorted(entries)}, inode_of(at))


def inode_of(path: str) -> int:
    """A number for a path: the same in every run."""
    return int.from_bytes(blake2b(path.encode(), digest_size=7).digest(), "little")
