"""Plugins that are not part of kube-scheduler, as examples and for the traces that need them.

A profile names them like any other: ``GpuShare``, ``Coscheduling``.
"""
