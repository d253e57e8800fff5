"""What happens when."""

from __future__ import annotations

from pydantic import Field, model_validator
from pydantic.alias_generators import to_camel

from kubesim.scenario.format.values import ScenarioModel, Span


class Target(ScenarioModel):
    """An object that a step is about."""

    kind: str
    name: str
    namespace: str = "default"


class ScaleTarget(Target):
    """A workload and its new size."""

    replicas: int = Field(ge=0)


class Step(ScenarioModel):
    """Something that happens at a time; exactly one of the verbs.

    Attributes:
        at: When.
        apply: Manifests to apply: a file or folder, relative to the scenario.
        delete: An object to delete.
        scale: A workload to scale.
        drain: A node to cordon and to empty.
        fail_node: A node that goes down and stays down.
        add_node: A pool that gets one more node, from the cloud.
        remove_node: A node whose instance is ended at the cloud.
        interrupt_node: A spot node that the cloud takes back, two minutes after it said so.
    """

    at: Span
    apply: str | None = None
    delete: Target | None = None
    scale: ScaleTarget | None = None
    drain: str | None = None
    fail_node: str | None = None
    add_node: str | None = None
    remove_node: str | None = None
    interrupt_node: str | None = None

    @model_validator(mode="after")
    def _one_verb(self) -> Step:
        verbs = [to_camel(name) for name in type(self).model_fields if name != "at"]
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 2:  # "at" and the verb
            raise ValueError(f"a step has exactly one of {', '.join(verbs)}")
        return self
