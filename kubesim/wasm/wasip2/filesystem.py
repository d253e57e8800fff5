"""wasi:filesystem: the granted directories, and nothing else.

Mirrors: wasi:filesystem@0.2 {types, preopens}.
Departs: no links, no times; a path that leads out is ``not-permitted`` and recorded as denied, what
    would change a tree that cannot be written is ``read-only``; a stream that runs out of room
    loses what it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kubesim.wasm.execution import FILES
from kubesim.wasm.values import OK, Err, Ok
from kubesim.wasm.wasi.errno import Errno
from kubesim.wasm.wasi.path import PATH_BYTES_MAX, names_from
from kubesim.wasm.wasi.writing import make_directory, make_file, put, remove, rename, resize
from kubesim.wasm.wasip2.guest import ComponentGuest
from kubesim.wasm.wasip2.io import CHUNK_BYTES, InputStream, OutputStream
from kubesim.wasm.wasip2.resources import Functions, resource_number
from kubesim.wire.filetree import VOLUME_BYTES_MAX, Directory, File, Space

_DESCRIPTOR, _INPUT = resource_number("descriptor"), resource_number("input-stream")
_ENTRIES = resource_number("directory-entry-stream")

_OUTPUT = resource_number("output-stream")

_WORDS = {
    Errno.EEXIST: "exist",
    Errno.EINVAL: "invalid",
    Errno.EISDIR: "is-directory",
    Errno.ENOENT: "no-entry",
    Errno.ENOSPC: "insufficient-space",
    Errno.ENOTCAPABLE: "not-permitted",
    Errno.ENOTDIR: "not-directory",
    Errno.ENOTEMPTY: "not-empty",
    Errno.EROFS: "read-only",
}


@dataclass(slots=True)
class Descriptor:
    """An open file or directory; ``names`` is the way to it from its root.

    Attributes:
        space: Room for what is written, when it was opened for that.
    """

    node: File | Directory
    root: Directory
    names: tuple[str, ...] = ()
    space: Space | None = None


@dataclass(slots=True)
class Entries:
    """What is left of a directory's listing."""

    left: list[tuple[str, str]] = field(default_factory=list)


def get_directories(guest: ComponentGuest) -> list[tuple[int, str]]:
    """The granted directories and their paths."""
    return [
        (guest.own(_DESCRIPTOR, Descriptor(node, root=node)), path)
        for path, node in guest.context.preopens.items()
    ]


def open_at(
    guest: ComponentGuest,
    number: int,
    _path_flags: frozenset[str],
    path: str,
    open_flags: frozenset[str],
    flags: frozenset[str],
) -> Ok | Err:
    """Open a file or a directory; a file may be created or cut where there is room to write."""
    found = _resolve(guest, "open-at", number, path)
    if isinstance(found, Err):
        return found
    start, names = found
    node = start.root.find(names)
    space = start.root.space_at(names)
    changes = "truncate" in open_flags or flags & {"write", "mutate-directory"}
    if space is None and (changes or (node is None and "create" in open_flags)):
        return _denied(guest, "open-at", path, Errno.EROFS)
    wrong = _mismatch(node, open_flags)
    if wrong:
        return Err(wrong)
    opened = make_file(start.root, names) if node is None else node
    if isinstance(opened, Errno):
        return Err(_WORDS[opened])
    if space is not None and "truncate" in open_flags and isinstance(opened, File):
        resize(opened, 0, space)
    granted = space if "write" in flags else None
    return Ok(
        guest.own(_DESCRIPTOR, Descriptor(opened, root=start.root, names=names, space=granted))
    )


def _mismatch(node: File | Directory | None, open_flags: frozenset[str]) -> str:
    """Why what is there cannot be opened so; empty when it can."""
    if node is None:
        return "" if "create" in open_flags else "no-entry"
    if {"create", "exclusive"} <= open_flags:
        return "exist"
    return "not-directory" if "directory" in open_flags and isinstance(node, File) else ""


