"""The error numbers of WASI preview 1 that a host without a real machine behind it can return.

Mirrors: ``errno`` in wasi_snapshot_preview1.witx (the numbers are alphabetical there, not
    POSIX's).
"""

from __future__ import annotations

from enum import IntEnum


class Errno(IntEnum):
    """An error number as the guest receives it; 0 is success."""

    SUCCESS = 0
    EBADF = 8
    EEXIST = 20
    EFAULT = 21
    EINVAL = 28
    EISDIR = 31
    EMFILE = 33
    ENAMETOOLONG = 37
    ENOENT = 44
    ENOSPC = 51
    ENOSYS = 52
    ENOTDIR = 54
    ENOTEMPTY = 55
    ENOTSOCK = 57
    ENOTSUP = 58
    EROFS = 69
    ESPIPE = 70
    ENOTCAPABLE = 76
