"""Held against the real thing: recorded cases played by the production code, and judged.

A folder of a case has what was done (``case.yaml`` or ``input.yaml``) and what a real Kubernetes
answered (``expected.json``). Nothing here decides anything a controller or the scheduler decides: it
plays the hands of the user and of the nodes around them, watches, and compares.

Departs: nothing of Kubernetes lives here.
"""