def write(guest: ComponentGuest, number: int, data: bytes, offset: int) -> Ok | Err:
    """Write bytes at a place of a file."""
    opened = _writable(guest, number, "write")
    if isinstance(opened, Err):
        return opened
    refused = _put(guest, opened, data, offset)
    return Ok(len(data)) if refused is Errno.SUCCESS else Err(_WORDS[refused])


def write_via_stream(guest: ComponentGuest, number: int, offset: int) -> Ok | Err:
    """A stream that writes to a file from a place on."""
    opened = _writable(guest, number, "write-via-stream")
    if isinstance(opened, Err):
        return opened
    position = offset

    def written(writer: ComponentGuest, data: bytes) -> None:
        nonlocal position
        if _put(writer, opened, data, position) is Errno.SUCCESS:
            position += len(data)

    return Ok(guest.own(_OUTPUT, OutputStream(written)))


def append_via_stream(guest: ComponentGuest, number: int) -> Ok | Err:
    """A stream that writes to the end of a file."""
    opened = _writable(guest, number, "append-via-stream")
    if isinstance(opened, Err):
        return opened
    node = opened.node
    assert isinstance(node, File)

    def written(writer: ComponentGuest, data: bytes) -> None:
        _put(writer, opened, data, len(node.data))

    return Ok(guest.own(_OUTPUT, OutputStream(written)))


def set_size(guest: ComponentGuest, number: int, size: int) -> Ok | Err:
    """Cut or extend a file."""
    opened = _writable(guest, number, "set-size")
    if isinstance(opened, Err):
        return opened
    node = opened.node
    assert isinstance(node, File)
    assert opened.space is not None
    if size > VOLUME_BYTES_MAX:
        return Err("insufficient-space")
    guest.take(max(size, len(node.data)))
    return _said(resize(node, size, opened.space))


def create_directory_at(guest: ComponentGuest, number: int, path: str) -> Ok | Err:
    """Create a directory."""
    found = _changeable(guest, "create-directory-at", number, path)
    if isinstance(found, Err):
        return found
    made = make_directory(found[0].root, found[1])
    return Err(_WORDS[made]) if isinstance(made, Errno) else OK


def remove_directory_at(guest: ComponentGuest, number: int, path: str) -> Ok | Err:
    """Remove an empty directory."""
    found = _changeable(guest, "remove-directory-at", number, path)
    return (
        found if isinstance(found, Err) else _said(remove(found[0].root, found[1], directory=True))
    )


def unlink_file_at(guest: ComponentGuest, number: int, path: str) -> Ok | Err:
    """Remove a file."""
    found = _changeable(guest, "unlink-file-at", number, path)
    return (
        found
        if isinstance(found, Err)
        else _said(remove(found[0].root, found[1], directory=False))
    )


def rename_at(
    guest: ComponentGuest, number: int, path: str, new_number: int, new_path: str
) -> Ok | Err:
    """Give something another name."""
    found = _changeable(guest, "rename-at", number, path)
    if isinstance(found, Err):
        return found
    target = _changeable(guest, "rename-at", new_number, new_path)
    if isinstance(target, Err):
        return target
    return _said(rename(found[0].root, found[1], target[0].root, target[1]))


def read_via_stream(guest: ComponentGuest, number: int, offset: int) -> Ok | Err:
    """A stream of a file's bytes from a place on."""
    node = _open(guest, number).node
    if isinstance(node, Directory):
        return Err("is-directory")
    return Ok(guest.own(_INPUT, InputStream(node.data, min(offset, len(node.data)), is_file=True)))


def read(guest: ComponentGuest, number: int, length: int, offset: int) -> Ok | Err:
    """Bytes of a file, and whether they are its last."""
    node = _open(guest, number).node
    if isinstance(node, Directory):
        return Err("is-directory")
    data = node.data[offset : offset + min(length, CHUNK_BYTES)]
    guest.take(len(data))
    return Ok((data, offset + len(data) >= len(node.data)))


