"""Plugins that can be asked about all nodes at once.

A plugin is asked node by node on the reference path. One that also answers in columns does not take
a profile off the fast path.

Invariant: ``fitting`` is ``filter`` is ``None``, node by node; ``column_scores`` is ``score``.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from kubesim.controlplane.scheduler.framework.interface import (
    FilterPlugin,
    PreFilterPlugin,
    ScorePlugin,
)
from kubesim.controlplane.scheduler.framework.podinfo import PodInfo


class ColumnPlugin(PreFilterPlugin, FilterPlugin, ScorePlugin):
    """A filter and a score, node by node and in columns; rows are those of the snapshot's nodes."""

    @abstractmethod
    def fitting(self, info: PodInfo) -> NDArray[np.bool_] | None:
        """The nodes that pass; ``None`` for all."""

    @abstractmethod
    def column_scores(self, info: PodInfo, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The scores of these nodes, 0 to 100."""
