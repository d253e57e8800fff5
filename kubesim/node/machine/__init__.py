"""The machine under a node: its cores, its memory and its disk, and the cgroups that share them."""

from kubesim.node.machine.cadvisor import Cadvisor
from kubesim.node.machine.cgroup import Cgroup, CpuStat
from kubesim.node.machine.disk import Disk, DiskFullError
from kubesim.node.machine.layer import WritableLayer
from kubesim.node.machine.machine import Machine
from kubesim.node.machine.memory import SHIM_OOM_SCORE_ADJ, Process
from kubesim.node.machine.resources import Resources

__all__ = [
    "SHIM_OOM_SCORE_ADJ",
    "Cadvisor",
    "Cgroup",
    "CpuStat",
    "Disk",
    "DiskFullError",
    "Machine",
    "Process",
    "Resources",
    "WritableLayer",
]