def read_directory(guest: ComponentGuest, number: int) -> Ok | Err:
    """A stream of a directory's entries."""
    node = _open(guest, number).node
    if isinstance(node, File):
        return Err("not-directory")
    guest.take_entries(len(node.entries))
    entries = [(_type_of(inner), name) for name, inner in node.entries.items()]
    return Ok(guest.own(_ENTRIES, Entries(entries)))


def read_directory_entry(guest: ComponentGuest, number: int) -> Ok | Err:
    """The next entry: kind and name."""
    left = guest.get(number, Entries).left
    return Ok(left.pop(0) if left else None)


def get_type(guest: ComponentGuest, number: int) -> Ok | Err:
    """What kind of thing is open."""
    return Ok(_type_of(_open(guest, number).node))


def get_flags(guest: ComponentGuest, number: int) -> Ok | Err:
    """What may be done with it."""
    opened = _open(guest, number)
    if isinstance(opened.node, Directory) and opened.root.space_at(opened.names) is not None:
        return Ok(frozenset({"read", "mutate-directory"}))
    return Ok(frozenset({"read"} if opened.space is None else {"read", "write"}))


def stat(guest: ComponentGuest, number: int) -> Ok | Err:
    """Kind, size and times of what is open."""
    return Ok(_stat(_open(guest, number).node))


def stat_at(
    guest: ComponentGuest, number: int, _path_flags: frozenset[str], path: str
) -> Ok | Err:
    """Kind, size and times of what is at a path."""
    found = _node_at(guest, "stat-at", number, path)
    return found if isinstance(found, Err) else Ok(_stat(found))


def metadata_hash(guest: ComponentGuest, number: int) -> Ok | Err:
    """A number by which a file is told from others."""
    return Ok((_open(guest, number).node.inode, 0))


def metadata_hash_at(
    guest: ComponentGuest, number: int, _path_flags: frozenset[str], path: str
) -> Ok | Err:
    """The same for what is at a path."""
    found = _node_at(guest, "metadata-hash-at", number, path)
    return found if isinstance(found, Err) else Ok((found.inode, 0))


def is_same_object(guest: ComponentGuest, number: int, other: int) -> bool:
    """Whether two descriptors are of one file."""
    return _open(guest, number).node is _open(guest, other).node


def readlink_at(guest: ComponentGuest, number: int, path: str) -> Ok | Err:
    """Where a symbolic link leads: there are none."""
    found = _node_at(guest, "readlink-at", number, path)
    return found if isinstance(found, Err) else Err("invalid")


def no_difference(guest: ComponentGuest, number: int, *_: Any) -> Ok | Err:
    """Advice and flushing change nothing here."""
    _open(guest, number)
    return OK


def no_code(_guest: ComponentGuest, _error: int) -> None:
    """No error of a stream came from the file system."""


def _refuse(function: str) -> Callable[..., Ok | Err]:
    """A function that would change the tree."""

    def refuse(guest: ComponentGuest, number: int, *given: Any) -> Ok | Err:
        target = next((word for word in given if isinstance(word, str)), f"resource {number}")
        _open(guest, number)
        return _denied(guest, function, target, Errno.EROFS)

    return refuse


def _open(guest: ComponentGuest, number: int) -> Descriptor:
    guest.touched.add(FILES)
    return guest.get(number, Descriptor)


def _resolve(
    guest: ComponentGuest, function: str, number: int, path: str
) -> tuple[Descriptor, tuple[str, ...]] | Err:
    start = _open(guest, number)
    guest.take(len(path))
    if len(path) > PATH_BYTES_MAX:
        return Err("name-too-long")
    if isinstance(start.node, File):
        return Err("not-directory")
    names = None if path.startswith("/") else names_from(start.names, path)
    if names is None:
        return _denied(guest, function, path, Errno.ENOTCAPABLE)
    return start, names


