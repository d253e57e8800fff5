"""From a Spin application to its locked form: JSON in which everything is resolved.

Triggers get ids, components written inside a trigger get names, every module and file becomes a
digest. What is small stands in the JSON itself; what is not is a layer of the image.

Mirrors: Spin crates/locked-app/src/locked.rs, crates/manifest/src/normalize.rs,
    crates/loader/src/local.rs, crates/oci/src/client.rs (content_ref_for_layer).
Departs: modules are files; one from a URL or a package registry must be downloaded first.
    Dependencies are not composed into the component but listed with it, as spin does with
    --skip-compose. More layers than a registry takes is an error, where Spin packs an archive.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubesim.errors import InputError
from kubesim.oci import media
from kubesim.oci.binary import read_face
from kubesim.oci.manifest import Descriptor, describe, encode
from kubesim.oci.spinfiles import component_files
from kubesim.oci.spinmanifest import (
    AppDependency,
    Component,
    ComponentRef,
    Dependency,
    LocalDependency,
    Source,
    SpinManifest,
    Trigger,
)
from kubesim.oci.spinreading import SpinApp
from kubesim.oci.tomlplaces import Path as Place
from kubesim.wire.image import sha256_digest

INLINE_BYTES_MAX = 128
LAYERS_MAX = 500
SERVICE_CHAINING = ".spin.internal"


@dataclass(frozen=True, slots=True)
class LockedApp:
    """A locked application and what it refers to.

    Attributes:
        data: The JSON.
        layers: Modules and files in order, each once.
        blobs: Their content by digest.
    """

    data: dict[str, Any]
    layers: tuple[Descriptor, ...]
    blobs: dict[str, bytes] = field(repr=False)


def lock(app: SpinApp) -> LockedApp:
    """Lock an application.

    Raises:
        InputError: A module or a file is missing, is no Wasm, or lies elsewhere than in a file.
    """
    return _Locker(app).lock()


class _Locker:
    """Locks one application and collects its layers."""

    def __init__(self, app: SpinApp) -> None:
        self._app = app
        self._folder = app.file.parent
        self._layers: dict[str, Descriptor] = {}
        self._blobs: dict[str, bytes] = {}
        self._components: dict[str, tuple[Component, Place]] = {
            name: (component, ("component", name))
            for name, component in app.manifest.component.items()
        }

    def lock(self) -> LockedApp:
        manifest = self._app.manifest
        triggers = self._triggers(manifest)
        components = [self._component(name) for name in self._components]
        if len(self._layers) >= LAYERS_MAX:
            message = f"{len(self._layers)} layers are more than registries take ({LAYERS_MAX})"
            raise InputError(self._app.problem(message, ("component",)))
        chained = any("host_requirements" in component for component in components)
        data: dict[str, Any] = {"spin_lock_version": 1 if chained else 0}
        if chained:
            data["must_understand"] = ["component_host_requirements"]
        data["metadata"] = _metadata(manifest)
        if manifest.variables:
            data["variables"] = {
                name: _filled(
                    description=variable.description,
                    default=variable.default,
                    secret=variable.secret or None,
                )
                for name, variable in sorted(manifest.variables.items())
            }
        data["triggers"] = triggers
        data["components"] = components
        return LockedApp(data, tuple(self._layers.values()), self._blobs)

    def _triggers(self, manifest: SpinManifest) -> list[dict[str, Any]]:
        by_type = manifest.trigger.by_type()
        taken = {trigger.id for each in by_type.values() for trigger in each}
        locked = []
        for kind in self._app.data["trigger"]:
            for number, trigger in enumerate(by_type.get(kind, [])):
                name = trigger.id or _trigger_id(trigger, kind, taken)
                taken.add(name)
                place: Place = ("trigger", kind, number)
                locked.append(
                    {
                        "id": name,
                        "trigger_type": kind,
                        "trigger_config": self._trigger_config(trigger, name, place),
                    }
                )
        return locked

    def _trigger_config(self, trigger: Trigger, name: str, place: Place) -> dict[str, Any]:
        config = trigger.model_dump(
            exclude={"id", "component", "components"}, exclude_none=True, exclude_unset=True
        )
        if trigger.component is not None:
            where = (*place, "component")
            config["component"] = self._named(trigger.component, f"{name}-component", where)
        if trigger.components:
            config["components"] = {
                role: [
                    self._named(each, f"{name}-{role}", (*place, "components", role))
                    for each in (refs if isinstance(refs, list) else [refs])
                ]
                for role, refs in trigger.components.items()
            }
        return dict(sorted(config.items()))

    def _named(self, component: ComponentRef, wish: str, place: Place) -> str:
        """The name of a component; one that is written in its trigger gets one."""
        if isinstance(component, str):
            return component
        number = 0
        name = wish
        while name in self._components:
            number += 1
            name = f"inline-component{number}"
        self._components[name] = component, place
        return name

    def _component(self, name: str) -> dict[str, Any]:
        component, place = self._components[name]
        metadata = _filled(
            description=component.description,
            allowed_outbound_hosts=outbound_hosts(component),
            key_value_stores=component.key_value_stores,
            databases=component.sqlite_databases,
            ai_models=component.ai_models,
            build=component.build.model_dump(exclude_unset=True) if component.build else None,
        )
        source = self._wasm(component.source, (*place, "source"))
        try:
            files = component_files(component, self._folder)
        except InputError as error:
            message = error.problems[0].message
            raise InputError(self._app.problem(message, (*place, "files"))) from None
        chained = any(SERVICE_CHAINING in host for host in component.allowed_outbound_hosts)
        return {
            "id": name,
            **_filled(metadata=metadata),
            "source": {"content_type": media.ARTIFACT_LAYER, **source},
            **_filled(
                env=dict(sorted(component.environment.items())),
                files=[self._file(guest, file) for guest, file in files.items()],
                config=dict(sorted(component.variables.items())),
                dependencies={
                    each: self._dependency(dependency, component, (*place, "dependencies", each))
                    for each, dependency in sorted(component.dependencies.items())
                },
                host_requirements={"local_service_chaining": "required"} if chained else None,
            ),
        }

    def _dependency(
        self, dependency: Dependency, component: Component, place: Place
    ) -> dict[str, Any]:
        if isinstance(dependency, AppDependency):
            found = self._components.get(dependency.component)
            if found is None:
                message = f'there is no component "{dependency.component}"'
                raise InputError(self._app.problem(message, place))
            source = self._wasm(found[0].source, place)
        elif isinstance(dependency, LocalDependency):
            source = self._wasm(dependency.path, place)
        else:
            raise InputError(self._app.problem(_ELSEWHERE, place, _DOWNLOAD))
        inherits = component.dependencies_inherit_configuration
        return {
            "source": {"content_type": media.ARTIFACT_LAYER, **source},
            "export": dependency.export,
            **_filled(inherit="All" if inherits else None),
        }

    def _wasm(self, source: Source, place: Place) -> dict[str, str]:
        if not isinstance(source, str):
            raise InputError(self._app.problem(_ELSEWHERE, place, _DOWNLOAD))
        content = self._read(self._folder / source, f'module "{source}"', place)
        try:
            read_face(content, f'module "{source}"')
        except InputError as error:
            message = error.problems[0].message
            raise InputError(self._app.problem(message, place)) from None
        self._layer(content, media.SPIN_WASM_LAYER)
        return _content(content)

    def _file(self, guest: str, file: Path) -> dict[str, str]:
        content = self._read(file, f'file "{guest}"', ("component",))
        if len(content) > INLINE_BYTES_MAX:
            self._layer(content, media.SPIN_DATA_LAYER)
        return {**_content(content), "path": guest}

    def _layer(self, content: bytes, media_type: str) -> None:
        layer = describe(content, media_type)
        self._layers.setdefault(layer.digest, layer)
        self._blobs[layer.digest] = content

    def _read(self, file: Path, what: str, place: Place) -> bytes:
        try:
            return file.read_bytes()
        except OSError as error:
            why = error.strerror or str(error)
            hint = "build it first" if what.startswith("module") else ""
            raise InputError(self._app.problem(f"{what}: {why}", place, hint)) from None


_ELSEWHERE = "only a module in a file can be put into an image"
_DOWNLOAD = "download it and give its path"


def outbound_hosts(component: Component) -> list[str]:
    """Where a component may connect to, with the hosts of the obsolete field."""
    hosts = list(component.allowed_outbound_hosts)
    for host in component.allowed_http_hosts:
        if host == "insecure:allow-all":
            hosts += ["http://*:*", "https://*:*"]
        elif "://" in host:
            hosts.append(host)
        else:
            hosts += [f"http://{host}", f"https://{host}"]
    return hosts


def _trigger_id(trigger: Trigger, kind: str, taken: set[str]) -> str:
    natural = f"{trigger.component}-{kind}-trigger"
    if isinstance(trigger.component, str) and natural not in taken:
        return natural
    number = 1
    while f"{kind}-trigger{number}" in taken:
        number += 1
    return f"{kind}-trigger{number}"


def _metadata(manifest: SpinManifest) -> dict[str, Any]:
    application = manifest.application
    kinds = list(manifest.trigger.by_type())
    only = kinds[0] if len(kinds) == 1 else None
    return _filled(
        name=application.name,
        version=application.version,
        description=application.description,
        authors=application.authors,
        triggers=application.trigger,
        trigger={"type": only, **application.trigger.get(only, {})} if only else None,
    )


def _content(content: bytes) -> dict[str, str]:
    inline = base64.b64encode(content).decode()
    small = {"inline": inline} if len(content) <= INLINE_BYTES_MAX else {}
    return {**small, "digest": sha256_digest(content)}


def _filled(**fields: Any) -> dict[str, Any]:
    """The fields that have something in them."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def encode_locked(app: LockedApp) -> bytes:
    """The locked application as its layer has it."""
    return encode(app.data)
