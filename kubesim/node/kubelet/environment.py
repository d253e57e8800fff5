"""The environment of a container: values, references, and what is made of ``$(NAME)``. Pure.

``envFrom`` comes first and ``env`` wins over it; a later variable may use an earlier one. A reference
to a ConfigMap, a Secret or a key that is not there keeps the container from being created
(``CreateContainerConfigError``), unless it is optional.

Mirrors: pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables, podFieldSelectorRuntimeValue),
third_party/forked/golang/expansion, pkg/api/v1/resource (ExtractContainerResourceValue),
pkg/fieldpath.
Departs: no variables for Services (``enableServiceLinks``) and none from env files; an ``envFrom``
key that is no variable's name is left out without an event.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kubesim.api.corev1 import (
    ConfigMap,
    Container,
    EnvFromSource,
    EnvVar,
    Pod,
    ResourceFieldSelector,
    Secret,
)
from kubesim.api.quantity import Quantity

_REFERENCE = re.compile(r"\$(?:\$|\(([^()]*)\))")
_KEYED_FIELD = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]")
_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")


class ConfigError(Exception):
    """The container cannot be configured; the message is the kubelet's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a container's references can point to.

    Attributes:
        config_maps: By name, those of the pod's namespace that were found.
        secrets: The same of Secrets.
        node: The node's name.
        host_ip: The node's address.
        pod_ip: The pod's address.
        allocatable: What of the node's resources pods may have: the limit of a container without.
    """

    config_maps: Mapping[str, ConfigMap]
    secrets: Mapping[str, Secret]
    node: str
    host_ip: str
    pod_ip: str
    allocatable: Mapping[str, Quantity]


def references(container: Container) -> Iterator[tuple[type[ConfigMap | Secret], str]]:
    """The ConfigMaps and Secrets that the container's environment needs, in order."""
    for source in container.env_from:
        if source.config_map_ref is not None:
            yield ConfigMap, source.config_map_ref.name or ""
        if source.secret_ref is not None:
            yield Secret, source.secret_ref.name or ""
    for variable in container.env:
        from_ = variable.value_from
        if from_ is None:
            continue
        if from_.config_map_key_ref is not None:
            yield ConfigMap, from_.config_map_key_ref.name or ""
        if from_.secret_key_ref is not None:
            yield Secret, from_.secret_key_ref.name or ""


def environment(
    pod: Pod, container: Container, around: Surroundings
) -> tuple[tuple[str, str], ...]:
    """The variables that the container gets.

    Raises:
        ConfigError: If something that is not optional is missing.
    """
    values: dict[str, str] = {}
    for source in container.env_from:
        values.update(_from_source(pod, source, around))
    for variable in container.env:
        value = _value(pod, container, variable, around, values)
        if value is not None:
            values.pop(variable.name, None)
            values[variable.name] = value
    return tuple(values.items())


def _value(
    pod: Pod,
    container: Container,
    variable: EnvVar,
    around: Surroundings,
    values: Mapping[str, str],
) -> str | None:
    """One variable's value; ``None`` when its optional source is not there."""
    source = variable.value_from
    if variable.value or source is None:
        return expand(variable.value or "", values)
    if source.field_ref is not None:
        return field_value(pod, source.field_ref.field_path, around)
    if source.resource_field_ref is not None:
        return resource_value(pod, container, source.resource_field_ref, around)
    if (of_map := source.config_map_key_ref) is not None:
        config_map = around.config_maps.get(of_map.name or "")
        where = (pod, "ConfigMap", of_map.name or "", of_map.key)
        data = None if config_map is None else config_map.data
        return _of_key(data, where, optional=bool(of_map.optional))
    if (of_secret := source.secret_key_ref) is not None:
        secret = around.secrets.get(of_secret.name or "")
        where = (pod, "Secret", of_secret.name or "", of_secret.key)
        data = None if secret is None else secret.data
        value = _of_key(data, where, optional=bool(of_secret.optional))
        return None if value is None else _decoded(value)
    return None


def _of_key(
    data: Mapping[str, str] | None, where: tuple[Pod, str, str, str], *, optional: bool
) -> str | None:
    pod, kind, name, key = where
    if data is not None and key in data:
        return data[key]
    if optional:
        return None
    if data is None:
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    raise ConfigError(f"couldn't find key {key} in {kind} {pod.namespace}/{name}")


def _from_source(pod: Pod, source: EnvFromSource, around: Surroundings) -> dict[str, str]:
    """All variables of a ConfigMap or a Secret."""
    data: Mapping[str, str] | None = None
    kind, name, optional = "configmap", "", False
    if (of_map := source.config_map_ref) is not None:
        name, optional = of_map.name or "", bool(of_map.optional)
        config_map = around.config_maps.get(name)
        data = None if config_map is None else config_map.data
    elif (of_secret := source.secret_ref) is not None:
        kind, name, optional = "secret", of_secret.name or "", bool(of_secret.optional)
        secret = around.secrets.get(name)
        data = (
            None
            if secret is None
            else {key: _decoded(value) for key, value in secret.data.items()}
        )
    if data is None:
        if optional or not name:
            return {}
        raise ConfigError(f'{kind} "{name}" not found')
    prefix = source.prefix or ""
    assert pod.namespace, pod.name
    return {prefix + key: value for key, value in data.items() if _NAME.fullmatch(prefix + key)}


def _decoded(value: str) -> str:
    return b64decode(value).decode(errors="surrogateescape")


def expand(text: str, values: Mapping[str, str]) -> str:
    """``$(NAME)`` becomes the variable's value, or stays when there is none; ``$$`` is a dollar."""

    def replaced(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else values.get(name, match[0])

    return _REFERENCE.sub(replaced, text)


def field_value(pod: Pod, path: str, around: Surroundings) -> str:
    """A field of the pod.

    Raises:
        ConfigError: If the downward API does not have that field.
    """
    keyed = _KEYED_FIELD.fullmatch(path)
    if keyed is not None:
        labels = pod.metadata.labels if keyed[1] == "labels" else pod.metadata.annotations
        return labels.get(keyed[2], "")
    known = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": pod.uid,
        "spec.nodeName": around.node,
        "spec.serviceAccountName": pod.spec.service_account_name or "",
        "status.hostIP": around.host_ip,
        "status.hostIPs": around.host_ip,
        "status.podIP": around.pod_ip,
        "status.podIPs": around.pod_ip,
    }
    if path not in known:
        raise ConfigError(f"unsupported fieldPath: {path}")
    return known[path]


def resource_value(
    pod: Pod, container: Container, selector: ResourceFieldSelector, around: Surroundings
) -> str:
    """A request or a limit of a container, in units of the divisor, rounded up.

    Raises:
        ConfigError: If there is no such container or no such resource.
    """
    wanted = selector.container_name or container.name
    found = next((c for c in pod.spec.containers if c.name == wanted), None)
    if found is None:
        raise ConfigError(f"container {wanted} not found")
    kind, _, resource = selector.resource.partition(".")
    amounts = {"limits": found.resources.limits, "requests": found.resources.requests}.get(kind)
    if amounts is None:
        raise ConfigError(f"unsupported container resource : {selector.resource}")
    nothing = Quantity("0")
    otherwise = around.allocatable.get(resource, nothing) if kind == "limits" else nothing
    divisor = selector.divisor.nanos if selector.divisor is not None else 0
    return str(-(-amounts.get(resource, otherwise).nanos // (divisor or 10**9)))
