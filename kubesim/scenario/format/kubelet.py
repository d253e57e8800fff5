"""KubeletConfiguration, as an operator writes it: upstream's names, upstream's defaults.

What is simulated is declared with its type. What upstream has and kubesim does not simulate is
accepted with any value and reported; what neither has is a mistake.

Mirrors: staging/src/k8s.io/kubelet/config/v1beta1/types.go (v1.36.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, create_model, model_validator

from kubesim.node.kubelet.configuration import SIGNALS, Threshold
from kubesim.scenario.format.values import ScenarioModel, ScenarioQuantity, Span

UNSIMULATED = (
    "address", "allowedUnsafeSysctls", "authentication", "authorization", "cgroupDriver",
    "cgroupRoot", "cgroupsPerQOS", "clusterDNS", "clusterDomain",
    "configMapAndSecretChangeDetectionStrategy", "containerLogMaxFiles", "containerLogMaxSize",
    "containerLogMaxWorkers", "containerLogMonitorInterval", "containerRuntimeEndpoint",
    "contentType", "cpuManagerPolicy", "cpuManagerPolicyOptions", "cpuManagerReconcilePeriod",
    "enableContentionProfiling", "enableControllerAttachDetach", "enableDebugFlagsHandler",
    "enableDebuggingHandlers", "enableProfilingHandler", "enableServer", "enableSystemLogHandler",
    "enableSystemLogQuery", "eventBurst", "eventRecordQPS", "failCgroupV1", "failSwapOn",
    "featureGates", "fileCheckFrequency", "hairpinMode", "healthzBindAddress", "healthzPort",
    "httpCheckFrequency", "imagePullCredentialsVerificationPolicy", "imageServiceEndpoint",
    "iptablesDropBit", "iptablesMasqueradeBit", "kubeReservedCgroup", "kubeletCgroups",
    "localStorageCapacityIsolation", "logging", "makeIPTablesUtilChains", "maxOpenFiles",
    "memoryManagerPolicy", "memoryReservationPolicy", "memorySwap", "memoryThrottlingFactor",
    "nodeStatusReportFrequency", "oomScoreAdj", "podCIDR", "podLogsDir",
    "preloadedImagesVerificationAllowlist", "protectKernelDefaults", "providerID", "qosReserved",
    "readOnlyPort", "registerNode", "registerWithTaints", "reservedMemory", "reservedSystemCPUs",
    "resolvConf", "rotateCertificates", "runOnce", "runtimeRequestTimeout", "seccompDefault",
    "serverTLSBootstrap", "showHiddenMetricsForVersion", "shutdownGracePeriod",
    "shutdownGracePeriodByPodPriority", "shutdownGracePeriodCriticalPods", "singleProcessOOMKill",
    "staticPodPath", "staticPodURL", "staticPodURLHeader", "streamingConnectionIdleTimeout",
    "syncFrequency", "systemCgroups", "systemReservedCgroup", "tlsCertFile", "tlsCipherSuites",
    "tlsCurvePreferences", "tlsMinVersion", "tlsPrivateKeyFile", "topologyManagerPolicy",
    "topologyManagerPolicyOptions", "topologyManagerScope", "tracing", "userNamespaces",
    "volumePluginDir",
)  # fmt: skip

# Signals of which nothing is measured here, and containerfs, which upstream ignores too.
UNMEASURED = (
    "nodefs.inodesFree", "imagefs.inodesFree", "containerfs.available", "containerfs.inodesFree",
    "pid.available",
)  # fmt: skip
THRESHOLD_FIELDS = (
    ("eviction_hard", "evictionHard"),
    ("eviction_soft", "evictionSoft"),
    ("eviction_minimum_reclaim", "evictionMinimumReclaim"),
)


class CrashLoopSettings(ScenarioModel):
    """``crashLoopBackOff``.

    Attributes:
        max_container_restart_period: The longest back-off; by default 300 s.
    """

    max_container_restart_period: Span = Field(
        default=300_000_000_000, ge=1_000_000_000, le=300_000_000_000
    )


class SimulatedKubelet(ScenarioModel):
    """The fields that make a difference.

    Attributes:
        file: A KubeletConfiguration to begin with; what stands beside it overrides it.
    """

    file: str | None = None
    serialize_image_pulls: bool | None = None
    max_parallel_image_pulls: int | None = Field(default=None, ge=1)
    registry_pull_qps: int = Field(default=5, ge=0, alias="registryPullQPS")
    registry_burst: int = Field(default=10, ge=0)
    kube_api_qps: int = Field(default=50, ge=0, alias="kubeAPIQPS")
    kube_api_burst: int = Field(default=100, ge=0, alias="kubeAPIBurst")
    max_pods: int | None = Field(default=None, ge=0)
    pods_per_core: int = Field(default=0, ge=0)
    pod_pids_limit: int = Field(default=-1, ge=-1)
    cpu_cfs_quota: bool = Field(default=True, alias="cpuCFSQuota")
    cpu_cfs_quota_period: Span = Field(
        default=100_000_000, ge=1_000_000, le=1_000_000_000, alias="cpuCFSQuotaPeriod"
    )
    kube_reserved: dict[str, ScenarioQuantity] | None = None
    system_reserved: dict[str, ScenarioQuantity] = Field(default_factory=dict)
    eviction_hard: dict[str, str] | None = None
    merge_default_eviction_settings: bool = False
    eviction_soft: dict[str, str] = Field(default_factory=dict)
    eviction_soft_grace_period: dict[str, Span] = Field(default_factory=dict)
    eviction_max_pod_grace_period: int = Field(default=0, ge=0)
    eviction_minimum_reclaim: dict[str, str] = Field(default_factory=dict)
    eviction_pressure_transition_period: Span = 300_000_000_000
    image_gc_high_threshold_percent: int = Field(
        default=85, ge=0, le=100, alias="imageGCHighThresholdPercent"
    )
    image_gc_low_threshold_percent: int = Field(
        default=80, ge=0, le=100, alias="imageGCLowThresholdPercent"
    )
    image_minimum_gc_age: Span = Field(default=120_000_000_000, alias="imageMinimumGCAge")
    image_maximum_gc_age: Span = Field(default=0, alias="imageMaximumGCAge")
    node_status_update_frequency: Span = Field(default=10_000_000_000, gt=0)
    node_status_max_images: int = Field(default=50, ge=-1)
    node_lease_duration_seconds: int = Field(default=40, gt=0)
    enforce_node_allocatable: tuple[
        Literal["none", "pods", "system-reserved", "kube-reserved"], ...
    ] = ("pods",)
    kernel_memcg_notification: bool = False
    volume_stats_agg_period: Span = 60_000_000_000
    crash_loop_back_off: CrashLoopSettings = CrashLoopSettings()

    @model_validator(mode="before")
    @classmethod
    def _file(cls, value: object) -> object:
        return {"file": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> SimulatedKubelet:
        if self.image_gc_low_threshold_percent >= self.image_gc_high_threshold_percent:
            raise ValueError(
                "imageGCLowThresholdPercent must be less than imageGCHighThresholdPercent"
            )
        if self.serialize_image_pulls and (self.max_parallel_image_pulls or 1) > 1:
            raise ValueError(
                "maxParallelImagePulls cannot be larger than 1 unless serializeImagePulls is false"
            )
        for thresholds in (self.eviction_hard or {}, self.eviction_soft):
            for signal, text in thresholds.items():
                if signal not in SIGNALS:
                    raise ValueError(f'unknown eviction signal "{signal}": {", ".join(SIGNALS)}')
                Threshold.parse(text)
        for signal, text in self.eviction_minimum_reclaim.items():
            if signal not in SIGNALS:
                raise ValueError(f'unknown eviction signal "{signal}": {", ".join(SIGNALS)}')
            Threshold.parse(text, zero=True)
        missing = [s for s in self.eviction_soft if s not in self.eviction_soft_grace_period]
        if missing:
            raise ValueError(f"evictionSoft {missing[0]} needs an evictionSoftGracePeriod")
        return self

    def unsimulated(self) -> list[str]:
        """The fields that were given and make no difference."""
        given = self.model_fields_set
        found = [name for name in UNSIMULATED if name in given]
        for field, name in THRESHOLD_FIELDS:
            signals = getattr(self, field) or {}
            found += [f"{name} {signal}" for signal in signals if signal in UNMEASURED]
        if self.pod_pids_limit != -1:
            found.append("podPidsLimit")
        found += [
            f"enforceNodeAllocatable {what}"
            for what in self.enforce_node_allocatable
            if what.endswith("-reserved")
        ]
        return found


if TYPE_CHECKING:
    KubeletSettings = SimulatedKubelet
    KubeletFile = SimulatedKubelet
else:
    KubeletSettings = create_model(
        "KubeletSettings",
        __base__=SimulatedKubelet,
        __module__=__name__,
        __doc__="KubeletConfiguration, or the path of a file that holds one.",
        **{
            name: (Any, Field(default=None, alias=name, description="Accepted, not simulated."))
            for name in UNSIMULATED
        },
    )
    KubeletFile = create_model(
        "KubeletFile",
        __base__=KubeletSettings,
        __module__=__name__,
        __doc__="A KubeletConfiguration in a file of its own.",
        api_version=(Literal["kubelet.config.k8s.io/v1beta1"], Field(alias="apiVersion")),
        kind=(Literal["KubeletConfiguration"], Field()),
    )
