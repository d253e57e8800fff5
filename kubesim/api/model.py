"""The base of all API types: frozen, strict about names, equal and hashable by value.

A type of the Kubernetes API is a small class here: its fields are the official ones, in Python's
spelling, in the order in which people write them. Three things follow from this base:

* **On the wire** a field has its official name (``run_as_user`` is ``runAsUser``). The few names
  that camel case does not give are in ``WIRE_NAMES``. An unknown name is an error.
* **In memory** an object is a value: tuples and ``FrozenMap`` inside, equality and hash by
  content, ``replace()`` for a changed copy which shares all that did not change.
* **Which fields the simulation heeds** stands at the field: one that is accepted, kept and written
  out again without an effect is declared ``Unsimulated[...]``. ``unsimulated_fields(obj)`` lists
  those that an object sets.

Fields that were never set are not written, so what came in goes out again.

Mirrors: staging/src/k8s.io/apimachinery/pkg/runtime (the object model without its generators).
Departs: an optional scalar is ``None`` when absent, where Go has the type's zero value; a struct
that Go embeds by value (``spec``, ``status``, ``resources``) is an empty object when
absent, as in Go.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Self, TypeVar, cast, get_origin

from pydantic import BaseModel, ConfigDict, Field, Strict
from pydantic.alias_generators import to_camel
from typing_extensions import override

__all__ = [
    "Bool",
    "Float",
    "Int32",
    "Int64",
    "KubeModel",
    "Unsimulated",
    "unsimulated_fields",
    "wire_name",
]

T = TypeVar("T")

Int32 = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1)]
Int64 = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)]
Float = Annotated[float, Field(strict=True)]
Bool = Annotated[bool, Strict()]


class UnsimulatedMarker:
    """What ``Unsimulated[...]`` leaves in a field's metadata."""

    @override
    def __repr__(self) -> str:
        return "Unsimulated"


Unsimulated = Annotated[T, UnsimulatedMarker()]
"""A field that is accepted, kept and written out again, and has no effect on the simulation."""

WIRE_NAMES = {
    "boot_id": "bootID",
    "client_ip": "clientIP",
    "cluster_ip": "clusterIP",
    "cluster_ips": "clusterIPs",
    "container_id": "containerID",
    "dataset_uuid": "datasetUUID",
    "disk_uri": "diskURI",
    "downward_api": "downwardAPI",
    "exporter_otlp_endpoint": "exporter_otlp_endpoint",
    "exporter_otlp_logs_endpoint": "exporter_otlp_logs_endpoint",
    "exporter_otlp_metrics_endpoint": "exporter_otlp_metrics_endpoint",
    "exporter_otlp_traces_endpoint": "exporter_otlp_traces_endpoint",
    "evict_after_oom_seconds": "evictAfterOOMSeconds",
    "external_id": "externalID",
    "external_ips": "externalIPs",
    "host_ip": "hostIP",
    "host_ipc": "hostIPC",
    "host_ips": "hostIPs",
    "host_pid": "hostPID",
    "image_id": "imageID",
    "install_default_ca_certs": "installDefaultCACerts",
    "load_balancer_ip": "loadBalancerIP",
    "machine_id": "machineID",
    "node_id": "nodeID",
    "pd_id": "pdID",
    "pod_cidr": "podCIDR",
    "pod_cidrs": "podCIDRs",
    "pod_ip": "podIP",
    "pod_ips": "podIPs",
    "provider_id": "providerID",
    "resource_id": "resourceID",
    "scale_io": "scaleIO",
    "set_hostname_as_fqdn": "setHostnameAsFQDN",
    "storage_policy_id": "storagePolicyID",
    "system_uuid": "systemUUID",
    "target_wwns": "targetWWNs",
    "volume_id": "volumeID",
}


def wire_name(field_name: str) -> str:
    """The official name of a field, as YAML and JSON have it."""
    return WIRE_NAMES.get(field_name) or to_camel(field_name)


