"""Spin's runtime configuration, as Spin reads it: where the data of each store and database is.

The operator (or the user, with ``loadFromSecret``) mounts the file; Spin reads it when it starts. A
label that a component may open must be defined in it, except ``default``, which Spin defines itself.
Whatever is wrong with it ends Spin, and its container with exit code 137, before it listens.

Mirrors: Spin crates/runtime-config, factor-key-value/src/runtime_config/spin.rs, crates/sqlite
    (the messages; ``default`` labels), key-value-spin, key-value-redis, key-value-azure, key-value-aws.
Departs: a file in the container's own layer is kept in memory (for one on a volume see ``storefiles``).
    Stores of Azure and AWS and databases of libSQL lie outside of the cluster,
    where nothing is: a guest is told that their host is unknown.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from kubesim.wire.filetree import File
from kubesim.wire.image import SpinGrants
from kubesim.wire.redis import REDIS_PORT

RUNTIME_CONFIG_PATH = "/runtime-config.toml"
UNKNOWN_HOST = "dns error: failed to lookup address information: Name or service not known"
DATABASES_UNDEFINED = (
    "One or more components use SQLite databases which are not defined.\n"
    "Check the spelling, or pass a runtime configuration file that defines these stores.\n"
    "See https://spinframework.dev/dynamic-configuration#sqlite-storage-runtime-configuration\n"
    "Details:\n"
)

Table = Mapping[str, Any]


class RuntimeConfigError(Exception):
    """Spin does not start with that; the message is Spin's, cause after cause."""


@dataclass(slots=True)
class RuntimeConfig:
    """Where the stores and databases are; those that are named nowhere are in the container.

    Attributes:
        redis_stores: Host and port of the Redis server, by label.
        unreachable: What opening says of a store outside of the cluster, by label.
        unreachable_databases: What a statement says of a database outside of it, by label.
        store_paths: Where the file of a store lies, if that was said.
        database_paths: Where the file of a database lies, if that was said.
    """

    redis_stores: dict[str, str] = field(default_factory=dict)
    unreachable: dict[str, str] = field(default_factory=dict)
    unreachable_databases: dict[str, str] = field(default_factory=dict)
    store_paths: dict[str, str] = field(default_factory=dict)
    database_paths: dict[str, str] = field(default_factory=dict)


def read(mounted: object, grants: SpinGrants, component: str) -> RuntimeConfig:
    """Take up a configuration.

    Args:
        mounted: What is mounted where Spin looks for it, if anything is.
        grants: What the application asks for.
        component: The component that asks, for messages.

    Raises:
        RuntimeConfigError: It is no TOML, has a store that Spin does not know, or lacks one.
    """
    data = _parsed(mounted) if isinstance(mounted, File) else {}
    config = RuntimeConfig()
    stores, databases = data.get("key_value_store", {}), data.get("sqlite_database", {})
    for label, table in _tables(stores, "key_value_store"):
        _take_store(config, label, table)
    for label, table in _tables(databases, "sqlite_database"):
        _take_database(config, label, table)
    if unknown := _undefined(grants.key_value_stores, stores):
        raise RuntimeConfigError(
            f'unknown key_value_stores label "{unknown[0]}" for component "{component}"'
        )
    if unknown := _undefined(grants.sqlite_databases, databases):
        lines = (f"- Component {component} uses database '{label}'" for label in unknown)
        raise RuntimeConfigError(DATABASES_UNDEFINED + "\n".join(lines))
    return config


def _parsed(file: File) -> dict[str, Any]:
    try:
        return tomllib.loads(file.data.decode())
    except ValueError as error:
        raise RuntimeConfigError(
            f"failed to resolve runtime config from {RUNTIME_CONFIG_PATH}: {error}"
        ) from None


def _tables(tables: object, key: str) -> Iterable[tuple[str, Table]]:
    """The tables of a table, those without a type refused."""
    if not isinstance(tables, dict):
        raise RuntimeConfigError(f"invalid type for key {key}: expected a map")
    for label, table in tables.items():
        if not isinstance(table, dict) or not isinstance(table.get("type"), str):
            raise RuntimeConfigError(f"missing field `type` in {key}.{label}")
        yield label, table


def _undefined(asked: Iterable[str], defined: Table) -> list[str]:
    return [label for label in asked if label != "default" and label not in defined]


def _take_store(config: RuntimeConfig, label: str, table: Table) -> None:
    take = _STORES.get(table["type"])
    where = f"could not configure key-value store with label '{label}'"
    if take is None:
        why = f"the store type '{table['type']}' was not registered with the config resolver"
        raise RuntimeConfigError(f"{where}: {why}")
    try:
        take(config, label, table)
    except RuntimeConfigError as error:
        raise RuntimeConfigError(f"{where}: {error}") from None


def _in_the_container(config: RuntimeConfig, label: str, table: Table) -> None:
    path = table.get("path", "")
    if path and isinstance(path, str):
        config.store_paths[label] = path
    if not isinstance(path, str):
        raise RuntimeConfigError(
            "could not parse key-value runtime config: invalid type for path, expected a string"
        )


def _in_redis(config: RuntimeConfig, label: str, table: Table) -> None:
    config.redis_stores[label] = _redis_host(_text(table, "url"))


def _redis_host(url: str) -> str:
    """The host and port of a Redis URL; what else is in it makes no difference."""
    made = "could not make key-value store from runtime config: Invalid Redis URL"
    try:
        parts = urlsplit(url)
        port = parts.port or REDIS_PORT
    except ValueError:
        raise RuntimeConfigError(made) from None
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise RuntimeConfigError(made)
    return f"{parts.hostname}:{port}"


def _outside(*required: str) -> Callable[[RuntimeConfig, str, Table], None]:
    def take(config: RuntimeConfig, label: str, table: Table) -> None:
        for key in required:
            _text(table, key)
        config.unreachable[label] = UNKNOWN_HOST

    return take


def _text(table: Table, key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str):
        raise RuntimeConfigError(
            f"could not parse key-value runtime config: missing field `{key}`"
        )
    return value


_STORES: dict[str, Callable[[RuntimeConfig, str, Table], None]] = {
    "spin": _in_the_container,
    "redis": _in_redis,
    "azure_cosmos": _outside("account", "database", "container"),
    "aws_dynamo": _outside("region", "table"),
}


def _take_database(config: RuntimeConfig, label: str, table: Table) -> None:
    if table["type"] == "libsql":
        for key in ("url", "token"):
            if not isinstance(table.get(key), str):
                raise RuntimeConfigError(f"missing field `{key}`")
        if not table["url"].startswith(("http://", "https://")):
            raise RuntimeConfigError(
                f"unexpected libSQL URL '{table['url']}' in runtime config file : URL does not start "
                "with 'https://' or 'http://'. Spin currently only supports talking to libSQL "
                "databases over HTTP(S)"
            )
        config.unreachable_databases[label] = f"error trying to connect: {UNKNOWN_HOST}"
    elif table["type"] != "spin":
        raise RuntimeConfigError(f"Unknown database kind: {table['type']}")
    elif isinstance(path := table.get("path"), str):
        config.database_paths[label] = path
