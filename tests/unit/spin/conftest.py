"""Fixtures of SpinKube's tests."""

from __future__ import annotations

import pytest
from spin_harness import RUNTIME_CLASS, SpinCluster, executor


@pytest.fixture
def cluster() -> SpinCluster:
    """A cluster with an executor and a running operator."""
    made = SpinCluster()
    made.start_operator()
    made.create(RUNTIME_CLASS)
    made.create(executor())
    return made
