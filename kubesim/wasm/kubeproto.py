"""Pods and nodes as protobuf, as far as plugins that place pods look at them.

The wire format is simple: for each field that is set its number, its kind, and its value. Which
numbers the fields have is in ``MESSAGES``, one message a paragraph: number, name and type of each
field; ``*`` is a list, ``%`` a map with texts as keys, ``.`` an inlined message. What is not listed
(probes, security contexts, most kinds of volumes) is left out.

Mirrors: staging/src/k8s.io/api/core/v1/generated.proto (the field numbers).
Departs: Go writes fields without a value, too; that decodes to the same object.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from kubesim.api.metav1 import KubeObject
from kubesim.api.rfc3339 import parse_time

MESSAGES = """
Pod: 1 metadata ObjectMeta, 2 spec PodSpec, 3 status PodStatus
Node: 1 metadata ObjectMeta, 2 spec NodeSpec, 3 status NodeStatus
ObjectMeta: 1 name string, 2 generateName string, 3 namespace string, 4 selfLink string,
    5 uid string, 6 resourceVersion string, 7 generation int64, 8 creationTimestamp time,
    9 deletionTimestamp time, 10 deletionGracePeriodSeconds int64, 11 labels %string,
    12 annotations %string, 13 ownerReferences *OwnerReference, 14 finalizers *string
PodSpec: 1 volumes *Volume, 2 containers *Container, 3 restartPolicy string,
    4 terminationGracePeriodSeconds int64, 5 activeDeadlineSeconds int64, 6 dnsPolicy string,
    7 nodeSelector %string, 8 serviceAccountName string, 9 serviceAccount string,
    10 nodeName string, 11 hostNetwork bool, 12 hostPID bool, 13 hostIPC bool, 16 hostname string,
    17 subdomain string, 18 affinity Affinity, 19 schedulerName string,
    20 initContainers *Container, 21 automountServiceAccountToken bool, 22 tolerations *Toleration,
    24 priorityClassName string, 25 priority int32, 27 shareProcessNamespace bool,
    28 readinessGates *PodReadinessGate, 29 runtimeClassName string, 30 enableServiceLinks bool,
    31 preemptionPolicy string, 32 overhead %quantity,
    33 topologySpreadConstraints *TopologySpreadConstraint, 35 setHostnameAsFQDN bool, 36 os PodOS,
    37 hostUsers bool, 38 schedulingGates *PodSchedulingGate, 39 resourceClaims *PodResourceClaim,
    40 resources ResourceRequirements
PodStatus: 1 phase string, 2 conditions *PodCondition, 3 message string, 4 reason string,
    5 hostIP string, 6 podIP string, 7 startTime time, 8 containerStatuses *ContainerStatus,
    9 qosClass string, 10 initContainerStatuses *ContainerStatus, 11 nominatedNodeName string,
    12 podIPs *PodIP, 13 ephemeralContainerStatuses *ContainerStatus, 14 resize string,
    16 hostIPs *HostIP, 17 observedGeneration int64
NodeSpec: 1 podCIDR string, 2 externalID string, 3 providerID string, 4 unschedulable bool,
    5 taints *Taint, 7 podCIDRs *string
NodeStatus: 1 capacity %quantity, 2 allocatable %quantity, 3 phase string,
    4 conditions *NodeCondition, 5 addresses *NodeAddress, 7 nodeInfo NodeSystemInfo,
    8 images *ContainerImage, 9 volumesInUse *string
OwnerReference: 1 kind string, 3 name string, 4 uid string, 5 apiVersion string, 6 controller bool,
    7 blockOwnerDeletion bool
Container: 1 name string, 2 image string, 3 command *string, 4 args *string, 5 workingDir string,
    6 ports *ContainerPort, 7 env *EnvVar, 8 resources ResourceRequirements,
    13 terminationMessagePath string, 14 imagePullPolicy string, 16 stdin bool, 17 stdinOnce bool,
    18 tty bool, 20 terminationMessagePolicy string, 24 restartPolicy string
Affinity: 1 nodeAffinity NodeAffinity, 2 podAffinity PodAffinity, 3 podAntiAffinity PodAntiAffinity
Toleration: 1 key string, 2 operator string, 3 value string, 4 effect string,
    5 tolerationSeconds int64
PodReadinessGate: 1 conditionType string
TopologySpreadConstraint: 1 maxSkew int32, 2 topologyKey string, 3 whenUnsatisfiable string,
    4 labelSelector LabelSelector, 5 minDomains int32, 6 nodeAffinityPolicy string,
    7 nodeTaintsPolicy string, 8 matchLabelKeys *string
PodOS: 1 name string
PodSchedulingGate: 1 name string
PodResourceClaim: 1 name string, 3 resourceClaimName string, 4 resourceClaimTemplateName string
ResourceRequirements: 1 limits %quantity, 2 requests %quantity, 3 claims *ResourceClaim
PodCondition: 1 type string, 2 status string, 3 lastProbeTime time, 4 lastTransitionTime time,
    5 reason string, 6 message string, 7 observedGeneration int64
ContainerStatus: 1 name string, 2 state ContainerState, 3 lastState ContainerState, 4 ready bool,
    5 restartCount int32, 6 image string, 7 imageID string, 8 containerID string, 9 started bool,
    10 allocatedResources %quantity, 11 resources ResourceRequirements, 15 stopSignal string
PodIP: 1 ip string
HostIP: 1 ip string
Taint: 1 key string, 2 value string, 3 effect string, 4 timeAdded time
NodeCondition: 1 type string, 2 status string, 3 lastHeartbeatTime time, 4 lastTransitionTime time,
    5 reason string, 6 message string
