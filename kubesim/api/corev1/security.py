"""Who a container runs as, and what it may do.

Mirrors: staging/src/k8s.io/api/core/v1/types.go.
"""

from kubesim.api.model import Bool, Int64, KubeModel


class AppArmorProfile(KubeModel):
    """The AppArmor profile to run under."""

    type: str
    localhost_profile: str | None = None


class SeccompProfile(KubeModel):
    """The seccomp profile to run under."""

    type: str
    localhost_profile: str | None = None


class SELinuxOptions(KubeModel):
    """The SELinux label to run with."""

    user: str | None = None
    role: str | None = None
    type: str | None = None
    level: str | None = None


class WindowsSecurityContextOptions(KubeModel):
    """What only Windows containers have."""

    gmsa_credential_spec_name: str | None = None
    gmsa_credential_spec: str | None = None
    run_as_user_name: str | None = None
    host_process: Bool | None = None


class Capabilities(KubeModel):
    """Linux capabilities to add and to drop."""

    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class SecurityContext(KubeModel):
    """The security settings of one container."""

    capabilities: Capabilities | None = None
    privileged: Bool | None = None
    se_linux_options: SELinuxOptions | None = None
    windows_options: WindowsSecurityContextOptions | None = None
    run_as_user: Int64 | None = None
    run_as_group: Int64 | None = None
    run_as_non_root: Bool | None = None
    read_only_root_filesystem: Bool | None = None
    allow_privilege_escalation: Bool | None = None
    proc_mount: str | None = None
    seccomp_profile: SeccompProfile | None = None
    app_armor_profile: AppArmorProfile | None = None


class Sysctl(KubeModel):
    """A kernel parameter to set."""

    name: str
    value: str


class PodSecurityContext(KubeModel):
    """The security settings that all containers of a pod share."""

    se_linux_options: SELinuxOptions | None = None
    windows_options: WindowsSecurityContextOptions | None = None
    run_as_user: Int64 | None = None
    run_as_group: Int64 | None = None
    run_as_non_root: Bool | None = None
    supplemental_groups: tuple[Int64, ...] = ()
    supplemental_groups_policy: str | None = None
    fs_group: Int64 | None = None
    sysctls: tuple[Sysctl, ...] = ()
    fs_group_change_policy: str | None = None
    seccomp_profile: SeccompProfile | None = None
    app_armor_profile: AppArmorProfile | None = None
    se_linux_change_policy: str | None = None
