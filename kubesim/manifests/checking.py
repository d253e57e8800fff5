"""The rules of the API server, applied to manifests: what it would refuse, and on which line.

Mirrors: nothing upstream; it is what ``kubectl apply --dry-run=server`` would say.
"""

from __future__ import annotations

from collections.abc import Iterable

from kubesim.api.defaults import set_defaults
from kubesim.api.scheme import KUBERNETES, Scheme
from kubesim.api.validation import validate_object
from kubesim.errors import Problem
from kubesim.manifests.decoding import Manifest

__all__ = ["check"]


def check(manifests: Iterable[Manifest], *, scheme: Scheme = KUBERNETES) -> list[Problem]:
    """What an API server would refuse in ``manifests``, after filling in its defaults."""
    return [
        manifest.document.problem(error.message, error.path)
        for manifest in manifests
        for error in validate_object(set_defaults(manifest.obj), scheme)
    ]
