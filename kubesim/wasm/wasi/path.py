"""Paths: looked up inside a granted directory, and nowhere else.

A path is taken apart into names before anything is looked up. A ``..`` that would leave the
granted directory, and a path that begins at the root, are refused with ENOTCAPABLE and recorded as
denied. What would change a tree that cannot be written is EROFS, and recorded too.

Mirrors: path_* of wasi_snapshot_preview1.witx.
Departs: wasmtime answers an escape with EPERM; the standard's own word for it is ENOTCAPABLE.
"""

from __future__ import annotations

from kubesim.wasm.execution import FILES
from kubesim.wasm.wasi.descriptors import (
    FD_WRITE,
    Descriptor,
    OpenDirectory,
    OpenFile,
    lowest_free,
)
from kubesim.wasm.wasi.errno import Errno
from kubesim.wasm.wasi.fd import filestat
from kubesim.wasm.wasi.guest import Guest
from kubesim.wasm.wasi.writing import make_directory, make_file, remove, rename, resize
from kubesim.wire.filetree import Directory, File

PATH_BYTES_MAX = 4096

_CREATE, _DIRECTORY, _EXCLUSIVE, _TRUNCATE = 1, 2, 4, 8
_APPEND = 1

Found = tuple[OpenDirectory, tuple[str, ...]]


def path_open(  # noqa: PLR0913, PLR0917 - the standard's parameters
    guest: Guest,
    fd: int,
    _lookup: int,
    path: int,
    length: int,
    flags: int,
    rights: int,
    _inherited: int,
    fd_flags: int,
    opened: int,
) -> int:
    """Open a file or a directory; a file may be created or cut where there is room to write."""
    found = _resolve(guest, "path_open", fd, path, length)
    if isinstance(found, Errno):
        return found
    start, names = found
    node = start.root.find(names)
    space = start.root.space_at(names)
    refused = _refusal(node, flags, rights, may_write=space is not None)
    if refused is Errno.EROFS:
        return guest.deny("path_open", "/".join(names), refused)
    if refused is not Errno.SUCCESS:
        return refused
    number = lowest_free(guest.descriptors)
    if number is None:
        return Errno.EMFILE
    there = make_file(start.root, names) if node is None else node
    if isinstance(there, Errno):
        return there
    descriptor = _descriptor(there, start, names)
    if isinstance(descriptor, OpenFile) and space is not None:
        if flags & _TRUNCATE:
            resize(descriptor.node, 0, space)
        if rights & FD_WRITE:
            descriptor.space, descriptor.appends = space, bool(fd_flags & _APPEND)
    guest.descriptors[number] = descriptor
    guest.memory.write_u32(opened, number)
    return Errno.SUCCESS


def path_filestat_get(
    guest: Guest, fd: int, _lookup: int, path: int, length: int, stat: int
) -> int:
    """Size and kind of what is at a path."""
    found = _resolve(guest, "path_filestat_get", fd, path, length)
    if isinstance(found, Errno):
        return found
    node = found[0].root.find(found[1])
    if node is None:
        return Errno.ENOENT
    guest.memory.write(stat, filestat(node))
    return Errno.SUCCESS


def path_readlink(
    guest: Guest, fd: int, path: int, length: int, _buffer: int, _size: int, _used: int
) -> int:
    """Where a symbolic link leads: there are none."""
    found = _resolve(guest, "path_readlink", fd, path, length)
    if isinstance(found, Errno):
        return found
    return Errno.ENOENT if found[0].root.find(found[1]) is None else Errno.EINVAL


def path_create_directory(guest: Guest, fd: int, path: int, length: int) -> int:
    """Create a directory."""
    found = _changeable(guest, "path_create_directory", fd, path, length)
    if isinstance(found, Errno):
        return found
    made = make_directory(found[0].root, found[1])
    return made if isinstance(made, Errno) else Errno.SUCCESS


def path_remove_directory(guest: Guest, fd: int, path: int, length: int) -> int:
    """Remove an empty directory."""
    found = _changeable(guest, "path_remove_directory", fd, path, length)
    return found if isinstance(found, Errno) else remove(found[0].root, found[1], directory=True)


