"""Image registries: what can be pulled, and how long a registry takes to answer."""

from kubesim.world.registry.registry import Registry, RegistryConfig, RegistryError

__all__ = ["Registry", "RegistryConfig", "RegistryError"]
