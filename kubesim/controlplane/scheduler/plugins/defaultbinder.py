"""DefaultBinder: tells the API server where a pod runs.

Mirrors: pkg/scheduler/framework/plugins/defaultbinder/default_binder.go.
"""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from kubesim.controlplane.client import StatusError
from kubesim.controlplane.scheduler.framework.cycle_state import CycleState
from kubesim.controlplane.scheduler.framework.interface import Binder, BindPlugin
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.status import Status
from kubesim.sim import SimProcess


class DefaultBinder(BindPlugin):
    """Binds through the ``binding`` subresource."""

    name: ClassVar[str] = "DefaultBinder"

    def __init__(self, binder: Binder | None) -> None:
        self._binder = binder

    @override
    def bind(self, state: CycleState, info: PodInfo, node_name: str) -> SimProcess[Status | None]:
        assert self._binder is not None, "a one-shot decision binds nothing"
        try:
            yield from self._binder.bind(info.pod.key, node_name)
        except StatusError as error:
            return Status.error(error.message)
        return None
