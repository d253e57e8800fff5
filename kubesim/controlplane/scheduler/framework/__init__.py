"""The scheduling framework: what a plugin is, what it sees, and who runs it.

Everything in here is free of time and of the simulation: values in, values out.

Mirrors: staging/src/k8s.io/kube-scheduler/framework, pkg/scheduler/framework.
"""
