"""Spin's runtime configuration as the operator renders it: the text, and what it needs for it. Pure.

The bytes matter: their Adler-32 checksum is in the Secret's name, so that an application is rolled
out again when, and only when, its configuration has changed.

Mirrors: spin-operator internal/runtimeconfig (runtime_config.go, types.go); the writing of
pelletier/go-toml v2 (marshaler.go): literal strings, sorted keys, a header for every table.
"""

from __future__ import annotations

import re
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping

from kubesim.api.corev1 import ConfigMap, Secret
from kubesim.api.spinv1alpha1 import RuntimeConfigOption, SpinApp

FILE = "runtime-config.toml"
VARIABLES_PREFIX = "SPIN_VARIABLE_"

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_NEEDS_QUOTES = re.compile(r"['\x00-\x08\x0a-\x1f\x7f]")
_ESCAPES = {
    "\\": "\\\\", '"': '\\"', "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
}  # fmt: skip

Table = dict[str, str]
Find = Callable[[type[ConfigMap | Secret], str], ConfigMap | Secret | None]


class UnmetDependencyError(Exception):
    """A Secret or ConfigMap that the configuration needs does not exist."""


def render(app: SpinApp, find: Find) -> str | None:
    """The text of ``runtime-config.toml``; ``None`` when the user brings a Secret with it.

    Args:
        app: The application.
        find: The ConfigMap or Secret of that name in the application's namespace.

    Raises:
        UnmetDependencyError: If one is missing.
    """
    config = app.spec.runtime_config
    if config.load_from_secret:
        return None
    _check_unique([store.name for store in config.key_value_stores], "key value store")
    _check_unique([database.name for database in config.sqlite_databases], "sqlite database")
    stores = {s.name: _table(s.type, s.options, find) for s in config.key_value_stores}
    databases = {d.name: _table(d.type, d.options, find) for d in config.sqlite_databases}
    parts = ["[[config_provider]]\n" + _keys({"type": "env", "prefix": VARIABLES_PREFIX})]
    parts += _tables("key_value_store", stores)
    parts += _tables("sqlite_database", databases)
    if config.llm_compute is not None:
        llm = _table(config.llm_compute.type, config.llm_compute.options, find)
        parts.append("[llm_compute]\n" + _keys(dict(sorted(llm.items()))))
    return "\n".join(parts)


def secret_name(app: SpinApp, text: str) -> str:
    """The name of the Secret with that text."""
    return f"{app.name}-{zlib.adler32(text.encode()):x}"


def _check_unique(names: list[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise UnmetDependencyError(f"duplicate definition for {what} with name: {name}")


def _table(type_: str, options: tuple[RuntimeConfigOption, ...], find: Find) -> Table:
    return {"type": type_, **{option.name: _value(option, find) for option in options}}


def _value(option: RuntimeConfigOption, find: Find) -> str:
    source = option.value_from
    if option.value or source is None:
        return option.value or ""
    if (of_map := source.config_map_key_ref) is not None:
        config_map = find(ConfigMap, of_map.name or "")
        if config_map is None:
            raise UnmetDependencyError(f'configmaps "{of_map.name}" not found')
        return config_map.data.get(of_map.key, "")
    if (of_secret := source.secret_key_ref) is not None:
        secret = find(Secret, of_secret.name or "")
        if secret is None:
            raise UnmetDependencyError(f'secrets "{of_secret.name}" not found')
        return b64decode(secret.data.get(of_secret.key, "")).decode(errors="replace")
    return ""


def _tables(name: str, tables: Mapping[str, Table]) -> Iterator[str]:
    """A table of tables, in one piece; nothing when it is empty."""
    if not tables:
        return
    inner = [
        f"[{name}.{_key(key)}]\n" + _keys(dict(sorted(table.items())))
        for key, table in sorted(tables.items())
    ]
    yield f"[{name}]\n" + "\n".join(inner)


def _keys(table: Table) -> str:
    return "".join(f"{_key(key)} = {_string(value)}\n" for key, value in table.items())


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _string(key)


def _string(text: str) -> str:
    if not _NEEDS_QUOTES.search(text):
        return f"'{text}'"
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    return f"\\u{ord(char):04X}" if char < " " or char == "\x7f" else char
