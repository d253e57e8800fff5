"""The socket between the kubelet and the container runtime.

Only Protocols and messages, under the names of CRI v1; nothing here does anything. The kubelet
speaks them, containerd implements them, and neither imports the other.

Mirrors: k8s.io/cri-api pkg/apis/runtime/v1/api.proto (v1).
Departs: calls are generators that take virtual time; streaming calls (Exec, Attach, PortForward)
come with the rooms that need them; lists and stats are answered at once.
"""
