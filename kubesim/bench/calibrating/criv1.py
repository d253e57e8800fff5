"""CRI v1 over its socket, as far as it takes to start a pod and to end it.

The wire format is protobuf's: for each field its number, its kind and its value. Which numbers the
fields have is in ``MESSAGES``; a name with a capital is a message, ``*`` a list.

Mirrors: k8s.io/cri-api pkg/apis/runtime/v1/api.proto (the field numbers).
Departs: of the answers only the first field is read: the id, or the version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubesim.errors import InputError

MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "VersionRequest": {},
    "RunPodSandboxRequest": {"config": (1, "PodSandboxConfig"), "runtime_handler": (2, "string")},
    "StopPodSandboxRequest": {"pod_sandbox_id": (1, "string")},
    "RemovePodSandboxRequest": {"pod_sandbox_id": (1, "string")},
    "CreateContainerRequest": {
        "pod_sandbox_id": (1, "string"),
        "config": (2, "ContainerConfig"),
        "sandbox_config": (3, "PodSandboxConfig"),
    },
    "StartContainerRequest": {"container_id": (1, "string")},
    "StopContainerRequest": {"container_id": (1, "string"), "timeout": (2, "int64")},
    "RemoveContainerRequest": {"container_id": (1, "string")},
    "PullImageRequest": {"image": (1, "ImageSpec")},
    "RemoveImageRequest": {"image": (1, "ImageSpec")},
    "PodSandboxConfig": {
        "metadata": (1, "PodSandboxMetadata"),
        "hostname": (2, "string"),
        "log_directory": (3, "string"),
        "linux": (8, "LinuxPodSandboxConfig"),
    },
    "PodSandboxMetadata": {
        "name": (1, "string"),
        "uid": (2, "string"),
        "namespace": (3, "string"),
    },
    "LinuxPodSandboxConfig": {
        "cgroup_parent": (1, "string"),
        "security_context": (2, "LinuxSandboxSecurityContext"),
    },
    "LinuxSandboxSecurityContext": {"namespace_options": (1, "NamespaceOption")},
    "NamespaceOption": {"network": (1, "int64"), "pid": (2, "int64")},
    "ContainerConfig": {
        "metadata": (1, "ContainerMetadata"),
        "image": (2, "ImageSpec"),
        "command": (3, "*string"),
        "log_path": (11, "string"),
        "linux": (15, "LinuxContainerConfig"),
    },
    "ContainerMetadata": {"name": (1, "string")},
    "ImageSpec": {"image": (1, "string")},
    "LinuxContainerConfig": {
        "resources": (1, "LinuxContainerResources"),
        "security_context": (2, "LinuxContainerSecurityContext"),
    },
    "LinuxContainerResources": {
        "cpu_period": (1, "int64"),
        "cpu_shares": (3, "int64"),
        "memory_limit_in_bytes": (4, "int64"),
        "oom_score_adj": (5, "int64"),
    },
    "LinuxContainerSecurityContext": {"namespace_options": (3, "NamespaceOption")},
}

POD, CONTAINER, NODE = 0, 1, 2
"""NamespaceMode."""

_IMAGE_CALLS = frozenset({"PullImage", "RemoveImage"})
_VARINT, _BYTES = 0, 2
_TIMEOUT_S = 120.0


class CriClient:
    """One connection to a container runtime.

    Args:
        socket: The path of its socket.

    Raises:
        InputError: If grpcio is not installed.
    """

    def __init__(self, socket: str) -> None:
        try:
            import grpc  # noqa: PLC0415 - an extra
        except ImportError:
            raise InputError("CRI needs grpcio: pip install 'kubesim[calibrate]'") from None
        self._channel = grpc.insecure_channel(f"unix://{socket}")
        self._calls: dict[str, Any] = {}

    def wait_ready(self, seconds: float) -> None:
        """Wait until the runtime answers Version.

        Raises:
            Exception: gRPC's, if it never does.
        """
        import grpc  # noqa: PLC0415 - an extra

        grpc.channel_ready_future(self._channel).result(timeout=seconds)
        self.call("Version", {})

    def call(self, method: str, request: Mapping[str, Any]) -> str:
        """Make a call; gives the answer's first field where that is a text."""
        return first_text(self.prepared(method)(encode(f"{method}Request", request)))

    def prepared(self, method: str) -> Any:
        """A function from an encoded request to the encoded answer."""
        found = self._calls.get(method)
        if found is None:
            service = "ImageService" if method in _IMAGE_CALLS else "RuntimeService"
            raw = self._channel.unary_unary(f"/runtime.v1.{service}/{method}")
            found = self._calls[method] = lambda request: raw(request, timeout=_TIMEOUT_S)
        return found

    def close(self) -> None:
        """Hang up."""
        self._channel.close()


def encode(message: str, values: Mapping[str, Any]) -> bytes:
    """A message on the wire; what is empty or 0 is left out."""
    fields, out = MESSAGES[message], bytearray()
    for name, value in values.items():
        number, kind = fields[name]
        for each in value if kind.startswith("*") else (value,):
            out += _field(number, kind.removeprefix("*"), each)
    return bytes(out)


def first_text(answer: bytes) -> str:
    """The text in field 1 of an answer that begins with one; empty otherwise."""
    if not answer or answer[0] != 1 << 3 | _BYTES:
        return ""
    length, shift, at = 0, 0, 1
    while True:
        length |= (answer[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not answer[at - 1] & 0x80:
            break
    return answer[at : at + length].decode()


def _field(number: int, kind: str, value: Any) -> bytes:
    if kind == "int64":
        return _varint(number << 3 | _VARINT) + _varint(value) if value else b""
    data = value.encode() if kind == "string" else encode(kind, value)
    if not data and kind == "string":
        return b""
    return _varint(number << 3 | _BYTES) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
