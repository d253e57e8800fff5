"""The users: who sends which requests when."""

from kubesim.world.traffic.open_loop import OpenLoop, TrafficConfig

__all__ = ["OpenLoop", "TrafficConfig"]
