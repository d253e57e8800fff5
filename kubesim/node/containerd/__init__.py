"""containerd: images, sandboxes and containers of one node, behind CRI.

Mirrors: containerd internal/cri/server, core/content, core/unpack, core/remotes.
"""

from kubesim.node.containerd.config import ContainerdConfig
from kubesim.node.containerd.containerd import Containerd

__all__ = ["Containerd", "ContainerdConfig"]
