"""What a descriptor number of the guest stands for.

Four kinds and no more: standard input, one of the two outputs, an open file, an open directory. 0,
1 and 2 are given, the granted directories follow from 3 on, and whatever the guest opens takes the
lowest free number.

Mirrors: the descriptor table of wasmtime's crates/wasi/src/p1.rs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kubesim.wire.filetree import Directory, File, Space

DESCRIPTORS_MAX = 128

FILETYPE_UNKNOWN = 0
FILETYPE_DIRECTORY = 3
FILETYPE_REGULAR_FILE = 4

# The rights of the standard by their bit.
FD_READ = 1 << 1
FD_SEEK = 1 << 2
FD_TELL = 1 << 5
FD_WRITE = 1 << 6
FD_ADVISE = 1 << 7
PATH_OPEN = 1 << 13
FD_READDIR = 1 << 14
PATH_READLINK = 1 << 15
PATH_FILESTAT_GET = 1 << 18
FD_FILESTAT_GET = 1 << 21
POLL_FD_READWRITE = 1 << 27

# What is added where something can be written: fd_datasync, fd_sync, fd_write, fd_allocate and
# fd_filestat_set_size; path_create_*, path_rename_*, path_filestat_set_size, path_remove_directory
# and path_unlink_file.
FILE_WRITE_RIGHTS = FD_WRITE | 1 << 0 | 1 << 4 | 1 << 8 | 1 << 22
DIRECTORY_WRITE_RIGHTS = 1 << 9 | 1 << 10 | 1 << 16 | 1 << 17 | 1 << 19 | 1 << 25 | 1 << 26

FILE_RIGHTS = FD_READ | FD_SEEK | FD_TELL | FD_ADVISE | FD_FILESTAT_GET | POLL_FD_READWRITE
DIRECTORY_RIGHTS = PATH_OPEN | FD_READDIR | PATH_READLINK | PATH_FILESTAT_GET | FD_FILESTAT_GET


@dataclass(slots=True)
class Input:
    """Standard input: bytes that are read once, from the front."""

    data: bytes
    position: int = 0
    # A container's streams are pipes. Only a terminal is a character device, and libc asks: on a
    # pipe it writes in blocks, on a terminal in lines.
    filetype = FILETYPE_UNKNOWN
    rights = FD_READ | FD_FILESTAT_GET | POLL_FD_READWRITE
    inherited = 0


@dataclass(slots=True)
class Output:
    """Standard output or standard error."""

    stream: str
    filetype = FILETYPE_UNKNOWN
    rights = FD_WRITE | FD_FILESTAT_GET | POLL_FD_READWRITE
    inherited = 0


@dataclass(slots=True)
class OpenFile:
    """An open file and where the guest is in it; ``space`` when it was opened for writing."""

    node: File
    position: int = 0
    space: Space | None = None
    appends: bool = False
    filetype = FILETYPE_REGULAR_FILE
    inherited = 0

    @property
    def rights(self) -> int:
        """What may be done with it."""
        return FILE_RIGHTS if self.space is None else FILE_RIGHTS | FILE_WRITE_RIGHTS


@dataclass(slots=True)
class OpenDirectory:
    """An open directory.

    Attributes:
        node: Its contents.
        root: The granted directory that it lies in; paths cannot leave it.
        names: The way from the root to here.
        preopened: The path under which it was granted; empty when the guest opened it.
    """

    node: Directory
    root: Directory
    names: tuple[str, ...] = ()
    preopened: str = ""
    filetype = FILETYPE_DIRECTORY

    @property
    def rights(self) -> int:
        """What may be done with it."""
        more = DIRECTORY_WRITE_RIGHTS if self.root.takes_writes else 0
        return DIRECTORY_RIGHTS | more

    @property
    def inherited(self) -> int:
        """What may be done with what is opened through it."""
        more = FILE_WRITE_RIGHTS if self.root.takes_writes else 0
        return self.rights | FILE_RIGHTS | more


Descriptor = Input | Output | OpenFile | OpenDirectory


def first_descriptors(stdin: bytes, preopens: Mapping[str, Directory]) -> dict[int, Descriptor]:
    """The table that a run starts with."""
    table: dict[int, Descriptor] = {0: Input(stdin), 1: Output("stdout"), 2: Output("stderr")}
    for number, (path, node) in enumerate(preopens.items(), start=3):
        table[number] = OpenDirectory(node, root=node, preopened=path)
    return table


def lowest_free(table: Mapping[int, Descriptor]) -> int | None:
    """The number that the next opened file gets; ``None`` when the table is full."""
    return next((number for number in range(3, DESCRIPTORS_MAX) if number not in table), None)
