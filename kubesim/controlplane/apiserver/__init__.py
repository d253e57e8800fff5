"""kube-apiserver: the truth of the simulated cluster.

One object store with a revision, admission in front of it, watches behind it. Nobody but
``controlplane.client`` (and the wiring) talks to it.

Mirrors: staging/src/k8s.io/apiserver, pkg/registry.
Departs: no authentication and no authorization (SCOPE.md); one replica; API objects are stored once,
in one version.
"""
