"""Image registries: what can be pulled, and how long a registry takes to answer."""

from kubesim.world.registry.registry import Registry

__all__ = ["Registry"]