NodeAddress: 1 type string, 2 address string
NodeSystemInfo: 1 machineID string, 2 systemUUID string, 3 bootID string, 4 kernelVersion string,
    5 osImage string, 6 containerRuntimeVersion string, 7 kubeletVersion string,
    8 kubeProxyVersion string, 9 operatingSystem string, 10 architecture string
ContainerImage: 1 names *string, 2 sizeBytes int64
ContainerPort: 1 name string, 2 hostPort int32, 3 containerPort int32, 4 protocol string,
    5 hostIP string
EnvVar: 1 name string, 2 value string
NodeAffinity: 1 requiredDuringSchedulingIgnoredDuringExecution NodeSelector,
    2 preferredDuringSchedulingIgnoredDuringExecution *PreferredSchedulingTerm
PodAffinity: 1 requiredDuringSchedulingIgnoredDuringExecution *PodAffinityTerm,
    2 preferredDuringSchedulingIgnoredDuringExecution *WeightedPodAffinityTerm
PodAntiAffinity: 1 requiredDuringSchedulingIgnoredDuringExecution *PodAffinityTerm,
    2 preferredDuringSchedulingIgnoredDuringExecution *WeightedPodAffinityTerm
LabelSelector: 1 matchLabels %string, 2 matchExpressions *LabelSelectorRequirement
ResourceClaim: 1 name string, 2 request string
ContainerState: 1 waiting ContainerStateWaiting, 2 running ContainerStateRunning,
    3 terminated ContainerStateTerminated
NodeSelector: 1 nodeSelectorTerms *NodeSelectorTerm
PreferredSchedulingTerm: 1 weight int32, 2 preference NodeSelectorTerm
PodAffinityTerm: 1 labelSelector LabelSelector, 2 namespaces *string, 3 topologyKey string,
    4 namespaceSelector LabelSelector, 5 matchLabelKeys *string, 6 mismatchLabelKeys *string
WeightedPodAffinityTerm: 1 weight int32, 2 podAffinityTerm PodAffinityTerm
LabelSelectorRequirement: 1 key string, 2 operator string, 3 values *string
ContainerStateWaiting: 1 reason string, 2 message string
ContainerStateRunning: 1 startedAt time
ContainerStateTerminated: 1 exitCode int32, 2 signal int32, 3 reason string, 4 message string,
    5 startedAt time, 6 finishedAt time, 7 containerID string
NodeSelectorTerm: 1 matchExpressions *NodeSelectorRequirement,
    2 matchFields *NodeSelectorRequirement
NodeSelectorRequirement: 1 key string, 2 operator string, 3 values *string
Volume: 1 name string, 2 . VolumeSource
VolumeSource: 1 hostPath HostPathVolumeSource, 2 emptyDir EmptyDirVolumeSource,
    10 persistentVolumeClaim PersistentVolumeClaimVolumeSource
HostPathVolumeSource: 1 path string, 2 type string
EmptyDirVolumeSource: 1 medium string, 2 sizeLimit quantity
PersistentVolumeClaimVolumeSource: 1 claimName string, 2 readOnly bool
"""

_VARINT, _BYTES = 0, 2
_NUMBERS = frozenset({"int32", "int64", "bool"})
_NS = 1_000_000_000


def encoded(obj: KubeObject) -> bytes:
    """A Pod or a Node as protobuf."""
    data = obj.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    return _message(type(obj).__name__, data)


def encoded_list(objects: list[bytes]) -> bytes:
    """A list (``PodList``, ``NodeList``) of encoded objects."""
    return b"".join(_field(2, _BYTES, item) for item in objects)


@cache
def _fields(message: str) -> tuple[tuple[int, str, str], ...]:
    """Number, name and type of a message's fields."""
    return _tables()[message]


@cache
def _tables() -> dict[str, tuple[tuple[int, str, str], ...]]:
    tables = {}
    for paragraph in MESSAGES.replace("\n    ", " ").strip().splitlines():
        name, _, fields = paragraph.partition(":")
        parts = (field.split() for field in fields.split(","))
        tables[name] = tuple((int(number), wire, kind) for number, wire, kind in parts)
    return tables


def _message(kind: str, data: Mapping[str, Any]) -> bytes:
    out = bytearray()
    for number, name, of in _fields(kind):
        if name == ".":
            inner = _message(of, data)
            if inner:
                out += _field(number, _BYTES, inner)
            continue
        value = data.get(name)
        if value is None:
            continue
        if of[0] == "*":
            for item in value:
                out += _value(number, of[1:], item)
        elif of[0] == "%":
            for key, item in value.items():
                entry = _value(1, "string", key) + _value(2, of[1:], item)
                out += _field(number, _BYTES, entry)
        else:
            out += _value(number, of, value)
    return bytes(out)


def _value(number: int, kind: str, value: Any) -> bytes:
    if kind in _NUMBERS:
        return _varint(number << 3 | _VARINT) + _varint(int(value))
    if kind == "string":
        return _field(number, _BYTES, str(value).encode())
    if kind == "quantity":
        return _field(number, _BYTES, _field(1, _BYTES, str(value).encode()))
    if kind == "time":
        return _field(number, _BYTES, _time(value))
    return _field(number, _BYTES, _message(kind, value))


def _time(value: str) -> bytes:
    seconds, nanos = divmod(parse_time(value), _NS)
    tail = _varint(2 << 3 | _VARINT) + _varint(nanos) if nanos else b""
    return _varint(1 << 3 | _VARINT) + _varint(seconds) + tail


def _field(number: int, wire: int, content: bytes) -> bytes:
    return _varint(number << 3 | wire) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; negative numbers in 64 bits of two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
