"""The scheme: which kinds there are, what they are called, and which class is which.

A manifest says ``apps/v1 Deployment``, a URL says ``deployments``, a user says ``deploy``: here
they meet. A class is imported when it is first asked for, so that knowing all kinds costs nothing.
``KUBERNETES`` has the official kinds; ``SCHEME`` is what everybody uses: those, and the custom
resources for which there is an operator here (``KUBERNETES.extended(...)``).

Mirrors: staging/src/k8s.io/apimachinery/pkg/runtime/scheme.go and the REST mapper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from importlib import import_module

from kubesim.api.metav1 import KubeObject

__all__ = ["KUBERNETES", "SCHEME", "Column", "Resource", "Scheme"]


@dataclass(frozen=True)
class Column:
    """A column that ``kubectl get`` prints for a custom resource.

    Attributes:
        name: Its head.
        json_path: Where in the object its value is.
        wide: Whether only ``-o wide`` has it.
    """

    name: str
    json_path: str
    wide: bool = False


@dataclass(frozen=True)
class Resource:
    """One kind of object.

    Attributes:
        api_version: Group and version, as manifests write them: ``apps/v1``; ``v1`` for the core.
        kind: Such as ``Deployment``.
        plural: The name in URLs and for kubectl, such as ``deployments``.
        module: The module that has the class.
        namespaced: Whether objects of this kind live in a namespace.
        short_names: What kubectl also understands, such as ``deploy``.
        columns: ``additionalPrinterColumns`` of a custom resource.
    """

    api_version: str
    kind: str
    plural: str
    module: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """The version within the group, such as ``v1``."""
        return self.api_version.rpartition("/")[2]

    @property
    def singular(self) -> str:
        """The kind in small letters."""
        return self.kind.lower()

    @cached_property
    def model(self) -> type[KubeObject]:
        """The class of the objects."""
        model: type[KubeObject] = getattr(import_module(self.module), self.kind)
        assert issubclass(model, KubeObject), model
        return model


class Scheme:
    """A set of kinds, and how to find one.

    Args:
        resources: The kinds; no two with the same ``api_version`` and ``kind``.
    """

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._by_kind = {(item.api_version, item.kind): item for item in resources}
        self._by_plural = {
            (item.group, item.version, item.plural): item for item in self._by_kind.values()
        }
        self._by_name: dict[str, Resource] = {}
        for item in self._by_kind.values():
            for name in (item.plural, item.singular, *item.short_names):
                self._by_name.setdefault(name, item)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_kind.values())

    def extended(self, resources: Iterable[Resource]) -> Scheme:
        """A scheme that also has ``resources``."""
        return Scheme((*self, *resources))

    def find(self, api_version: str, kind: str) -> Resource | None:
        """The kind that a manifest names."""
        return self._by_kind.get((api_version, kind))

    def of(self, obj: KubeObject) -> Resource:
        """The kind of an object.

        Raises:
            KeyError: If the scheme does not have it.
        """
        return self._by_kind[obj.api_version, obj.kind]

    def find_plural(self, group: str, version: str, plural: str) -> Resource | None:
        """The kind that a URL names."""
        return self._by_plural.get((group, version, plural))

    def find_name(self, name: str) -> Resource | None:
        """The kind that a user names: plural, singular, kind or short name, in any case."""
        return self._by_name.get(name.lower())

    def hint(self, api_version: str, kind: str) -> str:
        """What an unknown ``api_version`` and ``kind`` were probably meant to be, as a sentence.

        Empty when nobody can tell.
        """
        if served := [item.api_version for item in self if item.kind == kind]:
            return f'{kind} is served as apiVersion "{_closest(api_version, served)}"'
        if kind in _OTHER_OFFICIAL:
            return "it is a kind of Kubernetes which kubesim does not have yet"
        here = {item.kind.lower(): item for item in self if item.api_version == api_version}
        everywhere = {item.kind.lower(): item for item in self}
        for candidates in (here, everywhere):
            if close := get_close_matches(kind.lower(), candidates, n=1, cutoff=0.75):
                found = candidates[close[0]]
                where = "" if found.api_version == api_version else f" ({found.api_version})"
                return f'did you mean "{found.kind}"{where}?'
        return ""


def _closest(wanted: str, choices: list[str]) -> str:
    close = get_close_matches(wanted, choices, n=1, cutoff=0.0)
    return close[0] if close else choices[0]


_OTHER_OFFICIAL = frozenset(
    {
        "APIService",
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "ComponentStatus",
        "CustomResourceDefinition",
        "DeviceClass",
        "Endpoints",
        "FlowSchema",
        "Ingress",
        "IngressClass",
        "IPAddress",
        "MutatingAdmissionPolicy",
        "MutatingWebhookConfiguration",
        "NetworkPolicy",
        "PodTemplate",
        "PriorityLevelConfiguration",
        "ResourceClaim",
        "ResourceClaimTemplate",
        "ResourceSlice",
        "Role",
        "RoleBinding",
        "ServiceCIDR",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttributesClass",
    }
)


def _core(kind: str, plural: str, *short: str, module: str, namespaced: bool = True) -> Resource:
    return Resource("v1", kind, plural, f"kubesim.api.corev1.{module}", namespaced, short)


_APPS = "kubesim.api.appsv1"
_STORAGE = "kubesim.api.storagev1"

KUBERNETES = Scheme(
    (
        _core("Binding", "bindings", module="pod"),
        _core("ConfigMap", "configmaps", "cm", module="config"),
        _core("Event", "events", "ev", module="event"),
        _core("LimitRange", "limitranges", "limits", module="quota"),
        _core("Namespace", "namespaces", "ns", module="namespace", namespaced=False),
        _core("Node", "nodes", "no", module="node", namespaced=False),
        _core("PersistentVolumeClaim", "persistentvolumeclaims", "pvc", module="persistentvolume"),
        _core(
            "PersistentVolume",
            "persistentvolumes",
            "pv",
            module="persistentvolume",
            namespaced=False,
        ),
        _core("Pod", "pods", "po", module="pod"),
        _core(
            "ReplicationController", "replicationcontrollers", "rc", module="replicationcontroller"
        ),
        _core("ResourceQuota", "resourcequotas", "quota", module="quota"),
        _core("Secret", "secrets", module="config"),
        _core("ServiceAccount", "serviceaccounts", "sa", module="serviceaccount"),
        _core("Service", "services", "svc", module="service"),
        Resource("apps/v1", "ControllerRevision", "controllerrevisions", _APPS),
        Resource("apps/v1", "DaemonSet", "daemonsets", _APPS, short_names=("ds",)),
        Resource("apps/v1", "Deployment", "deployments", _APPS, short_names=("deploy",)),
        Resource("apps/v1", "ReplicaSet", "replicasets", _APPS, short_names=("rs",)),
        Resource("apps/v1", "StatefulSet", "statefulsets", _APPS, short_names=("sts",)),
        Resource(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            "horizontalpodautoscalers",
            "kubesim.api.autoscalingv2",
            short_names=("hpa",),
        ),
        Resource("batch/v1", "CronJob", "cronjobs", "kubesim.api.batchv1", short_names=("cj",)),
        Resource("batch/v1", "Job", "jobs", "kubesim.api.batchv1"),
        Resource("coordination.k8s.io/v1", "Lease", "leases", "kubesim.api.coordinationv1"),
        Resource(
            "discovery.k8s.io/v1", "EndpointSlice", "endpointslices", "kubesim.api.discoveryv1"
        ),
        Resource(
            "node.k8s.io/v1",
            "RuntimeClass",
            "runtimeclasses",
            "kubesim.api.nodev1",
            namespaced=False,
        ),
        Resource(
            "policy/v1",
            "PodDisruptionBudget",
            "poddisruptionbudgets",
            "kubesim.api.policyv1",
            short_names=("pdb",),
        ),
        Resource(
            "scheduling.k8s.io/v1",
            "PriorityClass",
            "priorityclasses",
            "kubesim.api.schedulingv1",
            namespaced=False,
            short_names=("pc",),
        ),
        Resource("storage.k8s.io/v1", "CSIDriver", "csidrivers", _STORAGE, namespaced=False),
        Resource("storage.k8s.io/v1", "CSINode", "csinodes", _STORAGE, namespaced=False),
        Resource("storage.k8s.io/v1", "CSIStorageCapacity", "csistoragecapacities", _STORAGE),
        Resource(
            "storage.k8s.io/v1",
            "StorageClass",
            "storageclasses",
            _STORAGE,
            namespaced=False,
            short_names=("sc",),
        ),
        Resource(
            "storage.k8s.io/v1",
            "VolumeAttachment",
            "volumeattachments",
            _STORAGE,
            namespaced=False,
        ),
    )
)
"""The kinds of Kubernetes that kubesim knows."""

_SPIN = "kubesim.api.spinv1alpha1"
_KARPENTER = "kubesim.api.karpenterv1"
_VPA = "kubesim.api.vpav1"

SCHEME = KUBERNETES.extended(
    (
        Resource(
            "core.spinkube.dev/v1alpha1",
            "SpinApp",
            "spinapps",
            _SPIN,
            columns=(
                Column("Ready", ".status.readyReplicas"),
                Column("Desired", ".spec.replicas"),
                Column("Executor", ".spec.executor"),
                Column("Deployment", ".status.deploymentName", wide=True),
                Column("Service", ".status.serviceName", wide=True),
            ),
        ),
        Resource("core.spinkube.dev/v1alpha1", "SpinAppExecutor", "spinappexecutors", _SPIN),
        Resource(
            "runtime.spinkube.dev/v1alpha1",
            "Shim",
            "shims",
            "kubesim.api.runtimev1alpha1",
            namespaced=False,
            columns=(
                Column("RuntimeClass", ".spec.runtimeClass.name"),
                Column("Ready", ".status.nodesReady"),
                Column("Nodes", ".status.nodes"),
            ),
        ),
        Resource(
            "nfd.k8s-sigs.io/v1alpha1",
            "NodeFeatureRule",
            "nodefeaturerules",
            "kubesim.api.nfdv1alpha1",
            namespaced=False,
            short_names=("nfr",),
        ),
        Resource(
            "karpenter.sh/v1",
            "NodePool",
            "nodepools",
            _KARPENTER,
            namespaced=False,
            columns=(
                Column("NodeClass", ".spec.template.spec.nodeClassRef.name"),
                Column("Weight", ".spec.weight", wide=True),
            ),
        ),
        Resource(
            "karpenter.sh/v1",
            "NodeClaim",
            "nodeclaims",
            _KARPENTER,
            namespaced=False,
            columns=(Column("Node", ".status.nodeName"),),
        ),
        Resource(
            "karpenter.k8s.aws/v1",
            "EC2NodeClass",
            "ec2nodeclasses",
            _KARPENTER,
            namespaced=False,
            short_names=("ec2nc", "ec2ncs"),
        ),
        Resource(
            "keda.sh/v1alpha1",
            "ScaledObject",
            "scaledobjects",
            "kubesim.api.kedav1alpha1",
            short_names=("so",),
            columns=(
                Column("ScaleTargetKind", ".status.scaleTargetKind"),
                Column("ScaleTargetName", ".spec.scaleTargetRef.name"),
                Column("Min", ".spec.minReplicaCount"),
                Column("Max", ".spec.maxReplicaCount"),
                Column("Triggers", ".status.triggersTypes"),
            ),
        ),
        Resource(
            "http.keda.sh/v1alpha1",
            "HTTPScaledObject",
            "httpscaledobjects",
            "kubesim.api.kedahttpv1alpha1",
            short_names=("httpso",),
            columns=(
                Column("TargetWorkload", ".status.targetWorkload"),
                Column("TargetService", ".status.targetService"),
                Column("MinReplicas", ".spec.replicas.min"),
                Column("MaxReplicas", ".spec.replicas.max"),
            ),
        ),
        Resource(
            "http.keda.sh/v1beta1",
            "InterceptorRoute",
            "interceptorroutes",
            "kubesim.api.kedahttpv1beta1",
            columns=(Column("TargetService", ".spec.target.service"),),
        ),
        Resource(
            "keda.sh/v1alpha1",
            "ScaledJob",
            "scaledjobs",
            "kubesim.api.kedav1alpha1",
            short_names=("sj",),
            columns=(
                Column("Min", ".spec.minReplicaCount"),
                Column("Max", ".spec.maxReplicaCount"),
                Column("Triggers", ".status.triggersTypes"),
            ),
        ),
        Resource(
            "autoscaling.k8s.io/v1",
            "VerticalPodAutoscaler",
            "verticalpodautoscalers",
            _VPA,
            short_names=("vpa",),
            columns=(
                Column("Mode", ".spec.updatePolicy.updateMode"),
                Column("CPU", ".status.recommendation.containerRecommendations[0].target.cpu"),
                Column("Mem", ".status.recommendation.containerRecommendations[0].target.memory"),
                Column(
                    "Provided",
                    ".status.conditions[?(@.type=='RecommendationProvided')].status",
                ),
            ),
        ),
        Resource(
            "autoscaling.k8s.io/v1",
            "VerticalPodAutoscalerCheckpoint",
            "verticalpodautoscalercheckpoints",
            _VPA,
            short_names=("vpacheckpoint",),
        ),
    )
)
"""The same, and the custom resources of SpinKube, Karpenter, KEDA and the VerticalPodAutoscaler."""
