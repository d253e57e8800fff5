"""Executors before the applications that name them: W18 of the article's manifests. Pure.

The webhook refuses an application whose executor is not in its namespace at that moment. A list of
manifests is applied from top to bottom, so an executor further down is as good as none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kubesim.api.spinv1alpha1 import SpinApp, SpinAppExecutor
from kubesim.cluster.apply import DEFAULT_NAMESPACE
from kubesim.errors import Problem
from kubesim.manifests import Manifest
from kubesim.scenario.lenient import Strictness

REFUSED = "executor does not exist in namespace"


@dataclass(frozen=True, slots=True)
class Ordered:
    """Manifests in the order in which they are applied, and what is to be said about it."""

    manifests: tuple[Manifest, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def ordered(
    manifests: Sequence[Manifest], strictness: Strictness, *, before: Sequence[Manifest] = ()
) -> Ordered:
    """The manifests; when read leniently, executors come first.

    Args:
        manifests: What is applied together.
        strictness: How manifests are taken.
        before: What is applied earlier.
    """
    executors = [m for m in manifests if isinstance(m.obj, SpinAppExecutor)]
    applied = {_key(m.obj) for m in before if isinstance(m.obj, SpinAppExecutor)}
    late: list[tuple[Manifest, str]] = []
    for manifest in manifests:
        obj = manifest.obj
        if isinstance(obj, SpinAppExecutor):
            applied.add(_key(obj))
        elif isinstance(obj, SpinApp) and obj.spec.executor:
            key = (obj.namespace or DEFAULT_NAMESPACE, obj.spec.executor)
            if key not in applied:
                late.append((manifest, _hint(manifest, key, executors)))
    if not late:
        return Ordered(tuple(manifests))
    if strictness == "lenient":
        rest = [m for m in manifests if not isinstance(m.obj, SpinAppExecutor)]
        notes = [
            f"{_place(m)}executor {m.obj.name} is applied before the applications (W18)"
            for m in executors
        ]
        return Ordered((*executors, *rest), tuple(notes))
    if strictness == "warn":
        notes = [f"{_place(m)}{REFUSED}: {hint or 'none is applied'} (W18)" for m, hint in late]
        return Ordered(tuple(manifests), tuple(notes))
    path = ("spec", "executor")
    problems = [m.document.problem(REFUSED, path, suggestion=hint) for m, hint in late]
    return Ordered(tuple(manifests), problems=tuple(problems))


def _hint(app: Manifest, key: tuple[str, str], executors: Sequence[Manifest]) -> str:
    """Where the executor is, if it is anywhere."""
    namespace, name = key
    for manifest in executors:
        if _key(manifest.obj) == key:
            same_file = manifest.file == app.file
            where = f"line {manifest.line}" if same_file else f"{manifest.file}:{manifest.line}"
            return f"it is applied only later, at {where}"
        if manifest.obj.name == name:
            other = manifest.obj.namespace or DEFAULT_NAMESPACE
            return f"it is in namespace {other}, the application in {namespace}"
    return ""


def _key(obj: SpinAppExecutor | object) -> tuple[str, str]:
    assert isinstance(obj, SpinAppExecutor), obj
    return (obj.namespace or DEFAULT_NAMESPACE, obj.name)


def _place(manifest: Manifest) -> str:
    return f"{Path(manifest.file).name}:{manifest.line}: " if manifest.file else ""
