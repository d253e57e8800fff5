"""The declared API against the official one: same fields, same requiredness, same types.

The official JSON schemas of Kubernetes 1.36 come with the package ``kubernetes-validate``. Both
schemas are walked together, from each kind down to the leaves.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from kubesim.api.scheme import KUBERNETES, Resource

SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
OFFICIAL = SCHEMAS / "v1.36.0-local-strict" / "_definitions.json"

# What the official schema refers to, and what travels in its place.
SCALARS = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": {"string"},
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": {"string"},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"string", "number"},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"string", "integer"},
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": {"object"},
    "io.k8s.apimachinery.pkg.runtime.RawExtension": {"object"},
}


@cache
def official_definitions() -> dict[str, Any]:
    return json.loads(OFFICIAL.read_text(encoding="utf-8"))["$defs"]


@cache
def official_kinds() -> dict[tuple[str, str], str]:
    kinds = {}
    for name, schema in official_definitions().items():
        for gvk in schema.get("x-kubernetes-group-version-kind", ()):
            group = f"{gvk['group']}/" if gvk["group"] else ""
            kinds.setdefault((group + gvk["version"], gvk["kind"]), name)
    return kinds


class Comparison:
    """Walks the official schema and ours together and notes every difference."""

    def __init__(self, ours: dict[str, Any]) -> None:
        self.ours = ours
        self.differences: list[str] = []
        self.fields = 0
        self._done: set[str] = set()

    def compare_object(self, name: str, mine: dict[str, Any], path: str) -> None:
        if name in self._done:
            return
        self._done.add(name)
        theirs = official_definitions()[name]
        properties, declared = theirs.get("properties", {}), mine.get("properties", {})
        self.fields += len(properties)
        for field in sorted(properties.keys() - declared.keys()):
            self.differences.append(f"{path}.{field} is not declared")
        for field in sorted(declared.keys() - properties.keys()):
            self.differences.append(f"{path}.{field} is not official")
        if set(theirs.get("required", ())) != set(mine.get("required", ())):
            self.differences.append(
                f"{path} requires {theirs.get('required')}, declared {mine.get('required')}"
            )
        for field in sorted(properties.keys() & declared.keys()):
            self.compare_type(properties[field], declared[field], f"{path}.{field}")

    def compare_type(self, theirs: dict[str, Any], mine: dict[str, Any], path: str) -> None:
        mine = self._without_null(mine)
        reference = theirs.get("$ref", "").rpartition("/")[2]
        if reference in SCALARS:
            self._expect(SCALARS[reference], self._types(mine), path)
        elif reference:
            self._expect({"object"}, self._types(mine), path)
            self.compare_object(reference, self._resolved(mine), path)
        else:
            wanted = self._types(theirs)
            self._expect(wanted, self._types(mine), path)
            if wanted == {"array"}:
                self.compare_type(theirs["items"], mine.get("items", {}), f"{path}[]")
            elif theirs.get("additionalProperties"):
                entries = mine.get("additionalProperties", {})
                self.compare_type(theirs["additionalProperties"], entries, f"{path}.*")

    def _expect(self, wanted: set[str], found: set[str], path: str) -> None:
        if wanted != found:
            self.differences.append(f"{path} is {sorted(wanted)}, declared {sorted(found)}")

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        name = schema.get("$ref", "").rpartition("/")[2]
        return self.ours["$defs"][name] if name else schema

    def _without_null(self, schema: dict[str, Any]) -> dict[str, Any]:
        members = [item for item in schema.get("anyOf", ()) if item.get("type") != "null"]
        return members[0] if len(members) == 1 else schema

    def _types(self, schema: dict[str, Any]) -> set[str]:
        schema = self._resolved(schema)
        if "anyOf" in schema:
            return set().union(*(self._types(item) for item in schema["anyOf"]))
        types = schema.get("type", [])
        return set([types] if isinstance(types, str) else types) - {"null"}


@pytest.mark.parametrize("resource", tuple(KUBERNETES), ids=lambda resource: resource.kind)
def test_every_official_field_is_declared_and_no_other(resource: Resource) -> None:
    """A kind has exactly the official fields, down to the leaves, of the official types."""
    ours = resource.model.model_json_schema(by_alias=True, mode="validation")
    comparison = Comparison(ours)

    comparison.compare_object(
        official_kinds()[resource.api_version, resource.kind], ours, resource.kind
    )

    assert [] == comparison.differences
    assert comparison.fields > 5


def test_the_scheme_names_kinds_as_the_official_api_does() -> None:
    """Every kind of the scheme is an official kind with that apiVersion."""
    unofficial = [
        resource.kind
        for resource in KUBERNETES
        if (resource.api_version, resource.kind) not in official_kinds()
    ]

    assert [] == unofficial


@pytest.mark.parametrize("resource", tuple(KUBERNETES), ids=lambda resource: resource.kind)
def test_the_class_says_its_own_kind(resource: Resource) -> None:
    """The class of a kind has the kind's apiVersion and name as defaults."""
    fields = resource.model.model_fields

    assert resource.api_version == fields["api_version"].default
    assert resource.kind == fields["kind"].default
