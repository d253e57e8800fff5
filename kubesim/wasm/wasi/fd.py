"""Descriptors: reading, writing, seeking, and the questions that libc asks about them.

Mirrors: fd_* of wasi_snapshot_preview1.witx.
Departs: times and rights cannot be changed.
"""

from __future__ import annotations

from struct import Struct

from kubesim.wasm.execution import FILES
from kubesim.wasm.wasi.descriptors import (
    FILETYPE_DIRECTORY,
    FILETYPE_REGULAR_FILE,
    Descriptor,
    Input,
    OpenDirectory,
    OpenFile,
    Output,
)
from kubesim.wasm.wasi.errno import Errno
from kubesim.wasm.wasi.guest import Guest
from kubesim.wasm.wasi.writing import put, resize
from kubesim.wire.filetree import VOLUME_BYTES_MAX, Directory, File, Space

IOVECS_MAX = 1024

_FDSTAT = Struct("<BxHxxxxQQ")
_FILESTAT = Struct("<QQB7xQQQQQ")
_DIRENT = Struct("<QQIBxxx")
_IOVEC = Struct("<II")
_PRESTAT = Struct("<BxxxI")

_FROM_START, _FROM_HERE, _FROM_END = 0, 1, 2


def fd_write(guest: Guest, fd: int, iovs: int, count: int, written: int) -> int:
    """Write to standard output, standard error, or a file that was opened for it."""
    descriptor = guest.descriptors.get(fd)
    if isinstance(descriptor, OpenFile):
        offset = len(descriptor.node.data) if descriptor.appends else descriptor.position
        written_or_not = _gather(guest, descriptor, offset, iovs, count)
        if isinstance(written_or_not, Errno):
            return written_or_not
        descriptor.position = offset + written_or_not
        guest.memory.write_u32(written, written_or_not)
        return Errno.SUCCESS
    if not isinstance(descriptor, Output):
        return Errno.EBADF
    if count > IOVECS_MAX:
        return Errno.EINVAL
    # Copy no more than one byte over the limit: that is enough to see that it was passed.
    room = guest.limits.output_bytes - guest.output_bytes + 1
    data = b""
    for address, length in _buffers(guest, iovs, count):
        data += guest.memory.read(address, min(length, room - len(data)))
    if data:
        guest.put(descriptor.stream, data)
    guest.memory.write_u32(written, len(data))
    return Errno.SUCCESS


def fd_read(guest: Guest, fd: int, iovs: int, count: int, read: int) -> int:
    """Read from standard input or a file, from where the guest is in it."""
    descriptor = guest.descriptors.get(fd)
    if isinstance(descriptor, Input):
        data = descriptor.data
    elif isinstance(descriptor, OpenFile):
        guest.touched.add(FILES)
        data = descriptor.node.data
    else:
        return Errno.EISDIR if isinstance(descriptor, OpenDirectory) else Errno.EBADF
    if count > IOVECS_MAX:
        return Errno.EINVAL
    copied = _scatter(guest, data, descriptor.position, iovs, count)
    descriptor.position += copied
    guest.memory.write_u32(read, copied)
    return Errno.SUCCESS


def fd_pread(  # noqa: PLR0917 - the standard's parameters
    guest: Guest, fd: int, iovs: int, count: int, offset: int, read: int
) -> int:
    """Read from a given place of a file."""
    descriptor = guest.descriptors.get(fd)
    if not isinstance(descriptor, OpenFile):
        return _not_a_file(descriptor)
    if count > IOVECS_MAX:
        return Errno.EINVAL
    guest.touched.add(FILES)
    guest.memory.write_u32(read, _scatter(guest, descriptor.node.data, offset, iovs, count))
    return Errno.SUCCESS


def fd_pwrite(  # noqa: PLR0917 - the standard's parameters
    guest: Guest, fd: int, iovs: int, count: int, offset: int, written: int
) -> int:
    """Write to a given place of a file."""
    descriptor = guest.descriptors.get(fd)
    if not isinstance(descriptor, OpenFile):
        return _not_a_file(descriptor)
    length = _gather(guest, descriptor, offset, iovs, count)
    if isinstance(length, Errno):
        return length
    guest.memory.write_u32(written, length)
    return Errno.SUCCESS


def fd_seek(guest: Guest, fd: int, offset: int, whence: int, position: int) -> int:
    """Go to another place of a file."""
    descriptor = guest.descriptors.get(fd)
    if not isinstance(descriptor, OpenFile):
        return _not_a_file(descriptor)
    guest.touched.add(FILES)
    if whence not in {_FROM_START, _FROM_HERE, _FROM_END}:
        return Errno.EINVAL
    base = (0, descriptor.position, len(descriptor.node.data))[whence]
    signed = offset - (1 << 64) if offset >> 63 else offset
    if base + signed < 0:
        return Errno.EINVAL
    descriptor.position = base + signed
    guest.memory.write_u64(position, descriptor.position)
    return Errno.SUCCESS


