"""Containers: what a pod runs.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from kubesim.api.corev1.enums import Protocol, PullPolicy, TerminationMessagePolicy
from kubesim.api.corev1.env import EnvFromSource, EnvVar
from kubesim.api.corev1.probe import Lifecycle, Probe
from kubesim.api.corev1.resources import ResourceRequirements
from kubesim.api.corev1.security import SecurityContext
from kubesim.api.model import Bool, Int32, KubeModel, Unsimulated


class ContainerPort(KubeModel):
    """A port the container listens on."""

    name: str | None = None
    host_port: Int32 | None = None
    container_port: Int32
    protocol: Protocol | None = None
    host_ip: str | None = None


class ContainerResizePolicy(KubeModel):
    """What to do with the container when one of its resources is resized."""

    resource_name: str
    restart_policy: str


class ContainerRestartRuleOnExitCodes(KubeModel):
    """The exit codes that a restart rule is about."""

    operator: str
    values: tuple[Int32, ...] = ()


class ContainerRestartRule(KubeModel):
    """What to do when the container exits in a certain way."""

    action: str
    exit_codes: ContainerRestartRuleOnExitCodes | None = None


class VolumeMount(KubeModel):
    """A volume of the pod and where the container sees it."""

    name: str
    read_only: Bool | None = None
    recursive_read_only: str | None = None
    mount_path: str
    sub_path: str | None = None
    mount_propagation: str | None = None
    sub_path_expr: str | None = None


class VolumeDevice(KubeModel):
    """A raw block device and where the container sees it."""

    name: str
    device_path: str


class Container(KubeModel):
    """One container of a pod."""

    name: str
    image: str | None = None
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: Unsimulated[str | None] = None
    ports: tuple[ContainerPort, ...] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    env: tuple[EnvVar, ...] = ()
    resources: ResourceRequirements = ResourceRequirements.zero()
    resize_policy: tuple[ContainerResizePolicy, ...] = ()
    restart_policy: str | None = None
    restart_policy_rules: Unsimulated[tuple[ContainerRestartRule, ...]] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()
    volume_devices: Unsimulated[tuple[VolumeDevice, ...]] = ()
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    termination_message_path: Unsimulated[str | None] = None
    termination_message_policy: Unsimulated[TerminationMessagePolicy | None] = None
    image_pull_policy: PullPolicy | None = None
    security_context: Unsimulated[SecurityContext | None] = None
    stdin: Unsimulated[Bool | None] = None
    stdin_once: Unsimulated[Bool | None] = None
    tty: Unsimulated[Bool | None] = None


class EphemeralContainer(KubeModel):
    """A container added to a running pod for debugging."""

    name: str
    image: str | None = None
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str | None = None
    ports: tuple[ContainerPort, ...] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    env: tuple[EnvVar, ...] = ()
    resources: ResourceRequirements = ResourceRequirements.zero()
    resize_policy: tuple[ContainerResizePolicy, ...] = ()
    restart_policy: str | None = None
    restart_policy_rules: tuple[ContainerRestartRule, ...] = ()
    volume_mounts: tuple[VolumeMount, ...] = ()
    volume_devices: tuple[VolumeDevice, ...] = ()
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    termination_message_path: str | None = None
    termination_message_policy: TerminationMessagePolicy | None = None
    image_pull_policy: PullPolicy | None = None
    security_context: SecurityContext | None = None
    stdin: Bool | None = None
    stdin_once: Bool | None = None
    tty: Bool | None = None
    target_container_name: str | None = None
