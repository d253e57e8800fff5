"""A node: kubelet, container runtime, shims, machine, kube-proxy."""
