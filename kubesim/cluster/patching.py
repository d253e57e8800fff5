"""Patches as a client sends them: JSON merge patches, and the strategic ones of ``kubectl patch``.

Mirrors: staging/src/k8s.io/apimachinery/pkg/util/strategicpatch.
Departs: the merge key of every list of mappings is ``name``; there are no ``$patch`` directives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from kubesim.api.metav1 import KubeObject
from kubesim.manifests import to_data

K = TypeVar("K", bound=KubeObject)
MERGE_KEY = "name"


def patched(obj: K, patch: Mapping[str, Any], *, strategic: bool) -> K:
    """The object after a patch of its main resource, which leaves its status alone."""
    data = {key: value for key, value in to_data(obj).items() if key != "status"}
    changed = type(obj).model_validate(_merged(data, patch, strategic=strategic))
    return changed.replace(status=status) if (status := getattr(obj, "status", None)) else changed


def _merged(target: Any, patch: Any, *, strategic: bool) -> Any:
    if strategic and _has_names(target) and _has_names(patch):
        return _merged_by_name(target, patch)
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value, strategic=strategic)
    return result


def _merged_by_name(target: Sequence[Any], patch: Sequence[Any]) -> list[Any]:
    changes = {item[MERGE_KEY]: item for item in patch}
    result = [
        _merged(item, changes.pop(item[MERGE_KEY]), strategic=True)
        if item[MERGE_KEY] in changes
        else item
        for item in target
    ]
    return result + list(changes.values())


def _has_names(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(
        isinstance(item, Mapping) and MERGE_KEY in item for item in value
    )