def fd_tell(guest: Guest, fd: int, position: int) -> int:
    """Where the guest is in a file."""
    descriptor = guest.descriptors.get(fd)
    if not isinstance(descriptor, OpenFile):
        return _not_a_file(descriptor)
    guest.memory.write_u64(position, descriptor.position)
    return Errno.SUCCESS


def fd_close(guest: Guest, fd: int) -> int:
    """Forget a descriptor."""
    return Errno.EBADF if guest.descriptors.pop(fd, None) is None else Errno.SUCCESS


def fd_renumber(guest: Guest, source: int, target: int) -> int:
    """Give a descriptor the number of another one, which is closed."""
    table = guest.descriptors
    if source not in table or target not in table:
        return Errno.EBADF
    table[target] = table.pop(source)
    return Errno.SUCCESS


def fd_readdir(  # noqa: PLR0917 - the standard's parameters
    guest: Guest, fd: int, buffer: int, length: int, cookie: int, used: int
) -> int:
    """List a directory from an entry on; the last one may be cut, and is asked for again."""
    descriptor = guest.descriptors.get(fd)
    if not isinstance(descriptor, OpenDirectory):
        return Errno.EBADF if descriptor is None else Errno.ENOTDIR
    guest.touched.add(FILES)
    here = descriptor.node
    above = descriptor.root.find(descriptor.names[:-1]) or here
    entries = [(".", here), ("..", above), *here.entries.items()]
    guest.take_entries(len(entries))
    listing = bytearray()
    for number, (name, node) in enumerate(entries[cookie:], start=cookie + 1):
        encoded = name.encode()
        listing += _DIRENT.pack(number, node.inode, len(encoded), filetype_of(node)) + encoded
        if len(listing) >= length:
            break
    listing = listing[:length]
    guest.take(len(listing))
    guest.memory.write(buffer, bytes(listing))
    guest.memory.write_u32(used, len(listing))
    return Errno.SUCCESS


def fd_fdstat_get(guest: Guest, fd: int, stat: int) -> int:
    """What kind of thing a descriptor is, and what may be done with it."""
    descriptor = guest.descriptors.get(fd)
    if descriptor is None:
        return Errno.EBADF
    flags = 0
    packed = _FDSTAT.pack(descriptor.filetype, flags, descriptor.rights, descriptor.inherited)
    guest.memory.write(stat, packed)
    return Errno.SUCCESS


def fd_filestat_get(guest: Guest, fd: int, stat: int) -> int:
    """Size and kind of an open file."""
    descriptor = guest.descriptors.get(fd)
    if descriptor is None:
        return Errno.EBADF
    if isinstance(descriptor, OpenFile | OpenDirectory):
        guest.touched.add(FILES)
        guest.memory.write(stat, filestat(descriptor.node))
    else:
        guest.memory.write(stat, _FILESTAT.pack(0, 0, descriptor.filetype, 1, 0, 0, 0, 0))
    return Errno.SUCCESS


def fd_prestat_get(guest: Guest, fd: int, prestat: int) -> int:
    """Whether a descriptor is a granted directory, and how long its path is."""
    descriptor = guest.descriptors.get(fd)
    if not isinstance(descriptor, OpenDirectory) or not descriptor.preopened:
        return Errno.EBADF
    guest.memory.write(prestat, _PRESTAT.pack(0, len(descriptor.preopened.encode())))
    return Errno.SUCCESS


def fd_prestat_dir_name(guest: Guest, fd: int, buffer: int, length: int) -> int:
    """The path under which a directory was granted."""
    descriptor = guest.descriptors.get(fd)
    if not isinstance(descriptor, OpenDirectory) or not descriptor.preopened:
        return Errno.EBADF
    name = descriptor.preopened.encode()
    if length < len(name):
        return Errno.ENAMETOOLONG
    guest.memory.write(buffer, name)
    return Errno.SUCCESS


def fd_fdstat_set_flags(guest: Guest, fd: int, _flags: int) -> int:
    """Append, non-blocking and the like: no difference here."""
    return _if_open(guest, fd)


def fd_fdstat_set_rights(guest: Guest, fd: int, _rights: int, _inherited: int) -> int:
    """Give up rights: refused, as in wasmtime, which no longer tracks them."""
    return Errno.ENOTSUP if fd in guest.descriptors else Errno.EBADF


