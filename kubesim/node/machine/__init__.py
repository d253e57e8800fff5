"""The machine under a node: its cores and its memory."""

from kubesim.node.machine.machine import Machine

__all__ = ["Machine"]
