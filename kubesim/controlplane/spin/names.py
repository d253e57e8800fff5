"""Labels and annotations: those of the shims' installers, and kubesim's own where there is none.

``WASM_LABEL`` is on every node that has a Wasm shim, as a rule of Node Feature Discovery would put
it there. The two ``lenient`` annotations carry what a lenient reading of a manifest found to the
component that acts on it.

Mirrors: kwasm-operator controllers/job_controller.go, runtime-class-manager
internal/controller/job_controller.go (the names that are theirs).
"""

WASM_LABEL = "kubesim.dev/wasm"
POD_SPEC_ANNOTATION = "lenient.kubesim.dev/pod-spec"
NODE_INSTALLER_ANNOTATION = "lenient.kubesim.dev/node-installer"

KWASM_NODE_ANNOTATION = "kwasm.sh/kwasm-node"
KWASM_PROVISIONED_LABEL = "kwasm.sh/kwasm-provisioned"

# The values of the label that the runtime-class-manager gives a node for each shim.
PENDING = "pending"
PROVISIONED = "provisioned"
FAILED = "failed"
