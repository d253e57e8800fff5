"""Random changes to valid modules: each is refused or contained."""

from __future__ import annotations

from kubesim.bench.mutation import mutate, run_mutations
from kubesim.sim.rng import Rng

NAMES = ("seed-rust", "seed-zig", "echo", "counts_aloud", "files", "httpinfo", "arith")
COUNT = 10_000


def test_no_mutation_brings_the_simulator_down(binary):
    """Whatever a changed module is, loading and running it comes to an end."""
    endings = run_mutations([binary(name) for name in NAMES], COUNT, Rng(1, "test"))

    assert COUNT == endings.total()
    assert endings["refused"] > 0
    assert len(endings) > 2


def test_mutations_are_the_same_every_time(binary):
    """A seed gives a stream of changes."""
    wasm = binary("arith")

    assert mutate(wasm, Rng(7, "a")) == mutate(wasm, Rng(7, "a"))
    assert wasm != mutate(wasm, Rng(7, "a"))
