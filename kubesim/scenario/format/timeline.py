"""What happens when."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator
from pydantic.alias_generators import to_camel

from kubesim.scenario.format.changes import (
    EvictStep,
    Labelled,
    PatchStep,
    PausableStep,
    RolledStep,
    SetImage,
    TaintStep,
    UndoStep,
)
from kubesim.scenario.format.values import ScenarioModel, ScenarioQuantity, Span


class Target(ScenarioModel):
    """An object that a step is about."""

    kind: str
    name: str
    namespace: str = "default"


class ScaleTarget(Target):
    """A workload and its new size."""

    replicas: int = Field(ge=0)


class Drain(ScenarioModel):
    """A node to empty, with the flags of ``kubectl drain``; its name alone will do.

    Attributes:
        node: The node.
        ignore_daemon_sets: ``--ignore-daemonsets``: leave their pods; else refuse to drain.
        delete_empty_dir_data: ``--delete-emptydir-data``: take pods with such a volume, too.
        force: ``--force``: take pods that no controller replaces, too.
        disable_eviction: ``--disable-eviction``: delete, and ask no disruption budget.
        grace_period: ``--grace-period``: in the place of the pods' own.
        timeout: ``--timeout``: when to give up.
    """

    node: str
    ignore_daemon_sets: bool = True
    delete_empty_dir_data: bool = True
    force: bool = True
    disable_eviction: bool = False
    grace_period: int | None = Field(default=None, ge=0)
    timeout: Span | None = None


def _by_name(value: object) -> object:
    return {"node": value} if isinstance(value, str) else value


class MemoryHog(ScenarioModel):
    """A daemon of a node that takes memory.

    Attributes:
        node: The node.
        memory: How much.
    """

    node: str
    memory: ScenarioQuantity


class Partition(ScenarioModel):
    """A node that is cut off from the API server.

    Attributes:
        node: The node.
        for: For how long.
    """

    node: str
    for_: Span = Field(alias="for", gt=0)


class Step(ScenarioModel):
    """Something that happens at a time; exactly one of the verbs.

    Attributes:
        at: When.
        apply: Manifests to apply: a file or folder, relative to the scenario.
        delete: An object to delete.
        scale: A workload to scale.
        pause: A Deployment whose rollout is paused.
        resume: A Deployment whose rollout goes on.
        restart: A workload whose pods are replaced, one rollout's way.
        undo: A workload that goes back to the template before, or to a revision.
        set_image: Containers of a workload that get other images.
        patch: A part of an object that changes.
        label: Labels that an object gets or loses.
        annotate: Annotations that an object gets or loses.
        taint: A taint that a node gets or loses.
        cordon: A node that takes no more pods.
        uncordon: A node that takes pods again.
        evict: A pod that is asked to leave, its disruption budgets permitting.
        drain: A node to cordon and to empty, its pods' disruption budgets permitting.
        fail_node: A node that goes down and stays down.
        reboot: A node that goes down and boots again.
        partition: A node whose kubelet does not reach the API server for a while.
        add_node: A pool that gets one more node, from the cloud.
        remove_node: A node whose instance is ended at the cloud.
        interrupt_node: A spot node that the cloud takes back, two minutes after it said so.
        cut: A place of the network (``node/NAME``, ``zone/NAME``, ...) that is cut off from all others.
        heal: A place that is joined again.
        fail_registry: A registry's host that answers 503 from now on.
        restore_registry: A registry's host that is back.
        fail_queue: A queue whose broker does not answer from now on, neither users nor KEDA.
        restore_queue: A queue whose broker is back, with what it had.
        fill_disk: A node whose disk is filled to the last byte by something that is no pod's.
        empty_disk: A node whose disk has that space again.
        take_memory: A node of which a daemon takes memory, whoever has to go for it.
        give_memory: A node of which those daemons give it back.
        kubectl: A command that looks: ``get``, ``describe`` or ``logs``; the report tells what it says.
        curl: A URL of a Service that is asked once; the report tells what it answers.
    """

    at: Span
    apply: str | None = None
    delete: Target | None = None
    scale: ScaleTarget | None = None
    pause: PausableStep = None
    resume: PausableStep = None
    restart: RolledStep = None
    undo: UndoStep = None
    set_image: SetImage | None = None
    patch: PatchStep | None = None
    label: Labelled | None = None
    annotate: Labelled | None = None
    taint: TaintStep | None = None
    cordon: str | None = None
    uncordon: str | None = None
    evict: EvictStep = None
    drain: Annotated[
        Drain | None, BeforeValidator(_by_name, json_schema_input_type=Drain | str | None)
    ] = None
    fail_node: str | None = None
    reboot: str | None = None
    partition: Partition | None = None
    add_node: str | None = None
    remove_node: str | None = None
    interrupt_node: str | None = None
    cut: str | None = None
    heal: str | None = None
    fail_registry: str | None = None
    restore_registry: str | None = None
    fail_queue: str | None = None
    restore_queue: str | None = None
    fill_disk: str | None = None
    empty_disk: str | None = None
    take_memory: MemoryHog | None = None
    give_memory: str | None = None
    kubectl: str | None = None
    curl: str | None = None

    @model_validator(mode="after")
    def _one_verb(self) -> Step:
        verbs = [to_camel(name) for name in type(self).model_fields if name != "at"]
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 2:  # "at" and the verb
            raise ValueError(f"a step has exactly one of {', '.join(verbs)}")
        return self
