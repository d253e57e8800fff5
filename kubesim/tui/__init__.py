"""The TUI: a cluster to watch and to step through.

``kubesim play`` is k9s in front of a simulation: tables, descriptions and logs under the keys that
fingers know, and beside them what a real cluster does not have: a clock that stops, steps and runs
at any speed. It reads the run and the store only. The one thing that it does to a simulation is to
let time pass, so a run that was played has the digest of a run that was not.

``app`` wires it together, ``transport`` knows speed and time, ``scene`` is the one door to the
simulation. Everything that decides what stands on the screen (``tables``, ``grid``, ``describe``,
``bars``) is a pure function that gives lines of toned text (``ink``); ``widgets`` and ``screens``
only show them.
"""
