"""Admission: what happens to an object between its arrival and its validation, one plugin a file.

``DEFAULT_PLUGINS`` is the order in which they run, as in a real API server.

Mirrors: plugin/pkg/admission, pkg/kubeapiserver/options/plugins.go (the order).
Departs: only the plugins listed here exist; webhooks are those of the operators that are known.
"""

from kubesim.controlplane.apiserver.admission.defaulttolerationseconds import (
    DefaultTolerationSeconds,
)
from kubesim.controlplane.apiserver.admission.interface import AdmissionPlugin
from kubesim.controlplane.apiserver.admission.limitranger import LimitRanger
from kubesim.controlplane.apiserver.admission.podresize import PodResizeValidator
from kubesim.controlplane.apiserver.admission.priority import Priority
from kubesim.controlplane.apiserver.admission.runtimeclass import RuntimeClassAdmission
from kubesim.controlplane.apiserver.admission.webhook import Reader, Webhook

DEFAULT_PLUGINS: tuple[AdmissionPlugin, ...] = (
    LimitRanger(),
    Priority(),
    DefaultTolerationSeconds(),
    RuntimeClassAdmission(),  # last, so that its tolerations follow the two defaults, as upstream
)

RESIZE_PLUGINS: tuple[AdmissionPlugin, ...] = (LimitRanger(), PodResizeValidator())
"""Those that look at the ``resize`` subresource of a pod."""

__all__ = ["DEFAULT_PLUGINS", "RESIZE_PLUGINS", "AdmissionPlugin", "Reader", "Webhook"]
