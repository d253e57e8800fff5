"""The media types of Wasm in OCI registries, and the three forms an image of it has.

Mirrors: opencontainers/image-spec media-types.md; runwasi crates/oci-tar-builder; CNCF TAG Runtime
    "wasm-oci-artifact"; Spin crates/oci/src/client.rs.
Departs: the container image with a module in a tar layer ("compat") is not one of the forms.
"""

from __future__ import annotations

from enum import Enum

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"

IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
ARTIFACT_CONFIG = "application/vnd.wasm.config.v0+json"

RUNWASI_LAYER = "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm"
ARTIFACT_LAYER = "application/wasm"
SPIN_WASM_LAYER = "application/vnd.wasm.content.layer.v1+wasm"
SPIN_DATA_LAYER = "application/vnd.wasm.content.layer.v1+data"
SPIN_ARCHIVE_LAYER = "application/vnd.wasm.content.bundle.v1.tar+gzip"
SPIN_APP_LAYER = "application/vnd.fermyon.spin.application.v1+config"

WASM_LAYERS = frozenset({RUNWASI_LAYER, ARTIFACT_LAYER, SPIN_WASM_LAYER})

REF_NAME = "org.opencontainers.image.ref.name"
LOCKED_APP_LABEL = "com.fermyon.spin.lockedAppDigest"


class Form(Enum):
    """How Wasm is put into an image."""

    RUNWASI = "runwasi"
    """An image config and layers of runwasi's media type: what its shims have read first."""
    ARTIFACT = "artifact"
    """The CNCF's artifact: a config of its own and one layer ``application/wasm``."""
    SPIN = "spin"
    """A Spin application: components and files as layers, the locked application last."""
    LINUX = "linux"
    """Not Wasm: the layers are a Linux root file system."""
