"""Pushing an image to a registry, and pulling one.

Blobs go first and the manifest last, so that a registry never has a manifest without its blobs.
What the registry has is not sent again; what it sends is hashed before it is kept, and a tag that
moved while one was reading cannot mix two images.

Mirrors: opencontainers/distribution-spec 1.1 (pull, push: POST then PUT, cross-repository mount).
Departs: a blob is sent in one piece; no referrers, no deletion, no listing of tags.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from kubesim.errors import InputError
from kubesim.oci import media
from kubesim.oci.layout import Layout, parse_index, pick_platform
from kubesim.oci.manifest import Descriptor, Manifest, parse_manifest
from kubesim.oci.reference import Reference
from kubesim.oci.transport import Answer, Transport, why
from kubesim.wire.image import sha256_digest

MANIFEST_BYTES_MAX = 4 * 1024 * 1024
BLOB_BYTES_MAX = 2 * 1024**3

_ACCEPTED = (media.MANIFEST, media.INDEX, media.DOCKER_MANIFEST, media.DOCKER_INDEX)
_INDEXES = frozenset({media.INDEX, media.DOCKER_INDEX})


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a push or a pull did.

    Attributes:
        digest: The manifest's digest.
        moved: Digests of the blobs that travelled.
        present: Digests of those that were there already.
        mounted: Digests of those that the registry took from another repository of its own.
    """

    digest: str
    moved: tuple[str, ...]
    present: tuple[str, ...]
    mounted: tuple[str, ...] = ()


def push(
    layout: Layout,
    manifest: Manifest,
    target: Reference,
    transport: Transport,
    mount_from: str = "",
) -> Transfer:
    """Push an image.

    Args:
        layout: Where its blobs are.
        manifest: What it consists of.
        target: Under which tag; one with a digest must have the image's.
        transport: To that repository, with the right to write.
        mount_from: A repository of the same registry that may have some of the blobs.

    Raises:
        InputError: A blob is damaged, or the registry refuses.
    """
    digest = manifest.descriptor.digest
    if target.digest and target.digest != digest:
        raise InputError(f"the image has the digest {digest}, not {target.digest}")
    moved, present, mounted = [], [], []
    for blob in manifest.blobs:
        if transport.ask("HEAD", f"blobs/{blob.digest}").status == 200:
            present.append(blob.digest)
        elif _upload(layout, blob, transport, mount_from):
            moved.append(blob.digest)
        else:
            mounted.append(blob.digest)
    kind = {"Content-Type": manifest.descriptor.media_type}
    answer = transport.ask(
        "PUT", f"manifests/{target.tag or digest}", body=manifest.raw, headers=kind
    )
    _expect(answer, 201, f"manifest {target}")
    said = answer.headers.get("docker-content-digest", digest)
    if said != digest:
        raise InputError(f"the registry stored {said} instead of {digest}")
    return Transfer(digest, tuple(moved), tuple(present), tuple(mounted))


def _upload(layout: Layout, blob: Descriptor, transport: Transport, mount_from: str) -> bool:
    """Upload one blob; false when the registry had it elsewhere and mounted it."""
    content = layout.blob(blob)
    wish = f"?{urlencode({'mount': blob.digest, 'from': mount_from})}" if mount_from else ""
    answer = transport.ask("POST", f"blobs/uploads/{wish}", body=b"")
    if mount_from and answer.status == 201:
        return False
    what = f"upload of blob {blob.digest}"
    _expect(answer, 202, what)
    location = answer.headers.get("location", "")
    if not location:
        raise InputError(f"{what}: the registry does not say where to")
    glue = "&" if urlsplit(location).query else "?"
    answer = transport.ask(
        "PUT",
        f"{location}{glue}{urlencode({'digest': blob.digest})}",
        body=content,
        headers={"Content-Type": "application/octet-stream"},
    )
    _expect(answer, 201, what)
    return True


def pull(source: Reference, transport: Transport, layout: Layout, name: str) -> Transfer:
    """Pull an image into a layout.

    Args:
        source: Which image.
        transport: To its repository.
        layout: Where it goes; blobs that are there are not fetched.
        name: What it is called there.

    Raises:
        InputError: There is no such image, or what comes is not what its digest says.
    """
    manifest = fetch_manifest(source, transport)
    blobs: dict[str, bytes] = {}
    present = []
    for blob in manifest.blobs:
        if _is_whole(layout, blob):
            present.append(blob.digest)
        else:
            blobs[blob.digest] = _fetch_blob(blob, transport)
    layout.add(name, manifest, blobs)
    return Transfer(manifest.descriptor.digest, tuple(blobs), tuple(present))


def fetch_manifest(source: Reference, transport: Transport) -> Manifest:
    """The manifest of an image; of an index of platforms, the one for Wasm.

    Raises:
        InputError: There is none, or it is not what its digest says.
    """
    descriptor, raw = _fetch_manifest(source.target, transport, str(source))
    if source.digest and descriptor.digest != source.digest:
        raise InputError(f"{source}: what came has the digest {descriptor.digest}")
    if descriptor.media_type in _INDEXES:
        wanted = pick_platform(parse_index(raw, str(source)), str(source))
        descriptor, raw = _fetch_manifest(wanted.digest, transport, str(source))
        if descriptor.digest != wanted.digest:
            raise InputError(f"{source}: {wanted.digest} came with other content")
    return parse_manifest(raw, descriptor)


def _fetch_manifest(target: str, transport: Transport, what: str) -> tuple[Descriptor, bytes]:
    answer = transport.ask(
        "GET",
        f"manifests/{target}",
        headers={"Accept": ", ".join(_ACCEPTED)},
        bytes_max=MANIFEST_BYTES_MAX,
    )
    _expect(answer, 200, what)
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
    if media_type not in _ACCEPTED:
        raise InputError(f"{what} is {media_type or 'of no type'}, which is no image")
    digest = sha256_digest(answer.body)
    said = answer.headers.get("docker-content-digest", digest)
    if said != digest:
        raise InputError(f"{what}: the registry says {said}, and what came has {digest}")
    descriptor = Descriptor(media_type=media_type, digest=digest, size_bytes=len(answer.body))
    return descriptor, answer.body


def _fetch_blob(blob: Descriptor, transport: Transport) -> bytes:
    what = f"blob {blob.digest}"
    if blob.size_bytes > BLOB_BYTES_MAX:
        raise InputError(f"{what} has {blob.size_bytes} bytes; at most {BLOB_BYTES_MAX} are taken")
    answer = transport.ask("GET", f"blobs/{blob.digest}", bytes_max=blob.size_bytes)
    _expect(answer, 200, what)
    if len(answer.body) != blob.size_bytes or sha256_digest(answer.body) != blob.digest:
        raise InputError(f"{what} came with other content than its digest says")
    return answer.body


def _is_whole(layout: Layout, blob: Descriptor) -> bool:
    """Whether a layout has a blob, undamaged."""
    if not layout.has(blob):
        return False
    try:
        layout.blob(blob)
    except InputError:
        return False
    return True


def _expect(answer: Answer, status: int, what: str) -> None:
    if answer.status == 404:
        raise InputError(f"{what}: not found: {why(answer)}")
    if answer.status != status:
        raise InputError(f"{what}: {why(answer)}")