def path_unlink_file(guest: Guest, fd: int, path: int, length: int) -> int:
    """Remove a file."""
    found = _changeable(guest, "path_unlink_file", fd, path, length)
    return found if isinstance(found, Errno) else remove(found[0].root, found[1], directory=False)


def path_filestat_set_times(
    guest: Guest,
    fd: int,
    _lookup: int,
    path: int,
    length: int,
    _atime: int,
    _mtime: int,
    _flags: int,
) -> int:
    """Change the times of a file: refused."""
    return _read_only(guest, "path_filestat_set_times", fd, path, length)


def path_link(
    guest: Guest,
    _old_fd: int,
    _old_lookup: int,
    _old_path: int,
    _old_length: int,
    fd: int,
    path: int,
    length: int,
) -> int:
    """Create a hard link: refused, there are none."""
    return _read_only(guest, "path_link", fd, path, length)


def path_rename(  # noqa: PLR0913, PLR0917 - the standard's parameters
    guest: Guest, fd: int, path: int, length: int, new_fd: int, new_path: int, new_length: int
) -> int:
    """Rename a file or a directory; what was there under the new name is gone."""
    found = _changeable(guest, "path_rename", fd, path, length)
    if isinstance(found, Errno):
        return found
    target = _changeable(guest, "path_rename", new_fd, new_path, new_length)
    if isinstance(target, Errno):
        return target
    return rename(found[0].root, found[1], target[0].root, target[1])


def path_symlink(
    guest: Guest, _target: int, _target_length: int, fd: int, path: int, length: int
) -> int:
    """Create a symbolic link: refused."""
    return _read_only(guest, "path_symlink", fd, path, length)


def _resolve(guest: Guest, function: str, fd: int, path: int, length: int) -> Found | Errno:
    """The directory a path starts from and the names from its root on, or why there are none."""
    if length > PATH_BYTES_MAX:
        return Errno.ENAMETOOLONG
    guest.take(length)
    text = guest.memory.read(path, length).decode("utf-8", "replace")
    start = guest.descriptors.get(fd)
    if start is None:
        return guest.deny(function, text, Errno.EBADF)
    if not isinstance(start, OpenDirectory):
        return Errno.ENOTDIR
    guest.touched.add(FILES)
    if not text:
        return Errno.ENOENT
    names = None if text.startswith("/") else names_from(start.names, text)
    if names is None:
        return guest.deny(function, text, Errno.ENOTCAPABLE)
    return start, names


def names_from(here: tuple[str, ...], path: str) -> tuple[str, ...] | None:
    """Follow a relative path from a place in a tree; ``None`` when it leaves the tree."""
    names = list(here)
    for part in path.split("/"):
        if part == "..":
            if not names:
                return None
            names.pop()
        elif part not in {"", "."}:
            names.append(part)
    return tuple(names)


def _refusal(node: File | Directory | None, flags: int, rights: int, *, may_write: bool) -> Errno:
    """Why something cannot be opened so; ``SUCCESS`` when it can."""
    if flags & _EXCLUSIVE and flags & _CREATE and node is not None:
        return Errno.EEXIST
    if node is None:
        if not flags & _CREATE:
            return Errno.ENOENT
        return Errno.SUCCESS if may_write else Errno.EROFS
    if isinstance(node, File):
        if flags & _DIRECTORY:
            return Errno.ENOTDIR
        if (flags & _TRUNCATE or rights & FD_WRITE) and not may_write:
            return Errno.EROFS
    return Errno.SUCCESS


def _descriptor(
    node: File | Directory, start: OpenDirectory, names: tuple[str, ...]
) -> Descriptor:
    if isinstance(node, File):
        return OpenFile(node)
    return OpenDirectory(node, root=start.root, names=names)


def _changeable(guest: Guest, function: str, fd: int, path: int, length: int) -> Found | Errno:
    """The same, where something can be written."""
    found = _resolve(guest, function, fd, path, length)
    if not isinstance(found, Errno) and found[0].root.space_at(found[1]) is None:
        return guest.deny(function, "/".join(found[1]), Errno.EROFS)
    return found


def _read_only(guest: Guest, function: str, fd: int, path: int, length: int) -> Errno:
    found = _resolve(guest, function, fd, path, length)
    if isinstance(found, Errno):
        return found
    return guest.deny(function, "/".join(found[1]), Errno.EROFS)
