"""client-go: the only door to the API server.

Components hold a ``Client`` for writes, ``Informer`` caches for reads, a ``Controller`` for the
reconcile loop between the two, and a ``Recorder`` for events. All delays between a component and
the API server are spent here.

Mirrors: staging/src/k8s.io/client-go (rest, tools/cache, util/workqueue, tools/record).
"""

from kubesim.controlplane.apiserver.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    StatusError,
    TooManyRequests,
)
from kubesim.controlplane.client.client import Client, ClientConfig
from kubesim.controlplane.client.controller import Controller
from kubesim.controlplane.client.informer import Informer
from kubesim.controlplane.client.recorder import Recorder
from kubesim.controlplane.client.workqueue import WorkQueue

__all__ = [
    "AlreadyExists",
    "Client",
    "ClientConfig",
    "Conflict",
    "Controller",
    "Forbidden",
    "Informer",
    "Invalid",
    "NotFound",
    "Recorder",
    "StatusError",
    "TooManyRequests",
    "WorkQueue",
]
