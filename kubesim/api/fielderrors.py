"""What is wrong with a field of an object: values, in the API server's words.

A check returns ``FieldError``s; an empty list means that all is well. The text of one is what a
user of the real API server reads: ``spec.replicas: Invalid value: -1: must be greater than or
equal to 0``.

Mirrors: staging/src/k8s.io/apimachinery/pkg/util/validation/field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

__all__ = [
    "FieldError",
    "Key",
    "KeyPath",
    "duplicate",
    "forbidden",
    "format_path",
    "invalid",
    "not_supported",
    "required",
    "too_long",
    "too_many",
]


class Key(str):
    """A key of a map, in a path: written ``limits[cpu]``; a field would be ``limits.cpu``."""

    __slots__ = ()


KeyPath = tuple[str | int, ...]
"""Where in an object: ``("spec", "containers", 0, "resources", "limits", Key("cpu"))``."""

_PLAIN = re.compile(r"[A-Za-z0-9_-]+")


def format_path(path: KeyPath) -> str:
    """A path as Kubernetes writes it: ``spec.containers[0].image``, ``metadata.labels[a/b]``."""
    text = ""
    for part in path:
        if isinstance(part, int | Key) or not _PLAIN.fullmatch(part):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing that is wrong with one field.

    Attributes:
        path: The field, by its wire names.
        reason: The machine's word for it, such as ``FieldValueInvalid``.
        message: The sentence, without the path.
    """

    path: KeyPath
    reason: str
    message: str

    @property
    def field(self) -> str:
        """The path as text."""
        return format_path(self.path)

    def under(self, path: KeyPath) -> FieldError:
        """The same error of an object that is part of another, at ``path``."""
        return FieldError((*path, *self.path), self.reason, self.message)

    @override
    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def required(path: KeyPath, detail: str = "") -> FieldError:
    """A value is missing."""
    return FieldError(path, "FieldValueRequired", _with("Required value", detail))


def invalid(path: KeyPath, value: Any, detail: str) -> FieldError:
    """A value is not acceptable."""
    return FieldError(path, "FieldValueInvalid", _with(f"Invalid value: {_show(value)}", detail))


def not_supported(path: KeyPath, value: Any, supported: Iterable[str]) -> FieldError:
    """A value is none of those that are known."""
    choices = ", ".join(f'"{choice}"' for choice in supported)
    message = f"Unsupported value: {_show(value)}: supported values: {choices}"
    return FieldError(path, "FieldValueNotSupported", message)


def duplicate(path: KeyPath, value: Any) -> FieldError:
    """A value that must be unique is there twice."""
    return FieldError(path, "FieldValueDuplicate", f"Duplicate value: {_show(value)}")


def forbidden(path: KeyPath, detail: str) -> FieldError:
    """A field must not be set here."""
    return FieldError(path, "FieldValueForbidden", _with("Forbidden", detail))


def too_long(path: KeyPath, limit_bytes: int) -> FieldError:
    """A value has too many bytes."""
    message = f"Too long: may not be more than {limit_bytes} bytes"
    return FieldError(path, "FieldValueTooLong", message)


def too_many(path: KeyPath, count: int, limit: int) -> FieldError:
    """A list has too many items."""
    return FieldError(
        path, "FieldValueTooMany", f"Too many: {count}: must have at most {limit} items"
    )


def _with(message: str, detail: str) -> str:
    return f"{message}: {detail}" if detail else message


def _show(value: Any) -> str:
    """A value as the API server shows it: texts in quotes, the rest as in JSON."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict):
        inside = ",".join(f'"{key}":{_show(item)}' for key, item in sorted(value.items()))
        return f"{{{inside}}}"
    if isinstance(value, tuple | list):
        return f"[{','.join(_show(item) for item in value)}]"
    return f'"{value}"'
