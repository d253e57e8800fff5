"""Spin's stores that lie on a volume: they are there before the container, and remain after it.

The runtime configuration may give a store a ``path``. Where that is in the container's own layer, the
store is gone with the container; where it is on a mounted volume that can be written, it is a file of
that volume: a restarted container finds it again, and so does whoever mounts the volume next.

Mirrors: Spin crates/key-value-spin, sqlite-inproc: SQLite files; parents of the path are made.
Departs: the file is read when Spin starts and written when its container ends, however it ends; a node
    that loses its power loses what was written since. Two containers with one file at once do not see
    each other's writes, and the last one to end is whose file it is.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from kubesim.node.shim.runtimeconfig import RuntimeConfig
from kubesim.node.shim.task import TaskSpec
from kubesim.wasm.storefiles import pairs_of_file, pairs_to_file
from kubesim.wasm.stores import Stores
from kubesim.wire.filetree import Directory, File, inode_of

NOT_A_DATABASE = "file is not a database"


@dataclass(frozen=True, slots=True)
class _Place:
    """A file on a volume."""

    volume: Directory
    names: tuple[str, ...]

    def read(self) -> bytes:
        found = self.volume.find(self.names)
        return found.data if isinstance(found, File) else b""

    def write(self, data: bytes) -> bool:
        space = self.volume.space
        assert space is not None
        if not space.take(len(data) - len(self.read())):
            return False
        folder = self.volume
        for name in self.names[:-1]:
            made = folder.entries.setdefault(name, Directory(inode=inode_of(name)))
            if not isinstance(made, Directory):
                return False
            folder = made
        folder.entries[self.names[-1]] = File(data, inode_of("/".join(self.names)))
        return True


class StoreFiles:
    """The stores of one container that lie on volumes.

    Args:
        spec: The container.
        config: Where its stores are.
    """

    def __init__(self, spec: TaskSpec, config: RuntimeConfig) -> None:
        self._config = config
        self._pairs = _places(spec, config.store_paths)
        self._databases = _places(spec, config.database_paths)

    def load(self, stores: Stores) -> None:
        """Take up what is there; what is no database cannot be opened."""
        for label, place in self._pairs.items():
            try:
                stores.restore(label, pairs_of_file(label, place.read()))
            except sqlite3.Error:
                self._config.unreachable[label] = NOT_A_DATABASE
        for name, place in self._databases.items():
            try:
                stores.restore_database(name, place.read())
            except sqlite3.Error:
                self._config.unreachable_databases[name] = NOT_A_DATABASE

    def save(self, stores: Stores) -> None:
        """Leave it behind; what finds no room on the volume is lost."""
        for label, place in self._pairs.items():
            if label not in self._config.unreachable:
                pairs = {key: stores.get(label, key) or b"" for key in stores.keys(label)}
                place.write(pairs_to_file(label, pairs, place.read()))
        for name, place in self._databases.items():
            data = stores.dump_database(name)
            if data is not None and name not in self._config.unreachable_databases:
                place.write(data)


def _places(spec: TaskSpec, paths: dict[str, str]) -> dict[str, _Place]:
    """Those of the paths that are on a volume that can be written."""
    found = {}
    for label, path in paths.items():
        names = tuple(part for part in path.split("/") if part not in ("", "."))
        for mount, tree in sorted(spec.mounts, key=lambda entry: -len(entry[0])):
            above = tuple(part for part in mount.split("/") if part)
            if names[: len(above)] != above or len(names) == len(above):
                continue
            if isinstance(tree, Directory) and tree.space is not None:
                found[label] = _Place(tree, names[len(above) :])
            break
    return found
