"""The openb trace as nodes and pods."""

from __future__ import annotations

from kubesim.bench.openb import NODES, PODS, TRACE, nodes, pods, replay
from kubesim.controlplane.scheduler.contrib.gpushare import gpus_of, wish_of
from kubesim.share import share_path

FOLDER = share_path("models") / TRACE


def test_the_trace_has_its_size() -> None:
    """1,523 nodes with 6,212 GPUs; 8,152 tasks, most of which want some."""
    found = list(nodes(FOLDER / NODES))
    assert (1523, 6212) == (len(found), sum(gpus_of(node) for node in found))
    wishes = [wish_of(pod) for pod in pods(FOLDER / PODS)]
    assert (8152, 7064) == (len(wishes), sum(wish is not None for wish in wishes))


def test_every_task_finds_a_place_in_its_time() -> None:
    """By the times of the trace, where tasks also end, nobody stays out."""
    assert 8152 == len(replay().bind_order)
