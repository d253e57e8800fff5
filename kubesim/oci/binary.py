"""A glance into a Wasm binary: whether it is a module or a component, and its outer face.

Only the sections that name imports and exports are read. Nothing is validated or compiled; that is
the engine's work, and an image can be built and looked into without it.

Mirrors: WebAssembly core 5.5 (binary format); component-model design/mvp/Binary.md.
Departs: of a component's imports and exports the names and sorts are read, not the types.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kubesim.errors import InputError

_MAGIC = b"\0asm"
_CORE = b"\x01\0\0\0"
_COMPONENT = b"\x01\0"

_CORE_IMPORT, _CORE_EXPORT = 2, 7
_NESTED_MODULE, _NESTED_COMPONENT, _IMPORT, _EXPORT = 1, 4, 10, 11


@dataclass(frozen=True, slots=True, kw_only=True)
class WasmFace:
    """What a binary shows to the outside.

    Attributes:
        is_component: It is a component, not a core module.
        imports: What it imports: ``module.name`` of a module, an interface of a component.
        exports: What it exports.
        modules: How many core modules are directly in it; 0 for a module.
        components: How many components are in it, at any depth.
    """

    is_component: bool
    imports: tuple[str, ...]
    exports: tuple[str, ...]
    modules: int = 0
    components: int = 0

    def offers(self, interface: str) -> bool:
        """Whether an interface is exported, in whatever version: ``wasi:http/incoming-handler``."""
        return any(name.partition("@")[0] == interface for name in self.exports)

    @property
    def target(self) -> str:
        """The operating system that OCI configs write: ``wasip1`` or ``wasip2``."""
        return "wasip2" if self.is_component else "wasip1"


def read_face(wasm: bytes, name: str = "the module") -> WasmFace:
    """The outer face of a binary.

    Args:
        wasm: The bytes.
        name: What it is called in messages.

    Raises:
        InputError: It is no Wasm, or it ends in the middle of something.
    """
    if not wasm.startswith(_MAGIC):
        raise InputError(f"{name} is not WebAssembly in its binary form")
    version = wasm[4:8]
    try:
        if version == _CORE:
            return _module_face(wasm)
        if version[2:] == _COMPONENT:
            return _component_face(wasm)
    except (IndexError, UnicodeDecodeError, RecursionError):
        raise InputError(f"{name} is damaged: a section does not end where it should") from None
    raise InputError(f"{name} is WebAssembly of an unknown version {version.hex()}")


class _Reader:
    """Takes numbers and names from bytes; an ``IndexError`` is the end of them."""

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self._data = data
        self.at = at
        self.end = len(data) if end is None else end
        if self.end > len(data):
            raise IndexError(end)

    def byte(self) -> int:
        if self.at >= self.end:
            raise IndexError(self.at)
        self.at += 1
        return self._data[self.at - 1]

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value
            if shift > 63:
                raise IndexError(self.at)

    def name(self) -> str:
        length = self.number()
        start, self.at = self.at, self.at + length
        if self.at > self.end:
            raise IndexError(self.at)
        return self._data[start : self.at].decode()

    def sections(self) -> Iterator[tuple[int, _Reader]]:
        while self.at < self.end:
            section = self.byte()
            size = self.number()
            body = _Reader(self._data, self.at, self.at + size)
            if body.end > self.end:
                raise IndexError(body.end)
            self.at = body.end
            yield section, body


def _module_face(wasm: bytes) -> WasmFace:
    imports: list[str] = []
    exports: list[str] = []
    for section, body in _Reader(wasm, 8).sections():
        if section == _CORE_IMPORT:
            for _ in range(body.number()):
                imports.append(f"{body.name()}.{body.name()}")
                _skip_core_type(body)
        elif section == _CORE_EXPORT:
            for _ in range(body.number()):
                exports.append(body.name())
                body.byte()
                body.number()
    return WasmFace(is_component=False, imports=tuple(imports), exports=tuple(exports))


def _skip_core_type(body: _Reader) -> None:
    """Skip what is imported: a function's type, a table, a memory, a global or a tag."""
    kind = body.byte()
    if kind == 0:
        body.number()
    elif kind == 1:
        _skip_value_type(body)
        _skip_limits(body)
    elif kind == 2:
        _skip_limits(body)
    elif kind == 3:
        _skip_value_type(body)
        body.byte()
    else:
        body.byte()
        body.number()


def _skip_value_type(body: _Reader) -> None:
    if body.byte() in (0x63, 0x64):  # a reference to a heap type, which is a number
        body.number()


def _skip_limits(body: _Reader) -> None:
    flags = body.byte()
    body.number()
    if flags & 1:
        body.number()


def _component_face(wasm: bytes) -> WasmFace:
    imports: list[str] = []
    exports: list[str] = []
    modules = components = 0
    for section, body in _Reader(wasm, 8).sections():
        if section == _NESTED_MODULE:
            modules += 1
        elif section == _NESTED_COMPONENT:
            components += 1 + _component_face(wasm[body.at : body.end]).components
        elif section == _IMPORT:
            for _ in range(body.number()):
                imports.append(_extern_name(body))
                _skip_extern(body)
        elif section == _EXPORT:
            for _ in range(body.number()):
                exports.append(_extern_name(body))
                _skip_sort(body)
                if body.byte():
                    _skip_extern(body)
    return WasmFace(
        is_component=True,
        imports=tuple(imports),
        exports=tuple(exports),
        modules=modules,
        components=components,
    )


def _extern_name(body: _Reader) -> str:
    has_suffix = body.byte() == 2
    name = body.name()
    if has_suffix:
        name += body.name()
    return name


def _skip_sort(body: _Reader) -> None:
    if body.byte() == 0:
        body.byte()  # which of the core sorts
    body.number()


def _skip_extern(body: _Reader) -> None:
    sort = body.byte()
    if sort == 0:
        body.byte()
        body.number()
    elif sort in (2, 3):
        bound = body.byte()
        if sort == 2 or bound == 0:
            body.number()
    else:
        body.number()
