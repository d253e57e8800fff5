"""Webhooks: admission that an operator brings along for its own kinds.

A plugin is compiled into the API server; a webhook is registered by whoever installs a custom
resource. It may fill in what was left open, on every creation and every update, and afterwards,
when the object is known to be well formed, it may refuse it: all reasons at once, in one Invalid.

Mirrors: staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook (mutating before validating; the
prefix of the message).
Departs: a call costs no time beyond the request's own and never fails: the operator is always up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeVar

from kubesim.api.fielderrors import FieldError
from kubesim.api.metav1 import KubeObject

K = TypeVar("K", bound=KubeObject)


class Reader(Protocol):
    """What a webhook may look up: the store, or anything like it."""

    def get(self, kind: type[K], key: str) -> K | None:
        """The object of that key, or ``None``."""
        ...

    def values(self, kind: type[K]) -> Iterator[K]:
        """All objects of a kind, in the order in which they were created."""
        ...


class Webhook(Protocol):
    """A mutating and a validating webhook for one kind."""

    @property
    def kind(self) -> type[KubeObject]:
        """The kind it is registered for."""
        ...

    @property
    def name(self) -> str:
        """The validating webhook's name, as refusals quote it."""
        ...

    def default(self, obj: KubeObject, reader: Reader) -> KubeObject:
        """The object with what was left open filled in."""
        ...

    def validate(self, obj: KubeObject, reader: Reader) -> list[FieldError]:
        """What is wrong with the object."""
        ...
