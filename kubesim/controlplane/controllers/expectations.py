"""What a controller has asked for and not seen yet.

A cache is behind the truth; a controller that counted its pods there right after creating some
would create them again. So it remembers how many creations and deletions it expects to see, and
does nothing more until it has seen them, or has waited for five minutes.

Mirrors: pkg/controller/controller_utils.go (ControllerExpectations, UIDTrackingControllerExpectations).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kubesim.sim.time import MINUTE

EXPECTATIONS_TIMEOUT_NS = 5 * MINUTE


@dataclass(slots=True)
class _Expectation:
    created_at_ns: int
    additions: int = 0
    deletions: set[str] = field(default_factory=set)


class Expectations:
    """Outstanding creations (a count) and deletions (by pod key) of each owner."""

    def __init__(self) -> None:
        self._of: dict[str, _Expectation] = {}

    def satisfied(self, owner: str, *, now_ns: int) -> bool:
        """Whether everything asked for was seen, or is not worth waiting for any longer."""
        expected = self._of.get(owner)
        if expected is None or (expected.additions <= 0 and not expected.deletions):
            return True
        return now_ns - expected.created_at_ns > EXPECTATIONS_TIMEOUT_NS

    def expect_creations(self, owner: str, count: int, *, now_ns: int) -> None:
        """That many pods are about to be created."""
        self._of[owner] = _Expectation(now_ns, additions=count)

    def expect_deletions(self, owner: str, pods: list[str], *, now_ns: int) -> None:
        """These pods are about to be deleted."""
        self._of[owner] = _Expectation(now_ns, deletions=set(pods))

    def expect(self, owner: str, *, creations: int, deletions: list[str], now_ns: int) -> None:
        """So many pods are about to be created, and these to be deleted."""
        self._of[owner] = _Expectation(now_ns, additions=creations, deletions=set(deletions))

    def creation_observed(self, owner: str) -> None:
        """A pod appeared, or its creation failed."""
        if owner in self._of:
            self._of[owner].additions -= 1

    def deletion_observed(self, owner: str, pod: str) -> None:
        """A pod is being deleted, is gone, or could not be deleted."""
        if owner in self._of:
            self._of[owner].deletions.discard(pod)

    def forget(self, owner: str) -> None:
        """The owner is gone."""
        self._of.pop(owner, None)
