"""The operator's webhooks: which executor an application gets, and what is refused.

An application without an executor gets the first one by name, of whatever namespace; then it must
exist in the application's own namespace, which is not the same thing, and upstream has it so. All
errors of an application come together.

Mirrors: spin-operator internal/webhook (spinapp_defaulting.go, spinapp_validating.go,
spinappexecutor_validating.go).
Departs: what exists is read from the store; upstream reads the operator's cache, which is behind by
the delay of a watch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from kubesim.api.fielderrors import FieldError, invalid
from kubesim.api.metav1 import KubeObject
from kubesim.api.spinv1alpha1 import (
    SpinApp,
    SpinAppExecutor,
    annotation_errors,
    invocation_limit_errors,
    replica_errors,
    spin_app_executor_errors,
)

K = TypeVar("K", bound=KubeObject)

NO_EXECUTOR = (
    "executor must be set, "
    "likely no default executor was set because you have no executors installed"
)
UNKNOWN_EXECUTOR = "executor does not exist in namespace"


class Reader(Protocol):
    """What a webhook may look up."""

    def get(self, kind: type[K], key: str) -> K | None:
        """The object of that key, or ``None``."""
        ...

    def values(self, kind: type[K]) -> Iterator[K]:
        """All objects of a kind."""
        ...


@dataclass(frozen=True, slots=True)
class SpinAppWebhook:
    """Defaults and validates applications."""

    name: str = "vspinapp.kb.io"
    kind: type[KubeObject] = SpinApp

    def default(self, obj: Any, reader: Reader) -> SpinApp:
        """The application with an executor, if there is any in the cluster."""
        app: SpinApp = obj
        if app.spec.executor:
            return app
        names = sorted(executor.name for executor in reader.values(SpinAppExecutor))
        return app.replace(spec=app.spec.replace(executor=names[0] if names else ""))

    def validate(self, obj: Any, reader: Reader) -> list[FieldError]:
        """Everything that is wrong with the application."""
        app: SpinApp = obj
        spec, path = app.spec, ("spec", "executor")
        executor = reader.get(SpinAppExecutor, f"{app.namespace}/{spec.executor}")
        errors: list[FieldError] = []
        if not spec.executor:
            errors.append(invalid(path, "", NO_EXECUTOR))
        elif executor is None:
            errors.append(invalid(path, spec.executor, UNKNOWN_EXECUTOR))
        errors += replica_errors(spec)
        if executor is not None:
            errors += annotation_errors(spec, executor)
        return errors + invocation_limit_errors(spec)


@dataclass(frozen=True, slots=True)
class SpinAppExecutorWebhook:
    """Validates executors."""

    name: str = "vspinappexecutor.kb.io"
    kind: type[KubeObject] = SpinAppExecutor

    def default(self, obj: Any, reader: Reader) -> SpinAppExecutor:  # noqa: ARG002
        """The executor as it is."""
        executor: SpinAppExecutor = obj
        return executor

    def validate(self, obj: Any, reader: Reader) -> list[FieldError]:  # noqa: ARG002
        """Everything that is wrong with the executor."""
        return spin_app_executor_errors(obj)


SPIN_WEBHOOKS = (SpinAppWebhook(), SpinAppExecutorWebhook())
