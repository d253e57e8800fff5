"""Watching an engine decide, with all details, without changing what it decides.

The fast path keeps no reasons and no scores by plugin. A witness has each attempt of interest made
once more on the reference path, which is the same decision with everything kept, at the very
instant at which the engine makes it.

Invariant: a run with a witness is the run without it: chance is drawn once an attempt (``luck``), and
plugins that are not ours are not asked twice, because the fast path does not take their attempts.
"""

from __future__ import annotations

from collections.abc import Callable

from typing_extensions import override

from kubesim.api.corev1 import Pod
from kubesim.controlplane.scheduler.engine import Engine
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo
from kubesim.controlplane.scheduler.framework.runtime import Framework
from kubesim.controlplane.scheduler.schedule_one import Attempt, SchedulingAlgorithm

Observe = Callable[[Attempt], None]


def witness(engine: Engine, observe: Observe, *, of: Callable[[Pod], bool] | None = None) -> None:
    """Tell ``observe`` of every attempt from now on.

    Args:
        engine: Who decides.
        observe: Called with each attempt, after it was made.
        of: Which pods are of interest; by default all.
    """
    engine.algorithm = _Witness(engine, observe, of or (lambda _pod: True))


class _Witness(SchedulingAlgorithm):
    """An engine's algorithm, with somebody looking on."""

    def __init__(self, engine: Engine, observe: Observe, of: Callable[[Pod], bool]) -> None:
        super().__init__(
            engine.cache, percentage_of_nodes_to_score=engine.config.percentage_of_nodes_to_score
        )
        self._watched = engine.algorithm
        self._engine = engine
        self._observe = observe
        self._of = of
        self.next_start_node_index = self._watched.next_start_node_index

    @override
    def schedule(self, framework: Framework, info: PodInfo) -> Attempt:
        start = self._watched.next_start_node_index
        attempt = self._watched.schedule(framework, info)
        self.next_start_node_index = self._watched.next_start_node_index
        if self._of(info.pod):
            self._observe(self._in_full(framework, attempt, start))
        return attempt

    def _in_full(self, framework: Framework, attempt: Attempt, start: int) -> Attempt:
        """The attempt with all details; nothing has changed since it was made."""
        if attempt.fast is None:
            return attempt
        engine = self._engine
        reference = SchedulingAlgorithm(
            engine.cache,
            percentage_of_nodes_to_score=engine.config.percentage_of_nodes_to_score,
            luck=engine.luck,
        )
        reference.next_start_node_index = start
        full = reference.schedule_pod(framework, attempt.info)
        assert full.selected == attempt.selected, (full.selected, attempt.selected)
        full.post_filter = attempt.post_filter
        full.diagnosis.post_filter_msg = attempt.diagnosis.post_filter_msg
        return full
