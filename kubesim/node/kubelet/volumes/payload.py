"""The files of a volume, made from API objects. Pure functions.

Mirrors: pkg/volume/configmap/configmap.go (MakePayload), pkg/volume/secret/secret.go,
pkg/volume/downwardapi/downwardapi.go, pkg/volume/projected/projected.go, pkg/fieldpath; messages as
there.
Departs: modes are accepted and seen by nobody, since neither WASI nor the models of Linux programs
look at them; a service account token is a value of the right shape, signed by nobody; trust bundles
and pod certificates are not made.
"""

from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kubesim.api.corev1 import (
    ConfigMap,
    DownwardAPIVolumeFile,
    KeyToPath,
    Pod,
    Secret,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from kubesim.node.kubelet.environment import (
    ConfigError,
    Surroundings,
    field_value,
    resource_value,
)

Reference = tuple[type[ConfigMap | Secret], str]
Found = Mapping[Reference, ConfigMap | Secret | None]

ISSUER = "https://kubernetes.default.svc.cluster.local"


class SetUpError(Exception):
    """A volume cannot be set up (yet); the message is upstream's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Keys of a ConfigMap or of a Secret as files."""

    kind: type[ConfigMap | Secret]
    name: str
    items: tuple[KeyToPath, ...]
    optional: bool


def wanted(volume: Volume) -> list[Keys]:
    """The ConfigMaps and Secrets that a volume is made of, in order."""
    if (of_map := volume.config_map) is not None:
        optional = bool(of_map.optional)
        return [
            Keys(kind=ConfigMap, name=of_map.name or "", items=of_map.items, optional=optional)
        ]
    if (secret := volume.secret) is not None:
        optional, name = bool(secret.optional), secret.secret_name or ""
        return [Keys(kind=Secret, name=name, items=secret.items, optional=optional)]
    sources = volume.projected.sources if volume.projected is not None else ()
    return list(_projected(sources))


def _projected(sources: tuple[VolumeProjection, ...]) -> Iterator[Keys]:
    for source in sources:
        for kind, keys in ((ConfigMap, source.config_map), (Secret, source.secret)):
            if keys is not None:
                optional = bool(keys.optional)
                yield Keys(kind=kind, name=keys.name or "", items=keys.items, optional=optional)


def payload(
    pod: Pod, volume: Volume, found: Found, around: Surroundings, *, wall_ns: int
) -> dict[str, bytes]:
    """The files of a volume that is made of API objects.

    Raises:
        SetUpError: If something that is not optional is missing.
    """
    files: dict[str, bytes] = {}
    for keys in wanted(volume):
        files.update(_files(pod, keys, found.get((keys.kind, keys.name))))
    items = volume.downward_api.items if volume.downward_api is not None else ()
    files.update(_downward(pod, items, around))
    for source in volume.projected.sources if volume.projected is not None else ():
        if source.downward_api is not None:
            files.update(_downward(pod, source.downward_api.items, around))
        if source.service_account_token is not None:
            token = source.service_account_token
            files[token.path] = _token(pod, token, wall_ns)
    return files


def _files(pod: Pod, keys: Keys, obj: ConfigMap | Secret | None) -> dict[str, bytes]:
    kind = "secret" if keys.kind is Secret else "configmap"
    if obj is None:
        if keys.optional:
            return {}
        raise SetUpError(f'{kind} "{keys.name}" not found')
    data = _data(obj)
    if not keys.items:
        return data
    files: dict[str, bytes] = {}
    for item in keys.items:
        if item.key in data:
            files[item.path] = data[item.key]
        elif not keys.optional:
            what = "secret key" if kind == "secret" else "config key"
            raise SetUpError(f"{kind} references non-existent {what}: {item.key}")
    assert pod.namespace == obj.namespace
    return files


def _data(obj: ConfigMap | Secret) -> dict[str, bytes]:
    if isinstance(obj, Secret):
        return {key: b64decode(value) for key, value in obj.data.items()}
    texts = {key: value.encode() for key, value in obj.data.items()}
    return texts | {key: b64decode(value) for key, value in obj.binary_data.items()}


def _downward(
    pod: Pod, items: tuple[DownwardAPIVolumeFile, ...], around: Surroundings
) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for item in items:
        try:
            if item.field_ref is not None:
                files[item.path] = _field(pod, item.field_ref.field_path, around).encode()
            elif item.resource_field_ref is not None:
                container = pod.spec.containers[0]
                value = resource_value(pod, container, item.resource_field_ref, around)
                files[item.path] = value.encode()
        except ConfigError as error:
            raise SetUpError(str(error)) from None
    return files


def _field(pod: Pod, path: str, around: Surroundings) -> str:
    """A field; all labels or annotations as lines, sorted, values as Go quotes them."""
    if path in ("metadata.labels", "metadata.annotations"):
        metadata = pod.metadata
        pairs = metadata.labels if path == "metadata.labels" else metadata.annotations
        return "\n".join(f"{name}={json.dumps(value)}" for name, value in sorted(pairs.items()))
    return field_value(pod, path, around)


def _token(pod: Pod, token: ServiceAccountTokenProjection, wall_ns: int) -> bytes:
    now_s = wall_ns // 10**9
    account = pod.spec.service_account_name or "default"
    claims = {
        "aud": [token.audience or ISSUER],
        "exp": now_s + (token.expiration_seconds or 3600),
        "iat": now_s,
        "iss": ISSUER,
        "kubernetes.io": {"namespace": pod.namespace, "pod": {"name": pod.name, "uid": pod.uid}},
        "sub": f"system:serviceaccount:{pod.namespace}:{account}",
    }
    parts = ({"alg": "RS256", "kid": "kubesim"}, claims)
    encoded = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return b".".join((*encoded, b"kubesim"))