def _changeable(
    guest: ComponentGuest, function: str, number: int, path: str
) -> tuple[Descriptor, tuple[str, ...]] | Err:
    """Where a path leads, if something can be written there."""
    found = _resolve(guest, function, number, path)
    if not isinstance(found, Err) and found[0].root.space_at(found[1]) is None:
        return _denied(guest, function, path, Errno.EROFS)
    return found


def _writable(guest: ComponentGuest, number: int, function: str) -> Descriptor | Err:
    """A file that was opened for writing."""
    opened = _open(guest, number)
    if isinstance(opened.node, Directory):
        return Err("is-directory")
    if opened.space is None:
        return _denied(guest, function, f"resource {number}", Errno.EROFS)
    return opened


def _put(guest: ComponentGuest, opened: Descriptor, data: bytes, offset: int) -> Errno:
    assert isinstance(opened.node, File)
    assert opened.space is not None
    guest.touched.add(FILES)
    if offset + len(data) > VOLUME_BYTES_MAX:
        return Errno.ENOSPC
    # A file is one piece of memory: what writing into it copies is accounted for, too.
    guest.take(len(data) + len(opened.node.data))
    return put(opened.node, offset, data, opened.space)


def _said(refused: Errno) -> Ok | Err:
    return OK if refused is Errno.SUCCESS else Err(_WORDS[refused])


def _node_at(
    guest: ComponentGuest, function: str, number: int, path: str
) -> File | Directory | Err:
    found = _resolve(guest, function, number, path)
    if isinstance(found, Err):
        return found
    return found[0].root.find(found[1]) or Err("no-entry")


def _denied(guest: ComponentGuest, function: str, target: str, errno: Errno) -> Err:
    guest.deny(function, target, errno)
    return Err(_WORDS[errno])


def _type_of(node: File | Directory) -> str:
    return "directory" if isinstance(node, Directory) else "regular-file"


def _stat(node: File | Directory) -> tuple[Any, ...]:
    size = len(node.data) if isinstance(node, File) else 0
    return (_type_of(node), 1, size, None, None, None)


TYPES: Functions = {
    "[method]descriptor.open-at": open_at,
    "[method]descriptor.write": write,
    "[method]descriptor.write-via-stream": write_via_stream,
    "[method]descriptor.append-via-stream": append_via_stream,
    "[method]descriptor.set-size": set_size,
    "[method]descriptor.create-directory-at": create_directory_at,
    "[method]descriptor.remove-directory-at": remove_directory_at,
    "[method]descriptor.unlink-file-at": unlink_file_at,
    "[method]descriptor.rename-at": rename_at,
    "[method]descriptor.read-via-stream": read_via_stream,
    "[method]descriptor.read": read,
    "[method]descriptor.read-directory": read_directory,
    "[method]descriptor.get-type": get_type,
    "[method]descriptor.get-flags": get_flags,
    "[method]descriptor.stat": stat,
    "[method]descriptor.stat-at": stat_at,
    "[method]descriptor.metadata-hash": metadata_hash,
    "[method]descriptor.metadata-hash-at": metadata_hash_at,
    "[method]descriptor.is-same-object": is_same_object,
    "[method]descriptor.readlink-at": readlink_at,
    "[method]descriptor.advise": no_difference,
    "[method]descriptor.sync": no_difference,
    "[method]descriptor.sync-data": no_difference,
    "[method]directory-entry-stream.read-directory-entry": read_directory_entry,
    "filesystem-error-code": no_code,
    **{
        f"[method]descriptor.{name}": _refuse(name)
        for name in (
            "set-times",
            "set-times-at",
            "link-at",
            "symlink-at",
        )
    },
}
PREOPENS: Functions = {"get-directories": get_directories}
