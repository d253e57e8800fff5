"""Machine code on disk, so that a module is compiled once and not once a process.

Compiling costs about 0.8 ms for each kilobyte of a module, taking its machine code from disk a
tenth of a millisecond. An entry is named after the module, the engine's version and all its
settings, and begins with a digest of what
follows: a torn, cut or foreign file is ignored and written anew. The folder belongs to the user
alone, since what is in it is executed; one that others can write to, or that cannot be written at
all, means working without a cache.

Mirrors: wasmtime's own compilation cache (crates/cache).
Departs: nothing is ever thrown away; a module of 100 KB leaves about 430 KB.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

DIRECTORY_VARIABLE = "KUBESIM_CACHE_DIR"

_MAGIC = b"kubesim machine code 1\n"
_DIGEST_BYTES = 32


def default_directory() -> Path:
    """Where the cache is: ``$KUBESIM_CACHE_DIR/wasm``, or the user's cache folder."""
    chosen = os.environ.get(DIRECTORY_VARIABLE)
    if chosen:
        return Path(chosen) / "wasm"
    import platformdirs  # noqa: PLC0415 - needed at most once a process

    return platformdirs.user_cache_path("kubesim") / "wasm"


class ArtifactCache:
    """Machine code by module, in one folder.

    Args:
        directory: The folder; made when it is first needed.
        settings: A word for everything else the machine code depends on.
    """

    def __init__(self, directory: Path, *, settings: str) -> None:
        self._directory = directory
        self._settings = settings

    def path(self, digest: str) -> Path:
        """The file for a module.

        Args:
            digest: The module's digest, ``sha256:...``.
        """
        key = sha256(f"{digest}\n{self._settings}".encode()).hexdigest()
        return self._directory / f"{key}.aot"

    def read(self, digest: str) -> bytes | None:
        """The machine code of a module; ``None`` when there is none that can be trusted."""
        if not self._is_private():
            return None
        try:
            content = self.path(digest).read_bytes()
        except OSError:
            return None
        head = len(_MAGIC) + _DIGEST_BYTES
        artifact = content[head:]
        is_whole = content[:head] == _MAGIC + sha256(artifact).digest()
        return artifact if is_whole else None

    def write(self, digest: str, artifact: bytes) -> None:
        """Keep the machine code of a module, if that is possible."""
        with suppress(OSError):
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._is_private():
            return
        path = self.path(digest)
        with suppress(OSError):
            handle, name = tempfile.mkstemp(dir=self._directory, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_MAGIC + sha256(artifact).digest() + artifact)
                Path(name).replace(path)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise

    def _is_private(self) -> bool:
        """The folder is there, is ours, and nobody else can write to it."""
        try:
            found = self._directory.stat()
        except OSError:
            return False
        others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not others_write