class KubeModel(BaseModel):
    """A value of the Kubernetes API: frozen, hashable, with no fields but the official ones."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=wire_name,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        defer_build=True,
        protected_namespaces=(),
    )

    __slots__ = ("_hash",)

    @classmethod
    def zero(cls) -> Self:
        """The object of which nothing is set, not even what is required: Go's zero value.

        It stands where Go has a struct by value, so that ``pod.spec.node_name`` needs no question
        whether there is a spec. It is one shared object, and not written out.
        """
        zero: Any = _ZEROS.get(cls)
        if zero is None:
            required = {
                name: _zero_of(field.annotation)
                for name, field in cls.__pydantic_fields__.items()
                if field.is_required()
            }
            zero = _ZEROS[cls] = cls.model_construct(set(), **required)
        return cast("Self", zero)

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed; everything else is shared with this object.

        The values are taken as they are: they must have the declared types (tuples, ``FrozenMap``,
        API objects). This is the simulator's hot path, so nothing is validated again.

        Raises:
            TypeError: If a name is not a field of this type.
        """
        values = self.__dict__.copy()
        values.update(changes)
        if len(values) != len(self.__dict__):
            unknown = ", ".join(sorted(changes.keys() - self.__dict__.keys()))
            raise TypeError(f"{type(self).__name__} has no field {unknown}")
        new = object.__new__(type(self))
        _set(new, "__dict__", values)
        _set(new, "__pydantic_fields_set__", self.__pydantic_fields_set__.union(changes))
        _set(new, "__pydantic_extra__", None)
        _set(new, "__pydantic_private__", None)
        return new

    @override
    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """The same as ``replace``; a copy without a change is the object itself."""
        return self.replace(**update) if update else self

    @override
    def __hash__(self) -> int:
        try:
            cached: int = _get(self, "_hash")
        except AttributeError:
            cached = hash((type(self), *self.__dict__.values()))
            _set(self, "_hash", cached)
        return cached

    @override
    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other):
            return NotImplemented
        return self.__dict__ == other.__dict__

    @override
    def __copy__(self) -> Self:
        return self

    @override
    def __deepcopy__(self, _memo: dict[int, Any] | None = None) -> Self:
        return self


_ZEROS: dict[type[KubeModel], Any] = {}


def _zero_of(annotation: Any) -> Any:
    """The zero value of a required field's type."""
    origin = get_origin(annotation) or annotation
    if isinstance(origin, type) and issubclass(origin, KubeModel):
        return origin.zero()
    if isinstance(origin, type) and issubclass(origin, tuple | dict | str | int):
        return origin()
    return ""  # a closed set of texts, where Go has the empty one


_set = object.__setattr__
_get = object.__getattribute__


def unsimulated_fields(obj: KubeModel) -> list[str]:
    """The fields which ``obj`` sets and which the simulation does not heed.

    Args:
        obj: Any API object, or a part of one.

    Returns:
        Paths such as ``spec.containers[0].livenessProbe``, in the order of the declarations;
        when a whole subtree is unsimulated, only its root.
    """
    return list(_walk_unsimulated(obj, ""))


def _walk_unsimulated(obj: KubeModel, prefix: str) -> Iterator[str]:
    was_set = obj.__pydantic_fields_set__
    for name, wire, simulated in _fields_of(type(obj)):
        if name not in was_set or (value := getattr(obj, name)) is None:
            continue
        if not simulated:
            yield prefix + wire
        elif isinstance(value, KubeModel):
            yield from _walk_unsimulated(value, f"{prefix}{wire}.")
        elif isinstance(value, tuple):
            for index, item in enumerate(value):
                if isinstance(item, KubeModel):
                    yield from _walk_unsimulated(item, f"{prefix}{wire}[{index}].")


@cache
def _fields_of(model: type[KubeModel]) -> tuple[tuple[str, str, bool], ...]:
    """Name, wire name and "is simulated" of each field, in order."""
    return tuple(
        (
            name,
            field.alias or name,
            not any(isinstance(m, UnsimulatedMarker) for m in field.metadata),
        )
        for name, field in model.__pydantic_fields__.items()
    )
