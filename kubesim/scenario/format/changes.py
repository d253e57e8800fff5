"""Steps that change one object, as the verbs of kubectl do.

An object is written ``{kind: Deployment, name: web, namespace: default}`` or ``deployment/web``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from kubesim.api.scheme import SCHEME
from kubesim.scenario.format.values import ScenarioModel

ROLLING = ("Deployment", "DaemonSet", "StatefulSet")
WITH_IMAGES = (*ROLLING, "ReplicaSet", "CronJob", "Job", "Pod")


def as_target(value: object) -> object:
    """``deployment/web`` as a kind and a name."""
    if not isinstance(value, str):
        return value
    kind, slash, name = value.partition("/")
    if not slash or not name:
        raise ValueError(f'"{value}" is no object; write KIND/NAME, such as deployment/web')
    return {"kind": kind, "name": name}


class Subject(ScenarioModel):
    """An object that a step changes.

    Attributes:
        kind: Its kind; also in the plural, in lower case, or short, as kubectl takes it.
        name: Its name.
        namespace: Where it is.
    """

    kind: str
    name: str
    namespace: str = "default"

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        found = SCHEME.find_name(kind)
        if found is None:
            raise ValueError(f'unknown kind "{kind}"')
        return found.kind

    @property
    def key(self) -> str:
        """Its key in the API server."""
        found = SCHEME.find_name(self.kind)
        return f"{self.namespace}/{self.name}" if found and found.namespaced else self.name


def _one_of(subject: Subject, kinds: tuple[str, ...], what: str) -> None:
    if subject.kind not in kinds:
        raise ValueError(f"{subject.kind} cannot be {what}; {', '.join(kinds)} can")


class Pausable(Subject):
    """A Deployment whose rollout is paused or resumed."""

    @model_validator(mode="after")
    def _can(self) -> Pausable:
        _one_of(self, ("Deployment",), "paused")
        return self


class Rolled(Subject):
    """A workload whose pods are replaced: a restart, or a step back."""

    @model_validator(mode="after")
    def _can(self) -> Rolled:
        _one_of(self, ROLLING, "rolled out")
        return self


class Undo(Rolled):
    """A workload that goes back.

    Attributes:
        to_revision: ``--to-revision``; the one before by default.
    """

    to_revision: int = Field(default=0, ge=0)


class SetImage(Subject):
    """Containers that get other images.

    Attributes:
        images: By the container's name, ``"*"`` for all of them.
    """

    images: dict[str, str] = Field(min_length=1)

    @model_validator(mode="after")
    def _can(self) -> SetImage:
        _one_of(self, WITH_IMAGES, "given another image")
        return self


class PatchStep(Subject):
    """An object and a part of it.

    Attributes:
        patch: The part; ``null`` takes a field away.
        type: ``strategic``, where lists of things with names are merged by name, or ``merge``.
        subresource: ``resize`` gives the containers of a pod other resources, in place.
    """

    patch: dict[str, Any] = Field(min_length=1)
    type: Literal["strategic", "merge"] = "strategic"
    subresource: Literal["resize"] | None = None

    @model_validator(mode="after")
    def _only_pods_are_resized(self) -> PatchStep:
        if self.subresource == "resize" and self.kind != "Pod":
            raise ValueError("only a Pod has the subresource resize")
        return self


class Labelled(Subject):
    """An object and labels, or annotations, for it.

    Attributes:
        values: By key; ``null`` takes one away.
    """

    values: dict[str, str | None] = Field(min_length=1)


class TaintStep(ScenarioModel):
    """A taint that a node gets, or loses.

    Attributes:
        node: The node.
        key: The taint's key.
        value: The taint's value.
        effect: The taint's effect; to take a taint away, of which effect, any by default.
        remove: Take it away.
    """

    node: str
    key: str
    value: str = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    remove: bool = False

    @model_validator(mode="after")
    def _has_effect(self) -> TaintStep:
        if self.effect is None and not self.remove:
            raise ValueError("a taint has an effect: NoSchedule, PreferNoSchedule or NoExecute")
        return self


class Evicted(ScenarioModel):
    """A pod that is to leave, its disruption budgets permitting.

    Attributes:
        name: The pod.
        namespace: Where it is.
        grace_period: In the place of its own.
    """

    name: str
    namespace: str = "default"
    grace_period: int | None = Field(default=None, ge=0)


def _as_name(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


PausableStep = Annotated[
    Pausable | None, BeforeValidator(as_target, json_schema_input_type=Pausable | str | None)
]
RolledStep = Annotated[
    Rolled | None, BeforeValidator(as_target, json_schema_input_type=Rolled | str | None)
]
UndoStep = Annotated[
    Undo | None, BeforeValidator(as_target, json_schema_input_type=Undo | str | None)
]
EvictStep = Annotated[
    Evicted | None, BeforeValidator(_as_name, json_schema_input_type=Evicted | str | None)
]
