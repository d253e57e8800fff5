"""The SpinAppExecutor controller: an executor that applications use cannot be deleted.

It holds a finalizer on every executor, and lets go of it only when no application of the namespace
names it. Nothing tells it when the last one is gone: it asks again with a growing delay.

Mirrors: spin-operator internal/controller/spinappexecutor_controller.go.
"""

from __future__ import annotations

from typing_extensions import override

from kubesim.api.spinv1alpha1 import FINALIZER, SpinApp, SpinAppExecutor
from kubesim.controlplane.client import Client, Controller, NotFound, Recorder, StatusError
from kubesim.sim import Sim, SimProcess

WORKERS = 1  # controller-runtime's MaxConcurrentReconciles
BY_EXECUTOR = "spec.executor"


class SpinAppExecutorController(Controller):
    """Reconciles SpinAppExecutors."""

    def __init__(self, sim: Sim, *, client: Client) -> None:
        super().__init__(sim, workers=WORKERS)
        self._client = client
        self._recorder = Recorder(sim, component="spinappexecutor-reconciler")
        self._apps = client.informer(SpinApp)
        self._apps.add_index(BY_EXECUTOR, _executor_key)
        self._executors = client.informer(SpinAppExecutor)
        self._executors.add_handler(self._executor_changed)

    @override
    def reconcile(self, key: str) -> SimProcess[None]:
        """Hold the finalizer, or let go of it when nobody needs the executor any more."""
        executor = self._executors.get(key)
        if executor is None:
            return
        finalizers = executor.metadata.finalizers
        if executor.metadata.deletion_timestamp is None:
            if FINALIZER not in finalizers:
                yield from self._write(executor, (*finalizers, FINALIZER))
            return
        if self._apps.by_index(BY_EXECUTOR, key):
            text = "Cannot delete SpinAppExecutor with dependent SpinApps"
            self._recorder.warning(executor, "DeletionBlocked", text)
            raise StatusError("cannot delete SpinAppExecutor with dependent SpinApps")
        if FINALIZER in finalizers:
            yield from self._write(executor, tuple(f for f in finalizers if f != FINALIZER))

    def _write(self, executor: SpinAppExecutor, finalizers: tuple[str, ...]) -> SimProcess[None]:
        metadata = executor.metadata.replace(finalizers=finalizers)
        try:
            yield from self._client.update(executor.replace(metadata=metadata))
        except NotFound:
            return

    def _executor_changed(self, old: SpinAppExecutor | None, new: SpinAppExecutor | None) -> None:
        changed = new or old
        assert changed is not None
        self.queue.add(changed.key)


def _executor_key(app: SpinApp) -> tuple[str, ...]:
    return (f"{app.namespace}/{app.spec.executor}",)
