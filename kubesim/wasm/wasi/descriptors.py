"""What a descriptor number of the guest stands for.

Four kinds and no more: standard input, one of the two outputs, an open file, an open directory. 0,
1 and 2 are given, the granted directories follow from 3 on, and whatever the guest opens takes the
lowest free number.

Mirrors: the descriptor table of wasmtime's crates/wasi/src/p1.rs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kubesim.wasm.filetree import Directory, File

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
    """An open file and where the guest is in it."""

    node: File
    position: int = 0
    filetype = FILETYPE_REGULAR_FILE
    rights = FILE_RIGHTS
    inherited = 0


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
    rights = DIRECTORY_RIGHTS
    inherited = DIRECTORY_RIGHTS | FILE_RIGHTS


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
