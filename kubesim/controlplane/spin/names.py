"""Labels and annotations: those of the shims' installers, and kubesim's own where there is none.

``WASM_LABEL`` is on every node that has a Wasm shim; on a real cluster a rule of Node Feature Discovery
would put such a label there. The ``lenient`` annotation carries what a lenient reading of a manifest
found to the component that acts on it.

Mirrors: kwasm-operator controllers/job_controller.go, runtime-class-manager
internal/controller/{shim,job}_controller.go (the names that are theirs).
"""

WASM_LABEL = "kubesim.dev/wasm"
POD_SPEC_ANNOTATION = "lenient.kubesim.dev/pod-spec"

KWASM_NAMESPACE = "kwasm"
KWASM_NODE_ANNOTATION = "kwasm.sh/kwasm-node"
KWASM_PROVISIONED_LABEL = "kwasm.sh/kwasm-provisioned"
KWASM_JOB_LABEL = "kwasm.sh/job"
KWASM_INSTALLER_IMAGE = "ghcr.io/spinframework/containerd-shim-spin/node-installer:v0.24.0"

RCM_NAMESPACE = "runtime-class-manager"
RCM_FINALIZER = "rcm.spinkube.dev/finalizer"
RCM_SHIM_LABEL = "spinkube.dev/shimName"
RCM_OPERATION = "spinkube.dev/operation"
RCM_DOWNLOADER_IMAGE = "ghcr.io/spinframework/runtime-class-manager/shim-downloader:v0.2.0"
RCM_INSTALLER_IMAGE = "ghcr.io/spinframework/runtime-class-manager/node-installer:v0.2.0"

INSTALL = "install"
UNINSTALL = "uninstall"

# The values of the label that the runtime-class-manager gives a node for each shim.
PENDING = "pending"
PROVISIONED = "provisioned"
FAILED = "failed"

NODE_ROOT = "/mnt/node-root"
INSTALLER_NAMESPACES = (KWASM_NAMESPACE, RCM_NAMESPACE)
INSTALLER_IMAGES = (KWASM_INSTALLER_IMAGE, RCM_DOWNLOADER_IMAGE, RCM_INSTALLER_IMAGE)
