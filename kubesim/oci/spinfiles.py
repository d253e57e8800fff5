"""The files that a Spin component takes with it: which ones, and under which path.

A pattern takes files with their path below the application's folder; a pair of source and
destination takes a folder or a file to another path. What is excluded stays, and nothing from
outside of the application's folder comes in, not even through a link.

Mirrors: Spin crates/loader/src/local.rs (copy_file_mounts, copy_glob_or_path).
Departs: patterns are those of pathlib: ``**`` stands alone between slashes.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from kubesim.errors import InputError
from kubesim.oci.spinmanifest import Component, Mount

_WILD = frozenset("*?[")


def component_files(component: Component, folder: Path) -> dict[str, Path]:
    """The files of a component by the path under which the guest has them, sorted.

    Args:
        component: Whose files.
        folder: The application's folder.

    Raises:
        InputError: A source is not there, or is outside of the folder.
    """
    root = folder.resolve()
    found: dict[str, Path] = {}
    for mount in component.files:
        for guest, file in _mounted(mount, root):
            if not file.resolve().is_relative_to(root):
                raise InputError(f'"{file.relative_to(root)}" is a link out of the application')
            shown = file.relative_to(root).as_posix()
            if not any(_excludes(pattern, shown) for pattern in component.exclude_files):
                found[guest.lstrip("/")] = file
    return dict(sorted(found.items()))


def _mounted(mount: Mount, root: Path) -> Iterator[tuple[str, Path]]:
    if not isinstance(mount, str):
        source = _inside(mount.source, root)
        if not mount.destination.startswith("/"):
            raise InputError(f'the destination "{mount.destination}" does not begin with a slash')
        for file in _below(source, mount.source):
            rest = "" if file == source else file.relative_to(source).as_posix()
            yield str(PurePosixPath(mount.destination) / rest), file
        return
    if PurePosixPath(mount).is_absolute() or ".." in PurePosixPath(mount).parts:
        raise InputError(f'the pattern "{mount}" leaves the folder of the application')
    exact = root / mount
    if exact.exists():
        files: Iterator[Path] = _below(exact, mount)
    elif _WILD & set(mount):
        files = (file for file in root.glob(mount.removeprefix("./")) if file.is_file())
    else:
        raise InputError(f'"{mount}" is not there and is no pattern')
    for file in files:
        yield file.relative_to(root).as_posix(), file


def _inside(source: str, root: Path) -> Path:
    path = root / source
    if not path.exists():
        raise InputError(f'"{source}" is not there')
    if not path.resolve().is_relative_to(root):
        raise InputError(f'"{source}" is outside of the folder of the application')
    return path.resolve()


def _below(path: Path, name: str) -> Iterator[Path]:
    if path.is_file():
        return iter((path,))
    files = (file for file in path.rglob("*") if file.is_file())
    if not path.is_dir():
        raise InputError(f'"{name}" is neither a file nor a folder')
    return files


def _excludes(pattern: str, path: str) -> bool:
    """Whether a path matches a pattern; ``**`` stands for any number of folders, none included."""
    return _matches(pattern.removeprefix("./").split("/"), path.split("/"))


def _matches(pattern: list[str], path: list[str]) -> bool:
    if not pattern or not path:
        return not pattern and not path
    if pattern[0] == "**" and len(pattern) > 1:
        return _matches(pattern[1:], path) or _matches(pattern, path[1:])
    if pattern == ["**"]:
        return True
    return fnmatchcase(path[0], pattern[0]) and _matches(pattern[1:], path[1:])
