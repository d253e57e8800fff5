"""What a scenario's SpinApps imply: who must scale them, what their stores need, what they cannot have.

Pure functions of the objects that are ever applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kubesim.api.autoscalingv2 import HorizontalPodAutoscaler
from kubesim.api.kedahttpv1alpha1 import HTTPScaledObject
from kubesim.api.kedav1alpha1 import ScaledObject
from kubesim.api.metav1 import KubeObject
from kubesim.api.runtimev1alpha1 import Shim
from kubesim.api.spinv1alpha1 import KeyValueStoreConfig, SpinApp, SqliteDatabaseConfig
from kubesim.cluster.apply import DEFAULT_NAMESPACE

OUTSIDE = ("azure_cosmos", "aws_dynamo", "libsql")


def unscaled(objects: Iterable[KubeObject]) -> Iterator[str]:
    """Applications that wait for an autoscaler that nobody made."""
    objects = tuple(objects)
    scaled = {
        (hpa.namespace or DEFAULT_NAMESPACE, hpa.spec.scale_target_ref.name)
        for hpa in objects
        if isinstance(hpa, HorizontalPodAutoscaler | ScaledObject | HTTPScaledObject)
    }
    for app in dict.fromkeys(_apps(objects)):
        if app.spec.enable_autoscaling:
            namespace = app.namespace or DEFAULT_NAMESPACE
            if (namespace, app.name) not in scaled:
                yield (
                    f"SpinApp {namespace}/{app.name} has enableAutoscaling, and nothing scales its "
                    "Deployment: the operator makes no HorizontalPodAutoscaler, it stays at 1 (W7)"
                )


def may_use_redis(obj: KubeObject) -> bool:
    """Whether an object may be an application with a store in a Redis server."""
    if not isinstance(obj, SpinApp):
        return False
    config = obj.spec.runtime_config
    return bool(config.load_from_secret) or any(
        store.type == "redis" for store in config.key_value_stores
    )


def stores_outside(objects: Iterable[KubeObject]) -> Iterator[str]:
    """Stores and databases of applications that lie outside of the cluster."""
    said = set()
    for app in _apps(objects):
        config = app.spec.runtime_config
        stores: tuple[KeyValueStoreConfig | SqliteDatabaseConfig, ...] = (
            *config.key_value_stores,
            *config.sqlite_databases,
        )
        for store in stores:
            name = f"{app.namespace or DEFAULT_NAMESPACE}/{app.name}"
            if store.type in OUTSIDE and (name, store.name, store.type) not in said:
                said.add((name, store.name, store.type))
                yield (
                    f'SpinApp {name} has its store "{store.name}" ({store.type}) outside of the '
                    "cluster, where nobody answers: components are told that its host is unknown"
                )
        if config.llm_compute is not None and (app.name, "llm", "") not in said:
            said.add((app.name, "llm", ""))
            yield f"SpinApp {app.name} has llmCompute, which no component can call"


def shims_in_vain(objects: Iterable[KubeObject]) -> Iterator[str]:
    """Shims that will not do what somebody may expect of them, as upstream has it."""
    for shim in dict.fromkeys(obj for obj in objects if isinstance(obj, Shim)):
        handler = shim.spec.runtime_class.handler
        if shim.spec.rollout_strategy.type == "rolling":
            yield (
                f"Shim {shim.name} is to be rolled out in turn, which the runtime-class-manager refuses "
                "so far: nothing is installed"
            )
        elif handler != shim.name:
            yield (
                f'Shim {shim.name} installs the handler "{shim.name}", and its RuntimeClass names '
                f'"{handler}": its pods will find no runtime'
            )


def _apps(objects: Iterable[KubeObject]) -> Iterator[SpinApp]:
    return (obj for obj in objects if isinstance(obj, SpinApp))
