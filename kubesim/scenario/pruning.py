"""Dropping what a custom resource's schema does not know, as an API server does. Pure.

Mirrors: apiextensions-apiserver pkg/apiserver/schema/pruning (structural schemas).
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from kubesim.api.fielderrors import KeyPath
from kubesim.api.scheme import SCHEME
from kubesim.manifests.problems import type_at

Dropped = tuple[KeyPath, tuple[str, ...]]
"""Where an unknown field was, and which fields there could have been."""


def pruned(data: dict[str, Any]) -> tuple[dict[str, Any], list[Dropped]]:
    """The object without unknown fields, and those; itself when its kind is not known."""
    resource = SCHEME.find(str(data.get("apiVersion")), str(data.get("kind")))
    if resource is None:
        return data, []
    dropped: list[Dropped] = []
    kept = _pruned(data, resource.model, (), dropped)
    return (kept if dropped else data), dropped


def _pruned(value: Any, model: Any, path: KeyPath, dropped: list[Dropped]) -> Any:
    if isinstance(value, list):  # then ``model`` is the type of its items
        return [_pruned(item, model, (*path, i), dropped) for i, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    known = isinstance(model, type) and issubclass(model, BaseModel)
    names = [str(f.alias or n) for n, f in model.model_fields.items()] if known else None
    kept = {}
    for key, item in value.items():
        if names is not None and key not in names:
            dropped.append(((*path, key), tuple(names)))
            continue
        below = type_at(model, (key,)) if known else None
        kept[key] = _pruned(item, _item_type(below, item), (*path, key), dropped)
    return kept


def _item_type(declared: Any, value: Any) -> Any:
    """The type of a list's items, or the declared type of anything else."""
    return (
        type_at(declared, (0,)) if isinstance(value, list) and declared is not None else declared
    )
