"""PrioritySort: the highest priority first, then who came first.

Mirrors: pkg/scheduler/framework/plugins/queuesort/priority_sort.go.
"""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from kubesim.controlplane.scheduler.framework.interface import QueueSortPlugin
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo


class PrioritySort(QueueSortPlugin):
    """Sorts by priority, then by age in the queue."""

    name: ClassVar[str] = "PrioritySort"

    @override
    def sort_key(self, info: PodInfo, timestamp_ns: int) -> tuple[int, ...]:
        return (-info.priority, timestamp_ns)
