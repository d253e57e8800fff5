"""What runs inside a container that is not Wasm: a model of a program."""

from kubesim.world.workload.linux import LinuxProcess

__all__ = ["LinuxProcess"]
