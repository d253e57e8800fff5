"""A controller does not decide before its caches show what it wrote itself.

A sync that began earlier would decide on a state that the controller knows to be old. Such a key is put
back for some milliseconds.

Mirrors: pkg/controller/util/consistency (StaleControllerConsistencyReplicaSet and its like, on by
default since 1.36).
"""

from __future__ import annotations

from typing import Any

from kubesim.api.metav1 import KubeObject
from kubesim.controlplane.client import Conflict, Informer


class ConsistencyStore:
    """What was written last for each owner, by kind.

    Args:
        informers: The caches that decisions are made on.
    """

    def __init__(self, *informers: Informer[Any]) -> None:
        self._informers = {informer.kind: informer for informer in informers}
        self._written: dict[str, dict[type[KubeObject], int]] = {}

    def wrote(self, owner: str, obj: KubeObject) -> None:
        """This object was written for that owner, and came back like this."""
        kinds = self._written.setdefault(owner, {})
        revision = int(obj.metadata.resource_version or 0)
        kinds[type(obj)] = max(revision, kinds.get(type(obj), 0))

    def ensure_ready(self, owner: str) -> None:
        """See that the caches show all of it; if so it need not be remembered.

        Raises:
            Conflict: If a cache is behind; the owner is to be tried again later.
        """
        for kind, revision in self._written.get(owner, {}).items():
            seen = self._informers[kind].last_revision
            if seen < revision:
                message = f"read version: {seen} is not as new as written version: {revision}"
                raise Conflict(f"{message} for {kind.__name__}")
        self.clear(owner)

    def clear(self, owner: str) -> None:
        """The owner is gone."""
        self._written.pop(owner, None)
