"""Facts, their order, and the fingerprint of a run."""

import hashlib
import os
import subprocess
import sys
from dataclasses import fields

import pytest

import kubesim.facts
from kubesim.facts import NodeFailed, RunEnded, StepTaken
from kubesim.sim import Fact, Journal

PROGRAM = """
from kubesim.facts import NodeFailed, StepTaken
from kubesim.sim import Sim
sim = Sim(seed=5)
names = {"a", "b", "c", "d"}
for name in sorted(names):
    sim.emit(NodeFailed(node=name))
    sim.emit(StepTaken(verb=str(sim.rng(name).uniform(0, 10**9)), subject=name))
print(sim.journal.digest)
"""


def journal_of(*entries: tuple[int, Fact]) -> Journal:
    journal = Journal()
    for at_ns, fact in entries:
        journal.append(at_ns, fact)
    return journal


def test_equal_histories_have_equal_digests() -> None:
    """Same seed, same bytes."""
    entries = [(1, NodeFailed(node="a")), (2, RunEnded(events=3))]

    assert journal_of(*entries).digest == journal_of(*entries).digest


@pytest.mark.parametrize(
    "other",
    [
        [(1, NodeFailed(node="b")), (1, NodeFailed(node="a"))],
        [(1, NodeFailed(node="a")), (2, NodeFailed(node="b"))],
        [(1, NodeFailed(node="a"))],
        [(1, NodeFailed(node="a")), (1, RunEnded(events=0))],
        [],
    ],
)
def test_order_time_kind_and_values_all_count(other: list[tuple[int, Fact]]) -> None:
    """Whatever differs between two runs shows in the digest."""
    reference = journal_of((1, NodeFailed(node="a")), (1, NodeFailed(node="b")))

    assert reference.digest != journal_of(*other).digest


def test_asking_for_the_digest_does_not_change_it() -> None:
    """A screen may show the digest at any time."""
    asked, left_alone = Journal(), Journal()
    for number in range(1500):
        for journal in (asked, left_alone):
            journal.append(number, RunEnded(events=number))
        if not number % 100:
            assert asked.digest.startswith("sha256:")

    assert left_alone.digest == asked.digest


def test_the_digest_is_the_same_in_every_interpreter() -> None:
    """PYTHONHASHSEED does not matter."""
    digests = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }

    assert 1 == len(digests)


def test_facts_are_written_in_the_order_of_time() -> None:
    """A fact of the past cannot be added."""
    journal = journal_of((5, NodeFailed(node="a")))

    with pytest.raises(AssertionError):
        journal.append(4, NodeFailed(node="b"))


def test_readers_get_kinds_positions_and_news() -> None:
    """A reader may want all of a kind, everything since a position, or each as it comes."""
    heard: list[tuple[int, Fact]] = []
    journal = Journal()
    journal.append(1, NodeFailed(node="a"))
    journal.subscribe(lambda at_ns, fact: heard.append((at_ns, fact)))
    journal.append(2, RunEnded(events=1))
    journal.append(3, NodeFailed(node="b"))

    assert [(1, NodeFailed(node="a")), (3, NodeFailed(node="b"))] == list(journal.of(NodeFailed))
    assert [2, 3] == [at_ns for at_ns, _ in heard]
    assert [3] == [entry.at_ns for entry in journal.since(2)]
    assert 3 == len(journal)


def test_a_fact_must_be_a_dataclass() -> None:
    """A fact whose values nobody declared has no place in a digest."""

    class Loose(Fact):
        pass

    with pytest.raises(AssertionError):
        Journal().append(0, Loose())


def test_facts_hold_no_floats() -> None:
    """Only values that every platform writes alike: integers, strings, booleans, tuples of them."""
    kinds = [getattr(kubesim.facts, name) for name in kubesim.facts.__all__]

    for kind in kinds:
        assert not [field.name for field in fields(kind) if "float" in str(field.type)], kind
        assert issubclass(kind, Fact)


def test_the_digest_is_over_one_ascii_line_a_fact() -> None:
    """Time, kind and values as JSON: anybody can compute a digest again from a printed journal."""
    journal = journal_of((0, NodeFailed(node="é")), (7, StepTaken(verb="drain", subject="n1")))
    text = '0 NodeFailed "\\u00e9"\n7 StepTaken ["drain","n1"]\n'

    assert f"sha256:{hashlib.sha256(text.encode()).hexdigest()}" == journal.digest
