"""A pool's kubelet and containerd configuration out of the files that an operator has.

A KubeletConfiguration is YAML and validated like everything else here. A ``config.toml`` is read for
its image and runtime tables, of version 2 and version 3; other plugins' tables are accepted and
reported.

Mirrors: containerd docs/cri/config.md, config version 2 (``io.containerd.grpc.v1.cri``) and version 3
(``io.containerd.cri.v1.images``, ``io.containerd.cri.v1.runtime``).
Departs: ``imports`` are not followed, and version 1 is not read.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kubesim.errors import InputError, Problem
from kubesim.manifests import Document, closest, read_paths, validate
from kubesim.oci.tomlplaces import TomlPlaces
from kubesim.scenario.format import ContainerdSettings, NodePool, RuntimeTable, ScenarioSpec
from kubesim.scenario.format.kubelet import KubeletFile
from kubesim.scenario.nodeconfig import cri_config

TomlPath = tuple[str | int, ...]

MODELLED_ENGINES = ("slight", "wasmedge", "wasmer", "wamr", "crun")

CRI_V2 = "io.containerd.grpc.v1.cri"
IMAGES_V3 = "io.containerd.cri.v1.images"
RUNTIME_V3 = "io.containerd.cri.v1.runtime"

# Settings of the tables that are read which make no difference here.
UNSIMULATED_TOML = frozenset(
    {
        "cdi_spec_dirs", "cgroup_writable", "cni", "concurrent_layer_fetch_buffer", "containerd",
        "device_ownership_from_security_context", "disable_apparmor", "disable_cgroup",
        "disable_hugetlb_controller", "disable_proc_mount", "disable_snapshot_annotations",
        "disable_tcp_service", "drain_exec_sync_io_timeout", "enable_cdi", "enable_selinux",
        "enable_tls_streaming", "enable_unprivileged_icmp", "enable_unprivileged_ports",
        "ignore_blockio_not_enabled_errors", "ignore_image_defined_volumes",
        "ignore_rdt_not_enabled_errors", "image_decryption", "image_pull_with_sync_fs",
        "max_concurrent_unpacks", "max_container_log_line_size", "netns_mounts_under_state_dir",
        "pinned_images", "registry", "restrict_oom_score_adj", "runtime_platforms",
        "selinux_category_range", "stats_collect_period", "stats_retention_period",
        "stream_idle_timeout", "stream_server_address", "stream_server_port",
        "systemd_cgroup", "tolerate_missing_hugetlb_controller", "unset_seccomp_profile",
        "use_local_image_pull", "x509_key_pair_streaming", "ignore_deprecation_warnings",
    }
)  # fmt: skip


def with_files(
    spec: ScenarioSpec, document: Document, folder: Path
) -> tuple[ScenarioSpec, list[Path], list[str]]:
    """A scenario with the files of its pools read; also which files, and what they say in vain.

    Raises:
        InputError: With what is wrong in them.
    """
    pools: list[NodePool] = []
    files: list[Path] = []
    notes: list[str] = []
    for index, pool in enumerate(spec.node_pools):
        update: dict[str, Any] = {}
        if pool.kubelet.file is not None:
            where = (*("spec", "nodePools", index), "kubelet")
            file = _existing(folder, pool.kubelet.file, document, where)
            documents = read_paths([file])
            if len(documents) != 1:
                raise InputError(Problem(message="expected one document", file=str(file)))
            update["kubelet"] = _merged(validate(documents[0], KubeletFile), pool.kubelet)
            files.append(file)
        if pool.containerd.file is not None:
            where = (*("spec", "nodePools", index), "containerd")
            file = _existing(folder, pool.containerd.file, document, where)
            settings, unread = read_config_toml(file)
            update["containerd"] = _merged(settings, pool.containerd)
            notes += [f"{pool.containerd.file}: {path} has no effect" for path in unread]
            files.append(file)
        pools.append(pool.model_copy(update=update) if update else pool)
    return spec.model_copy(update={"node_pools": tuple(pools)}), files, notes


def unsimulated_settings(spec: ScenarioSpec) -> Iterator[str]:
    """What pools configure that makes no difference here."""
    for pool in spec.node_pools:
        for name in pool.kubelet.unsimulated():
            yield f"pool {pool.name}: KubeletConfiguration {name} has no effect"
        for name in pool.containerd.unsimulated():
            yield f"pool {pool.name}: containerd {name} has no effect"
    shims = [
        entry.shim for pool in spec.node_pools for entry in cri_config(pool).runtimes.values()
    ]
    for shim in dict.fromkeys(shims):
        if shim in MODELLED_ENGINES:
            yield f"{shim}: modules run in wasmtime; its own times and memory are models"


def read_config_toml(file: Path) -> tuple[ContainerdSettings, list[str]]:
    """The settings from containerd's ``config.toml``, and the paths that are not simulated.

    Raises:
        InputError: If it is no TOML, of a version that is not read, or has what containerd has not.
    """
    text = file.read_text(encoding="utf-8")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(Problem(message=f"not TOML: {error}", file=str(file))) from None
    return _ConfigToml(data, text, file).read()


class _ConfigToml:
    """Goes through the tables once and collects."""

    def __init__(self, data: dict[str, Any], text: str, file: Path) -> None:
        self._data = data
        self._text = text
        self._file = file
        self._found: dict[str, Any] = {}
        self._places: dict[TomlPath, TomlPath] = {}
        self._unread: list[str] = []
        self._problems: list[Problem] = []

    def read(self) -> tuple[ContainerdSettings, list[str]]:
        version = self._data.get("version", 1)
        if version not in (2, 3, 4):
            message = f"version {version} of config.toml is not read"
            self._problem(message, ("version",), "versions 2 and 3 are")
        for key in self._data:
            if key not in ("version", "plugins", "root", "state"):
                self._unread.append(key)
        for name, table in self._data.get("plugins", {}).items():
            path: TomlPath = ("plugins", name)
            if name == CRI_V2:
                self._table(table, path, nested=True)
            elif name in (IMAGES_V3, RUNTIME_V3):
                self._table(table, path, nested=name == RUNTIME_V3)
            else:
                self._unread.append(f'plugins."{name}"')
        settings = ContainerdSettings()
        try:
            settings = ContainerdSettings.model_validate(self._found)
        except ValidationError as error:
            for details in error.errors(include_url=False):
                location = tuple(details["loc"])
                place = self._places.get(location[:3], self._places.get(location[:1], ()))
                self._problem(f"{location[-1]}: {details['msg']}", place)
        if self._problems:
            raise InputError(self._problems)
        return settings, self._unread

    def _table(self, table: dict[str, Any], path: TomlPath, *, nested: bool) -> None:
        known = set(ContainerdSettings.model_fields) - {"file", "runtimes"}
        for key, value in table.items():
            here = (*path, key)
            if key == "containerd" and nested:
                self._containerd(value, here)
            elif key == "pinned_images" and "sandbox" in value:
                self._take("sandbox_image", value["sandbox"], (*here, "sandbox"))
            elif key in known:
                self._take(key, value, here)
            elif key in UNSIMULATED_TOML:
                self._unread.append(key)
            else:
                self._unknown(key, here, known | UNSIMULATED_TOML)

    def _containerd(self, table: dict[str, Any], path: TomlPath) -> None:
        known = {"default_runtime_name", "snapshotter", "discard_unpacked_layers"}
        for key, value in table.items():
            here = (*path, key)
            if key == "runtimes":
                for handler, runtime in value.items():
                    self._runtime(handler, runtime, (*here, handler))
            elif key in known:
                self._take(key, value, here)
            elif key in UNSIMULATED_TOML:
                self._unread.append(key)
            else:
                self._unknown(key, here, known | UNSIMULATED_TOML | {"runtimes"})

    def _runtime(self, handler: str, runtime: dict[str, Any], path: TomlPath) -> None:
        known = set(RuntimeTable.model_fields)
        for key in runtime:
            if key in UNSIMULATED_TOML:
                self._unread.append(key)
            elif key not in known:
                self._unknown(key, (*path, key), known)
        entry = {key: value for key, value in runtime.items() if key in known}
        self._found.setdefault("runtimes", {})[handler] = entry
        self._places["runtimes", handler] = path
        for key in entry:
            self._places["runtimes", handler, key] = (*path, key)

    def _take(self, key: str, value: Any, path: TomlPath) -> None:
        self._found[key] = value
        self._places[key,] = path

    def _unknown(self, key: str, path: TomlPath, known: set[str] | frozenset[str]) -> None:
        near = closest(key, sorted(known))
        self._problem(f'unknown field "{key}"', path, f'did you mean "{near}"?' if near else "")

    def _problem(self, message: str, path: TomlPath, suggestion: str = "") -> None:
        line, column = TomlPlaces(self._text).locate(path)
        self._problems.append(
            Problem(
                message=message,
                file=str(self._file),
                line=line,
                column=column,
                suggestion=suggestion,
            )
        )


def _merged(base: Any, over: Any) -> Any:
    """``base`` with everything that was given in ``over``."""
    given = {name: getattr(over, name) for name in over.model_fields_set if name != "file"}
    return base.model_copy(update=given)


def _existing(folder: Path, path: str, document: Document, where: tuple[str | int, ...]) -> Path:
    file = folder / path
    if not file.is_file():
        raise InputError(document.problem(f'no file "{path}"', where))
    return file
