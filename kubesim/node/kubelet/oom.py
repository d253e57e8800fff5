"""The OOM watcher: says on the Node that the kernel killed something because the node had no memory.

Only that: what goes over the limit of a cgroup, its own or that of all pods, is known from its exit.

Mirrors: pkg/kubelet/oom/oom_watcher_linux.go; cAdvisor utils/oomparser (a kill with ``global_oom`` in
the kernel's log has no ``oom_memcg``, so its victim counts as one of ``/``).
Departs: the kernel's log is not written: the machine says it by itself, at once.
"""

from __future__ import annotations

SYSTEM_OOM_EVENT = "SystemOOM"  # systemOOMEvent


def system_oom_message(name: str, pid: int) -> str:
    """What the event says of the victim: the name of its executable and its process id."""
    return f"System OOM encountered, victim process: {name}, pid: {pid}"
