"""kube-controller-manager: one controller a file, unaware of each other.

They share one client (its rate limit is what throttles a mass scale-out) and its informers, and
meet only in the API server.

Mirrors: pkg/controller, cmd/kube-controller-manager.
"""

from kubesim.controlplane.controllers.cloudnodelifecycle import CloudNodeLifecycleController
from kubesim.controlplane.controllers.cronjob import CronJobController
from kubesim.controlplane.controllers.daemonset import DaemonSetController
from kubesim.controlplane.controllers.deployment import DeploymentController
from kubesim.controlplane.controllers.disruption import DisruptionController
from kubesim.controlplane.controllers.endpointslice import EndpointSliceController
from kubesim.controlplane.controllers.garbagecollector import GarbageCollector
from kubesim.controlplane.controllers.job import JobController
from kubesim.controlplane.controllers.namespace import NamespaceController
from kubesim.controlplane.controllers.nodelifecycle import NodeLifecycleController
from kubesim.controlplane.controllers.podgc import PodGCController
from kubesim.controlplane.controllers.replicaset import ReplicaSetController
from kubesim.controlplane.controllers.resourcequota import ResourceQuotaController
from kubesim.controlplane.controllers.statefulset import StatefulSetController
from kubesim.controlplane.controllers.tainteviction import TaintEvictionController
from kubesim.controlplane.controllers.ttlafterfinished import TTLAfterFinishedController

__all__ = [
    "CloudNodeLifecycleController",
    "CronJobController",
    "DaemonSetController",
    "DeploymentController",
    "DisruptionController",
    "EndpointSliceController",
    "GarbageCollector",
    "JobController",
    "NamespaceController",
    "NodeLifecycleController",
    "PodGCController",
    "ReplicaSetController",
    "ResourceQuotaController",
    "StatefulSetController",
    "TTLAfterFinishedController",
    "TaintEvictionController",
]