def fd_advise(guest: Guest, fd: int, _offset: int, _length: int, _advice: int) -> int:
    """Say how a file will be read: no difference here."""
    descriptor = guest.descriptors.get(fd)
    return Errno.SUCCESS if isinstance(descriptor, OpenFile) else _not_a_file(descriptor)


def fd_datasync(guest: Guest, fd: int) -> int:
    """Write buffers to disk: there are none."""
    return _if_open(guest, fd)


def fd_sync(guest: Guest, fd: int) -> int:
    """Write buffers to disk: there are none."""
    return _if_open(guest, fd)


def fd_allocate(guest: Guest, fd: int, offset: int, length: int) -> int:
    """Have a file reach up to a place at least."""
    descriptor = guest.descriptors.get(fd)
    if not isinstance(descriptor, OpenFile) or descriptor.space is None:
        return _read_only(guest, "fd_allocate", fd)
    size = max(offset + length, len(descriptor.node.data))
    return _resized(guest, descriptor, descriptor.space, size)


def fd_filestat_set_size(guest: Guest, fd: int, size: int) -> int:
    """Cut or extend a file."""
    descriptor = guest.descriptors.get(fd)
    if not isinstance(descriptor, OpenFile) or descriptor.space is None:
        return _read_only(guest, "fd_filestat_set_size", fd)
    return _resized(guest, descriptor, descriptor.space, size)


def fd_filestat_set_times(guest: Guest, fd: int, _atime: int, _mtime: int, _flags: int) -> int:
    """Change a file's times: refused."""
    return _read_only(guest, "fd_filestat_set_times", fd)


def filetype_of(node: File | Directory) -> int:
    """The standard's number for a kind of node."""
    return FILETYPE_DIRECTORY if isinstance(node, Directory) else FILETYPE_REGULAR_FILE


def filestat(node: File | Directory) -> bytes:
    """A node's attributes in the standard's layout."""
    size = len(node.data) if isinstance(node, File) else 0
    return _FILESTAT.pack(1, node.inode, filetype_of(node), 1, size, 0, 0, 0)


def _buffers(guest: Guest, iovs: int, count: int) -> list[tuple[int, int]]:
    guest.take_entries(count)
    raw = guest.memory.read(iovs, count * _IOVEC.size)
    return list(_IOVEC.iter_unpack(raw))


def _scatter(guest: Guest, data: bytes, position: int, iovs: int, count: int) -> int:
    """Copy from a position on into the guest's buffers; returns how many bytes it were."""
    copied = 0
    for address, length in _buffers(guest, iovs, count):
        piece = data[position + copied : position + copied + length]
        guest.take(len(piece))
        guest.memory.write(address, piece)
        copied += len(piece)
        if len(piece) < length:
            break
    return copied


def _gather(guest: Guest, descriptor: OpenFile, offset: int, iovs: int, count: int) -> int | Errno:
    """Write the guest's buffers to a file from a place on; how many bytes it were."""
    if descriptor.space is None:
        return Errno.EBADF
    if count > IOVECS_MAX:
        return Errno.EINVAL
    guest.touched.add(FILES)
    pieces: list[bytes] = []
    for address, length in _buffers(guest, iovs, count):
        guest.take(length)
        pieces.append(guest.memory.read(address, length))
    data = b"".join(pieces)
    # A file is one piece of memory: what writing into it copies is accounted for, too.
    guest.take(len(descriptor.node.data))
    if offset + len(data) > VOLUME_BYTES_MAX:
        return Errno.ENOSPC
    refused = put(descriptor.node, offset, data, descriptor.space)
    return len(data) if refused is Errno.SUCCESS else refused


def _resized(guest: Guest, descriptor: OpenFile, space: Space, size: int) -> Errno:
    guest.touched.add(FILES)
    if size > VOLUME_BYTES_MAX:
        return Errno.ENOSPC
    guest.take(max(size, len(descriptor.node.data)))
    return resize(descriptor.node, size, space)


def _not_a_file(descriptor: Descriptor | None) -> Errno:
    if descriptor is None:
        return Errno.EBADF
    return Errno.EISDIR if isinstance(descriptor, OpenDirectory) else Errno.ESPIPE


def _if_open(guest: Guest, fd: int) -> Errno:
    return Errno.SUCCESS if fd in guest.descriptors else Errno.EBADF


def _read_only(guest: Guest, function: str, fd: int) -> Errno:
    descriptor = guest.descriptors.get(fd)
    if not isinstance(descriptor, OpenFile | OpenDirectory):
        return Errno.EBADF if descriptor is None else Errno.EINVAL
    return guest.deny(function, f"fd {fd}", Errno.EROFS)
