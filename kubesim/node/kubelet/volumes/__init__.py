"""Volumes: what a pod's containers find under their mount paths.

Mirrors: pkg/kubelet/volumemanager, pkg/volume.
"""

from kubesim.node.kubelet.volumes.manager import VolumeHost
from kubesim.node.kubelet.volumes.podvolumes import PodVolumes

__all__ = ["PodVolumes", "VolumeHost"]
