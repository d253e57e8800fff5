"""What all objects share: metadata, owners, label selectors, conditions, times.

Mirrors: staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/types.go.
Departs: ``Time`` keeps what a text has below a second until it is written.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from kubesim.api.duration import format_duration, parse_duration
from kubesim.api.frozenmap import FrozenMap, RawObject
from kubesim.api.model import Bool, Int64, KubeModel
from kubesim.api.rfc3339 import format_micro_time, format_time, parse_time

ConditionStatus = Literal["True", "False", "Unknown"]
LabelSelectorOperator = Literal["In", "NotIn", "Exists", "DoesNotExist"]


def _validate_time(value: Any) -> int:
    if isinstance(value, str):
        return parse_time(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"expected a time such as 2026-01-01T00:00:00Z, got {value!r}")


def _validate_duration(value: Any) -> int:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"expected a duration such as 1m30s, got {value!r}")


Time = Annotated[
    int,
    PlainValidator(_validate_time),
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment: nanoseconds since the Unix epoch; RFC 3339 with whole seconds on the wire."""

MicroTime = Annotated[
    int,
    PlainValidator(_validate_time),
    PlainSerializer(format_micro_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment: nanoseconds since the Unix epoch; RFC 3339 with microseconds on the wire."""

Duration = Annotated[
    int,
    PlainValidator(_validate_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string"}),
]
"""A span of time: nanoseconds; a Go duration such as ``1m30s`` on the wire."""


class ManagedFieldsEntry(KubeModel):
    """Which fields a manager owns."""

    manager: str | None = None
    operation: str | None = None
    api_version: str | None = None
    time: Time | None = None
    fields_type: str | None = None
    fields_v1: RawObject | None = None
    subresource: str | None = None


class OwnerReference(KubeModel):
    """The object that this object belongs to."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: Bool | None = None
    block_owner_deletion: Bool | None = None


class ObjectMeta(KubeModel):
    """What all objects have: names, labels, owners, versions."""

    name: str | None = None
    generate_name: str | None = None
    namespace: str | None = None
    self_link: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    generation: Int64 | None = None
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    deletion_grace_period_seconds: Int64 | None = None
    labels: FrozenMap[str, str] = FrozenMap()
    annotations: FrozenMap[str, str] = FrozenMap()
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()
    managed_fields: tuple[ManagedFieldsEntry, ...] = ()


class KubeObject(KubeModel):
    """An object of the API: it has a kind, a name, and a place in the store.

    Attributes:
        simulated: Whether the simulation does anything with objects of this kind.
    """

    simulated: ClassVar[bool] = True

    api_version: str
    kind: str
    metadata: ObjectMeta = ObjectMeta.zero()

    @property
    def name(self) -> str:
        """The object's name; empty when it has none yet."""
        return self.metadata.name or ""

    @property
    def namespace(self) -> str:
        """The object's namespace; empty when it has none."""
        return self.metadata.namespace or ""

    @property
    def uid(self) -> str:
        """The object's unique id; empty before it was created."""
        return self.metadata.uid or ""

    @property
    def key(self) -> str:
        """``namespace/name``, or only the name when there is no namespace."""
        metadata = self.metadata
        if metadata.namespace:
            return f"{metadata.namespace}/{metadata.name or ''}"
        return metadata.name or ""


class LabelSelectorRequirement(KubeModel):
    """One label and the values it must have."""

    key: str
    operator: LabelSelectorOperator
    values: tuple[str, ...] = ()


class LabelSelector(KubeModel):
    """Requirements on labels which must all hold; an empty selector matches everything."""

    match_labels: FrozenMap[str, str] = FrozenMap()
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


class Condition(KubeModel):
    """One yes-or-no fact about an object."""

    type: str
    status: ConditionStatus
    observed_generation: Int64 | None = None
    last_transition_time: Time
    reason: str
    message: str


def controller_of(obj: KubeObject) -> OwnerReference | None:
    """The owner that manages ``obj``, if it has one."""
    return next((owner for owner in obj.metadata.owner_references if owner.controller), None)


def new_controller_ref(owner: KubeObject) -> OwnerReference:
    """The reference that makes ``owner`` the controller of an object."""
    return OwnerReference(
        api_version=owner.api_version,
        kind=owner.kind,
        name=owner.name,
        uid=owner.uid,
        controller=True,
        block_owner_deletion=True,
    )
