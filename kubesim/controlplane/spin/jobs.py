"""The Jobs that install shims: privileged, bound to their node, with the host's root. Pure functions.

Mirrors: kwasm-operator controllers/job_controller.go; runtime-class-manager
    internal/controller/shim_controller.go (createJobManifest).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from kubesim.api.batchv1 import Job, JobSpec
from kubesim.api.corev1 import (
    Container,
    EnvVar,
    HostPathVolumeSource,
    PodSpec,
    PodTemplateSpec,
    SecurityContext,
    Volume,
    VolumeMount,
)
from kubesim.api.frozenmap import FrozenMap
from kubesim.api.metav1 import ObjectMeta, new_controller_ref
from kubesim.api.runtimev1alpha1 import PlatformArtifact, Shim
from kubesim.controlplane.spin import names

NAME_LENGTH_MAX = 63
PRIVILEGED = SecurityContext(privileged=True)
ROOT = Volume(name="root-mount", host_path=HostPathVolumeSource(path="/"))
ROOT_MOUNT = VolumeMount(name="root-mount", mount_path=names.NODE_ROOT)
DOWNLOAD_MOUNT = VolumeMount(name="shim-download", mount_path="/assets")


def kwasm_job(node: str) -> Job:
    """The Job that brings Spin to a node that asked for it by annotation."""
    container = Container(
        name="kwasm-provision",
        image=names.KWASM_INSTALLER_IMAGE,
        env=(EnvVar(name="NODE_ROOT", value=names.NODE_ROOT),),
        security_context=PRIVILEGED,
        volume_mounts=(ROOT_MOUNT,),
    )
    return Job(
        metadata=ObjectMeta(
            name=trimmed(f"{node}-provision-kwasm"),
            namespace=names.KWASM_NAMESPACE,
            labels=FrozenMap({names.KWASM_JOB_LABEL: "true"}),
        ),
        spec=JobSpec(template=_template(node, (), (container,), (ROOT,))),
    )


def shim_job(shim: Shim, node: str, operation: str, artifact: PlatformArtifact | None) -> Job:
    """The Job that installs a shim on a node, or takes it away.

    Args:
        shim: The shim.
        node: The node's name.
        operation: ``install`` or ``uninstall``.
        artifact: What is downloaded first; nothing, to take it away.
    """
    name = trimmed(f"{node}-{shim.name}-{operation}")
    about = {"spinkube.dev/nodeName": node, names.RCM_SHIM_LABEL: shim.name}
    labels = {name: "true", names.RCM_SHIM_LABEL: shim.name, "spinkube.dev/job": "true"}
    env = [EnvVar(name="HOST_ROOT", value=names.NODE_ROOT)]
    if options := shim.spec.containerd_runtime_options:
        env.append(EnvVar(name="RUNTIME_OPTIONS", value=json.dumps(dict(options))))
    provisioner = Container(
        name="provisioner",
        image=names.RCM_INSTALLER_IMAGE,
        args=(operation, "-H", names.NODE_ROOT, "-r", shim.name),
        env=tuple(env),
        security_context=PRIVILEGED,
        volume_mounts=(ROOT_MOUNT, DOWNLOAD_MOUNT),
    )
    first = () if artifact is None else (_downloader(shim, artifact),)
    volumes = (Volume(name="shim-download"), ROOT)
    return Job(
        metadata=ObjectMeta(
            name=name,
            namespace=names.RCM_NAMESPACE,
            annotations=FrozenMap({**about, names.RCM_OPERATION: operation}),
            labels=FrozenMap({**labels, names.RCM_OPERATION: operation}),
            owner_references=(new_controller_ref(shim),) if operation == names.INSTALL else (),
        ),
        spec=JobSpec(template=_template(node, first, (provisioner,), volumes)),
    )


def _downloader(shim: Shim, artifact: PlatformArtifact) -> Container:
    env: Mapping[str, str] = {"SHIM_NAME": shim.name, "SHIM_LOCATION": artifact.location}
    if artifact.sha256:
        env = {**env, "SHIM_SHA256": artifact.sha256}
    return Container(
        name="downloader",
        image=names.RCM_DOWNLOADER_IMAGE,
        env=tuple(EnvVar(name=name, value=value) for name, value in env.items()),
        security_context=PRIVILEGED,
        volume_mounts=(DOWNLOAD_MOUNT,),
    )


def _template(
    node: str,
    first: tuple[Container, ...],
    containers: tuple[Container, ...],
    volumes: tuple[Volume, ...],
) -> PodTemplateSpec:
    return PodTemplateSpec(
        spec=PodSpec(
            node_name=node,
            host_pid=True,
            restart_policy="Never",
            init_containers=first,
            containers=containers,
            volumes=volumes,
        )
    )


def trimmed(name: str) -> str:
    """A name that is not too long, and ends in a letter or a digit."""
    return re.sub(r"[^a-zA-Z0-9]+$", "", name[:NAME_LENGTH_MAX])


def finished(job: Job) -> str:
    """``Complete`` or ``Failed``; empty while it goes on."""
    for condition in job.status.conditions:
        if condition.type in ("Complete", "Failed") and condition.status == "True":
            return condition.type
    return ""
