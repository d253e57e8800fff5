"""The closed sets of values that fields of the core group may have.

A value outside of its set is an error with a suggestion; sets which upstream leaves open
(condition types, resource names) are plain strings.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from typing import Literal

RestartPolicy = Literal["Always", "OnFailure", "Never"]
DNSPolicy = Literal["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"]
PreemptionPolicy = Literal["PreemptLowerPriority", "Never"]
PullPolicy = Literal["Always", "Never", "IfNotPresent"]
TerminationMessagePolicy = Literal["File", "FallbackToLogsOnError"]
Protocol = Literal["TCP", "UDP", "SCTP"]
URIScheme = Literal["HTTP", "HTTPS"]

TaintEffect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]
TolerationOperator = Literal["Exists", "Equal", "Lt", "Gt"]
NodeSelectorOperator = Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
UnsatisfiableConstraintAction = Literal["DoNotSchedule", "ScheduleAnyway"]
NodeInclusionPolicy = Literal["Ignore", "Honor"]

ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]
ServiceAffinity = Literal["ClientIP", "None"]
TrafficPolicy = Literal["Cluster", "Local"]

PodPhase = Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"]
PodQOSClass = Literal["Guaranteed", "Burstable", "BestEffort"]
NamespacePhase = Literal["Active", "Terminating"]
