"""Changing a tree of files: the same for both generations of WASI.

Whether there is room, and whether anything may be written at all, is the ``Space`` of the mount point
that a path lies in.

Mirrors: what the kernel does behind path_* and fd_* of wasi_snapshot_preview1.witx.
Departs: a rename does not cross from one volume to another one with its bytes counted anew.
"""

from __future__ import annotations

from kubesim.wasm.wasi.errno import Errno
from kubesim.wire.filetree import NAME_BYTES, Directory, File, Space, inode_of


def make_file(root: Directory, names: tuple[str, ...]) -> File | Errno:
    """Create an empty file at a path where there is nothing."""
    above = _room_for(root, names)
    if isinstance(above, Errno):
        return above
    made = File(b"", inode_of("/".join(names)))
    above.entries[names[-1]] = made
    return made


def make_directory(root: Directory, names: tuple[str, ...]) -> Directory | Errno:
    """Create an empty directory."""
    if root.find(names) is not None:
        return Errno.EEXIST
    above = _room_for(root, names)
    if isinstance(above, Errno):
        return above
    made = Directory(inode=inode_of("/".join(names)))
    above.entries[names[-1]] = made
    return made


def remove(root: Directory, names: tuple[str, ...], *, directory: bool) -> Errno:
    """Remove a file, or an empty directory."""
    node = root.find(names)
    if node is None:
        return Errno.ENOENT
    if isinstance(node, Directory) is not directory:
        return Errno.ENOTDIR if directory else Errno.EISDIR
    if isinstance(node, Directory) and (node.entries or node.mounted):
        return Errno.ENOTEMPTY
    above = root.find(names[:-1])
    space = root.space_at(names)
    assert isinstance(above, Directory)
    assert space is not None
    del above.entries[names[-1]]
    space.take(-NAME_BYTES - (len(node.data) if isinstance(node, File) else 0))
    return Errno.SUCCESS


def rename(
    root: Directory, names: tuple[str, ...], new_root: Directory, new_names: tuple[str, ...]
) -> Errno:
    """Give something another name."""
    node = root.find(names)
    above, new_above = root.find(names[:-1]), new_root.find(new_names[:-1])
    if node is None or not isinstance(above, Directory) or not isinstance(new_above, Directory):
        return Errno.ENOENT
    if not names or not new_names or (root is new_root and new_names[: len(names)] == names):
        return Errno.SUCCESS if names == new_names else Errno.EINVAL
    there = new_above.entries.get(new_names[-1])
    if isinstance(there, Directory):
        if not isinstance(node, Directory):
            return Errno.EISDIR
        if there.entries or there.mounted:
            return Errno.ENOTEMPTY
    elif there is not None and isinstance(node, Directory):
        return Errno.ENOTDIR
    if there is not None and there is not node:
        space = new_root.space_at(new_names)
        assert space is not None
        space.take(-NAME_BYTES - (len(there.data) if isinstance(there, File) else 0))
    del above.entries[names[-1]]
    new_above.entries[new_names[-1]] = node
    return Errno.SUCCESS


def resize(node: File, length: int, space: Space) -> Errno:
    """Cut a file, or fill it up with zeroes."""
    if not space.take(length - len(node.data)):
        return Errno.ENOSPC
    node.data = node.data[:length].ljust(length, b"\0")
    return Errno.SUCCESS


def put(node: File, offset: int, data: bytes, space: Space) -> Errno:
    """Write bytes at a place of a file."""
    end = offset + len(data)
    if end > len(node.data) and not space.take(end - len(node.data)):
        return Errno.ENOSPC
    node.data = node.data[:offset].ljust(offset, b"\0") + data + node.data[end:]
    return Errno.SUCCESS


def _room_for(root: Directory, names: tuple[str, ...]) -> Directory | Errno:
    """The directory in which a new name may be made."""
    above = root.find(names[:-1])
    space = root.space_at(names)
    if above is None or not names:
        return Errno.ENOENT
    if isinstance(above, File):
        return Errno.ENOTDIR
    if space is None:
        return Errno.EROFS
    return above if space.take(NAME_BYTES) else Errno.ENOSPC
