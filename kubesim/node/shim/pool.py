"""The instances of one Wasm process: a slot for each, some of them warm.

Every request gets a fresh instance. An engine with a pooling allocator keeps the slots of instances
that ended, mapped for the module they had, so the next instance of that module finds its memory in
place: it is warm. The first ones, and those of a burst that is wider than what is kept, are cold and
take as long as the published cold starts. Engines without such a pool start cold every time.

Mirrors: wasmtime crates/wasmtime/src/runtime/vm/instance/allocator/pooling (index_allocator.rs);
spin crates/core (max_instance_count).
Departs: slots of other modules and the memory that warm slots keep are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubesim.sim.distribution import Distribution
from kubesim.sim.rng import Rng

MAX_INSTANCE_COUNT = 1_000  # of Spin's engine
MAX_UNUSED_WARM_SLOTS = 100  # wasmtime's default


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceNumbers:
    """What instances take, in CPU time.

    Attributes:
        cold: Creating an instance in a slot that was never used.
        warm: Creating one in a slot of an instance that ended; ``None``: no slot is kept.
        request: What the runtime does for a request beside the instance and its handler.
    """

    cold: Distribution
    warm: Distribution | None = None
    request: Distribution | None = None


class InstancePool:
    """Slots for instances.

    Args:
        numbers: What they take.
        rng: Where the draws come from.
    """

    def __init__(self, numbers: InstanceNumbers, *, rng: Rng) -> None:
        self._numbers = numbers
        self._rng = rng
        self._in_use = 0
        self._unused_warm = 0

    @property
    def in_use(self) -> int:
        """How many there are."""
        return self._in_use

    @property
    def is_full(self) -> bool:
        """Whether no more instances are allowed."""
        return self._in_use >= MAX_INSTANCE_COUNT

    def take(self) -> int:
        """Take a slot; the nanoseconds of CPU that the instance in it takes to be created."""
        assert not self.is_full, self._in_use
        self._in_use += 1
        warm = self._numbers.warm
        if warm is not None and self._unused_warm > 0:
            self._unused_warm -= 1
            return warm.draw(self._rng)
        return self._numbers.cold.draw(self._rng)

    def overhead(self) -> int:
        """What the runtime itself takes for one request."""
        request = self._numbers.request
        return request.draw(self._rng) if request is not None else 0

    @property
    def usual_ns(self) -> int:
        """What an instance in a warm slot and its request usually take."""
        instance = self._numbers.warm or self._numbers.cold
        request = self._numbers.request
        return instance.median_ns + (request.median_ns if request is not None else 0)

    def give_back(self) -> None:
        """An instance ended."""
        self._in_use -= 1
        assert self._in_use >= 0, self._in_use
        self._unused_warm = min(self._unused_warm + 1, MAX_UNUSED_WARM_SLOTS)
