"""KEDA's HTTP add-on in a cluster: its Service, its interceptor behind it, its scaler beside KEDA.

Users reach it as in a real cluster: by the Service ``keda-add-ons-http-interceptor-proxy`` of namespace
``keda``, port 8080, with the Host header of the application that they mean.

Mirrors: the Helm chart kedacore/keda-add-ons-http.
Departs: the Service has no pods; its one endpoint is the interceptor itself.
"""

from __future__ import annotations

from kubesim.api.corev1 import Namespace, Service
from kubesim.api.discoveryv1 import EndpointSlice
from kubesim.api.metav1 import ObjectMeta
from kubesim.cluster.keda import Keda
from kubesim.controlplane.apiserver.server import APIServer
from kubesim.controlplane.autoscaling.keda.httpaddon import (
    HttpAddOnConfig,
    HTTPScaledObjectController,
    Interceptor,
    InterceptorRouteController,
    RequestCounts,
    Upstream,
)
from kubesim.controlplane.client import Client
from kubesim.sim import Sim
from kubesim.world.network import PodNetwork

NAMESPACE = "keda"
SERVICE = "keda-add-ons-http-interceptor-proxy"
PORT = 8080
ADDRESS = "10.239.0.1"  # of no pod's network


def install_http_add_on(apiserver: APIServer) -> None:
    """Its namespace, its Service, and where that leads to."""
    apiserver.create(Namespace(metadata=ObjectMeta(name=NAMESPACE)))
    apiserver.create(
        Service.model_validate(
            {
                "metadata": {"name": SERVICE, "namespace": NAMESPACE},
                "spec": {"ports": [{"name": "proxy", "port": PORT, "targetPort": "proxy"}]},
            }
        )
    )
    apiserver.create(
        EndpointSlice.model_validate(
            {
                "metadata": {
                    "name": f"{SERVICE}-1",
                    "namespace": NAMESPACE,
                    "labels": {"kubernetes.io/service-name": SERVICE},
                },
                "addressType": "IPv4",
                "endpoints": [
                    {"addresses": [ADDRESS], "conditions": {"ready": True, "serving": True}}
                ],
                "ports": [{"name": "proxy", "port": PORT}],
            }
        )
    )


class HttpAddOn:
    """Interceptor, scaler and operator.

    Args:
        sim: The run.
        client: Its connection to the API server.
        config: Its settings.
        network: Where the interceptor listens.
        upstream: Its way to pods.
        keda: Whom the scaler tells.
    """

    def __init__(
        self,
        sim: Sim,
        *,
        client: Client,
        config: HttpAddOnConfig,
        network: PodNetwork,
        upstream: Upstream,
        keda: Keda,
    ) -> None:
        self.counts = RequestCounts(
            sim,
            config=config,
            route=lambda key: self.interceptor.route(key),  # noqa: PLW0108  # it is made below
            active=keda.push,
            idle=keda.was_active,
        )
        self.interceptor = Interceptor(
            sim, client=client, config=config, counts=self.counts, upstream=upstream
        )
        network.attach(ADDRESS, "")
        network.listen(ADDRESS, PORT, self.interceptor)
        keda.use_http(self.counts)
        HTTPScaledObjectController(sim, client=client)
        InterceptorRouteController(sim, client=client)
