"""Labels and annotations of kubesim's own, where something real has none.

``WASM_LABEL`` is on every node that has a Wasm shim, as Node Feature Discovery would have it; the
annotations carry what a lenient reading of a manifest found to the component that acts on it.
"""

from kubesim.controlplane.spin.children import POD_SPEC_ANNOTATION

WASM_LABEL = "kubesim.dev/wasm"
NODE_INSTALLER_ANNOTATION = "lenient.kubesim.dev/node-installer"

__all__ = ["NODE_INSTALLER_ANNOTATION", "POD_SPEC_ANNOTATION", "WASM_LABEL"]
