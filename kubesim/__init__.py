"""kubesim: a flight simulator for Kubernetes."""

__version__ = "0.1.0.dev0"
