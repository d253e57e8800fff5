"""Users: open and closed loops, retries and hedges, and the meters that count their requests."""

from kubesim.world.traffic.calls import PodCalls
from kubesim.world.traffic.config import (
    ClosedLoad,
    HedgePolicy,
    OpenLoad,
    RetryPolicy,
    Slo,
    TrafficConfig,
)
from kubesim.world.traffic.exchange import Endpoint, Transport
from kubesim.world.traffic.meters import Meter, Meters
from kubesim.world.traffic.outbound import OutboundCalls
from kubesim.world.traffic.source import TrafficSource

__all__ = [
    "ClosedLoad",
    "Endpoint",
    "HedgePolicy",
    "Meter",
    "Meters",
    "OpenLoad",
    "OutboundCalls",
    "PodCalls",
    "RetryPolicy",
    "Slo",
    "TrafficConfig",
    "TrafficSource",
    "Transport",
]
