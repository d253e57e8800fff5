"""The complete surface of WASI preview 1: 46 functions, each with its parameters.

A module may import any of them, and nothing else. ``i`` stands for a 32-bit and ``l`` for a 64-bit
integer; all functions return an error number, except ``proc_exit``, which does not return.

Mirrors: wasi_snapshot_preview1.witx.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kubesim.wasm.wasi import args, clock, fd, path, poll, proc, random, sock

MODULE = "wasi_snapshot_preview1"

# Part of every key under which a result is remembered: raise it when an answer changes.
HOST_ABI_VERSION = 2


@dataclass(frozen=True, slots=True)
class HostFunction:
    """One function that a guest may import.

    Attributes:
        call: Takes the guest and the parameters as unsigned numbers, returns an error number.
        parameters: One letter each, ``i`` or ``l``.
        returns: Whether it returns at all.
    """

    call: Callable[..., int]
    parameters: str
    returns: bool = True

    @property
    def name(self) -> str:
        """The name under which it is imported."""
        return self.call.__name__


FUNCTIONS = (
    HostFunction(args.args_get, "ii"),
    HostFunction(args.args_sizes_get, "ii"),
    HostFunction(args.environ_get, "ii"),
    HostFunction(args.environ_sizes_get, "ii"),
    HostFunction(clock.clock_res_get, "ii"),
    HostFunction(clock.clock_time_get, "ili"),
    HostFunction(fd.fd_advise, "illi"),
    HostFunction(fd.fd_allocate, "ill"),
    HostFunction(fd.fd_close, "i"),
    HostFunction(fd.fd_datasync, "i"),
    HostFunction(fd.fd_fdstat_get, "ii"),
    HostFunction(fd.fd_fdstat_set_flags, "ii"),
    HostFunction(fd.fd_fdstat_set_rights, "ill"),
    HostFunction(fd.fd_filestat_get, "ii"),
    HostFunction(fd.fd_filestat_set_size, "il"),
    HostFunction(fd.fd_filestat_set_times, "illi"),
    HostFunction(fd.fd_pread, "iiili"),
    HostFunction(fd.fd_prestat_dir_name, "iii"),
    HostFunction(fd.fd_prestat_get, "ii"),
    HostFunction(fd.fd_pwrite, "iiili"),
    HostFunction(fd.fd_read, "iiii"),
    HostFunction(fd.fd_readdir, "iiili"),
    HostFunction(fd.fd_renumber, "ii"),
    HostFunction(fd.fd_seek, "ilii"),
    HostFunction(fd.fd_sync, "i"),
    HostFunction(fd.fd_tell, "ii"),
    HostFunction(fd.fd_write, "iiii"),
    HostFunction(path.path_create_directory, "iii"),
    HostFunction(path.path_filestat_get, "iiiii"),
    HostFunction(path.path_filestat_set_times, "iiiilli"),
    HostFunction(path.path_link, "iiiiiii"),
    HostFunction(path.path_open, "iiiiillii"),
    HostFunction(path.path_readlink, "iiiiii"),
    HostFunction(path.path_remove_directory, "iii"),
    HostFunction(path.path_rename, "iiiiii"),
    HostFunction(path.path_symlink, "iiiii"),
    HostFunction(path.path_unlink_file, "iii"),
    HostFunction(poll.poll_oneoff, "iiii"),
    HostFunction(proc.proc_exit, "i", returns=False),
    HostFunction(proc.proc_raise, "i"),
    HostFunction(proc.sched_yield, ""),
    HostFunction(random.random_get, "ii"),
    HostFunction(sock.sock_accept, "iii"),
    HostFunction(sock.sock_recv, "iiiiii"),
    HostFunction(sock.sock_send, "iiiii"),
    HostFunction(sock.sock_shutdown, "ii"),
)
