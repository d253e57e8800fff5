"""The physics: virtual time, named randomness, the journal. The only room that imports simpy."""

from kubesim.sim.journal import Fact, Journal
from kubesim.sim.kernel import Event, Interrupt, Process, Resource, Sim, SimProcess
from kubesim.sim.rng import Rng
from kubesim.sim.ticks import Tick, Ticks

__all__ = [
    "Event",
    "Fact",
    "Interrupt",
    "Journal",
    "Process",
    "Resource",
    "Rng",
    "Sim",
    "SimProcess",
    "Tick",
    "Ticks",
]
