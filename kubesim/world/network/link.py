"""A link by itself, which its transfers share equally.

With n transfers under way each gets an n-th of the bandwidth; when one ends or begins, the others
speed up or slow down.
"""

from __future__ import annotations

from kubesim.sim import Sim, SimProcess
from kubesim.world.network.fluid import FluidNetwork, Pipe


class Link:
    """A link of a fixed bandwidth.

    Args:
        sim: The run.
        bandwidth: Bytes a second.
    """

    def __init__(self, sim: Sim, *, bandwidth: int) -> None:
        self._fluid = FluidNetwork(sim)
        self._pipe = Pipe("link", bandwidth)

    def transfer(self, size_bytes: int) -> SimProcess[None]:
        """Move that many bytes; returns when the last one is there."""
        yield from self._fluid.transfer((self._pipe,), size_bytes)
