"""Arguments and environment: strings whose size the guest asks for, and which it then copies.

Mirrors: args_* and environ_* of wasi_snapshot_preview1.witx.
"""

from __future__ import annotations

from struct import pack

from kubesim.wasm.wasi.errno import Errno
from kubesim.wasm.wasi.guest import Guest


def args_sizes_get(guest: Guest, count: int, size: int) -> int:
    """How many arguments there are, and how many bytes they take."""
    return _sizes(guest, guest.args, count, size)


def args_get(guest: Guest, pointers: int, buffer: int) -> int:
    """Copy the arguments into the guest."""
    return _copy(guest, guest.args, pointers, buffer)


def environ_sizes_get(guest: Guest, count: int, size: int) -> int:
    """How many environment variables there are, and how many bytes they take."""
    return _sizes(guest, guest.env, count, size)


def environ_get(guest: Guest, pointers: int, buffer: int) -> int:
    """Copy the environment into the guest."""
    return _copy(guest, guest.env, pointers, buffer)


def _sizes(guest: Guest, strings: list[bytes], count: int, size: int) -> int:
    guest.memory.write_u32(count, len(strings))
    guest.memory.write_u32(size, sum(map(len, strings)))
    return Errno.SUCCESS


def _copy(guest: Guest, strings: list[bytes], pointers: int, buffer: int) -> int:
    addresses = []
    address = buffer
    for string in strings:
        addresses.append(address & 0xFFFF_FFFF)
        address += len(string)
    guest.take(address - buffer)
    guest.memory.write(pointers, pack(f"<{len(addresses)}I", *addresses))
    guest.memory.write(buffer, b"".join(strings))
    return Errno.SUCCESS
