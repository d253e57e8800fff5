"""Exported functions: their signatures, and numbers in the form in which the engine takes them.

A raw value is 16 bytes, since it might be a vector; arguments lie side by side in one buffer, and
the results come back in the same one. Wasm's integers have no sign of their own: 2**32 - 1 and -1
are the same i32, both are accepted, and the signed one comes back.

Mirrors: wasmtime_val_raw_t in wasmtime's C API.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct

RAW_BYTES = 16

_LAYOUT = {
    "i32": Struct("<i12x"),
    "i64": Struct("<q8x"),
    "f32": Struct("<f12x"),
    "f64": Struct("<d8x"),
}
_INTEGER_BITS = {"i32": 32, "i64": 64}


@dataclass(frozen=True, slots=True)
class ExportedFunction:
    """An exported function.

    Attributes:
        name: Its name.
        parameters: The types it takes, such as ``i32``.
        results: The types it gives.
    """

    name: str
    parameters: tuple[str, ...]
    results: tuple[str, ...]

    @property
    def other_types(self) -> tuple[str, ...]:
        """The types in its signature that are not plain numbers."""
        return tuple(sorted({*self.parameters, *self.results} - _LAYOUT.keys()))

    def pack(self, arguments: Sequence[float]) -> bytes:
        """Raw values of the arguments."""
        pairs = zip(self.parameters, arguments, strict=True)
        return b"".join(_LAYOUT[kind].pack(_fitting(kind, value)) for kind, value in pairs)

    def unpack(self, raw: bytes) -> tuple[int | float, ...]:
        """Results from their raw values."""
        return tuple(
            _LAYOUT[kind].unpack_from(raw, number * RAW_BYTES)[0]
            for number, kind in enumerate(self.results)
        )


def _fitting(kind: str, value: float) -> float:
    bits = _INTEGER_BITS.get(kind)
    if bits is None:
        return value
    wrapped = int(value) & ((1 << bits) - 1)
    return wrapped - (1 << bits) if wrapped >> (bits - 1) else wrapped
