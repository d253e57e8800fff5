"""Named random streams: every draw has an owner.

``sim.rng("kubelet/node-3/pull")`` is derived from the run's seed and its name by SHA-256, so that a
new draw in one room never shifts another, and two policies can be compared on equal luck. Only
``random.Random.random`` is used underneath: it is the one method whose sequence Python promises to
keep. Everything else is arithmetic on it that gives the same bits on every machine
(``kubesim.sim.elementary``).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import MutableSequence, Sequence
from typing import TypeVar

from kubesim.sim.elementary import exp, log, normal_quantile

T = TypeVar("T")

_SMALLEST = 2.0**-54  # stands for an exact 0, which random() can give and a quantile cannot take


def derive_seed(seed: int, name: str) -> bytes:
    """32 bytes that stand for one stream of one run; equal on every machine and Python."""
    return hashlib.sha256(f"kubesim/rng/v1/{seed}/{name}".encode()).digest()


class Rng:
    """One stream of random numbers with an owner.

    Args:
        seed: The run's seed.
        name: The owner, as a path such as ``containerd/node-3/unpack``.
    """

    __slots__ = ("_random", "name", "random")

    def __init__(self, seed: int, name: str) -> None:
        self.name = name
        self._random = random.Random(int.from_bytes(derive_seed(seed, name), "big"))
        self.random = self._random.random
        """A float in [0, 1)."""

    def uniform(self, low: int, high: int) -> int:
        """An integer in [low, high)."""
        assert low < high, (low, high)
        return low + int(self.random() * (high - low))

    def exponential(self, mean: float) -> float:
        """An exponential draw with the given mean."""
        return -mean * log(1.0 - self.random())

    def normal(self) -> float:
        """A standard normal draw, by inversion."""
        return normal_quantile(self.random() or _SMALLEST)

    def lognormal(self, median: float, sigma: float) -> float:
        """A lognormal draw given its median and the standard deviation of its logarithm."""
        return median * exp(sigma * self.normal())

    def choice(self, items: Sequence[T]) -> T:
        """One of ``items``, each as likely as the other."""
        return items[self.uniform(0, len(items))]

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Put ``items`` in a random order in place (Fisher and Yates)."""
        for i in range(len(items) - 1, 0, -1):
            j = self.uniform(0, i + 1)
            items[i], items[j] = items[j], items[i]

    def letters(self, length: int, alphabet: str) -> str:
        """``length`` characters of ``alphabet``."""
        return "".join(self.choice(alphabet) for _ in range(length))

    def uuid(self) -> str:
        """A random (version 4) UUID in its usual form."""
        value = 0
        for _ in range(4):
            value = value << 32 | self.uniform(0, 1 << 32)
        value = value & ~(0xF << 76) | 4 << 76
        value = value & ~(0x3 << 62) | 2 << 62
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
