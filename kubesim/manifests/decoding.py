"""From plain data to API objects: which kind is it, does it fit, what is wrong with it.

``validate`` checks a document against any pydantic model; ``decode`` finds the model by the
document's ``apiVersion`` and ``kind``; ``load`` does it all for files. All problems of all
documents are reported at once.

``null`` is the same as absent, as in Kubernetes. Because documents with nulls are rare, nothing
is done about them until a value is refused; then the nulls among the refused values are taken away
and the rest is tried again. The empty text in the place of one of a closed set of
values is treated in the same way, because Go cannot tell it from absence.

Mirrors: apimachinery/pkg/runtime/serializer/json (strict decoding).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from kubesim.api.fielderrors import KeyPath
from kubesim.api.metav1 import KubeObject
from kubesim.api.model import KubeModel
from kubesim.api.scheme import SCHEME, Resource, Scheme
from kubesim.errors import InputError, Problem
from kubesim.manifests.problems import describe, problems_of, type_at
from kubesim.manifests.reading import Document, read_paths, read_text

__all__ = ["Decoder", "Manifest", "decode", "load", "load_documents", "load_text", "validate"]

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Manifest:
    """An API object and where it came from.

    Attributes:
        obj: The object.
        document: What it was decoded from; knows the position of every field.
    """

    obj: KubeObject
    document: Document

    @property
    def file(self) -> str | None:
        """The file's name, as the user gave it."""
        return self.document.source.name

    @property
    def index(self) -> int:
        """The number of the YAML document in the file, from 0."""
        return self.document.index

    @property
    def line(self) -> int:
        """The line where the object begins, from 1."""
        return self.document.line


def load(*paths: str | Path, scheme: Scheme = SCHEME) -> list[Manifest]:
    """The objects in files and folders, in order.

    Raises:
        InputError: With everything that is wrong in any of them.
    """
    return load_documents(read_paths(paths), scheme=scheme)


def load_text(text: str, source: str | None = None, *, scheme: Scheme = SCHEME) -> list[Manifest]:
    """The objects in a text; ``source`` is its name in messages.

    Raises:
        InputError: With everything that is wrong in it.
    """
    return load_documents(read_text(text, source), scheme=scheme)


def load_documents(documents: Iterable[Document], *, scheme: Scheme = SCHEME) -> list[Manifest]:
    """The objects in documents, in order.

    Raises:
        InputError: With everything that is wrong in any of them.
    """
    decoder = Decoder(scheme)
    manifests: list[Manifest] = []
    problems: list[Problem] = []
    for document in documents:
        try:
            manifests.extend(decoder.decode(document))
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(problems)
    return manifests


def decode(document: Document, *, scheme: Scheme = SCHEME) -> list[Manifest]:
    """The objects in one document: one, or the items of a ``List``.

    Raises:
        InputError: With everything that is wrong in it.
    """
    return Decoder(scheme).decode(document)


def validate(document: Document, model: type[M]) -> M:
    """The document as a ``model``; for API objects and for formats of our own.

    Raises:
        InputError: With everything that is wrong in it, each with its place.
    """
    if not isinstance(document.data, dict):
        raise InputError(document.problem(f"expected object, got {describe(document.data)}"))
    data = document.data
    while True:
        try:
            return model.model_validate(data, by_alias=True, by_name=False)
        except ValidationError as error:
            repaired = _without_nulls(data, error, model)
            if repaired is None:
                raise InputError(problems_of(error, document, model)) from None
            data = repaired


class Decoder:
    """Decodes documents, and shares what is equal among them.

    Thousands of pods have few different specs. The spec of an object is validated once for each
    different text of it, and all objects with that text get the same immutable value.

    Args:
        scheme: The kinds that may come.
    """

    def __init__(self, scheme: Scheme = SCHEME) -> None:
        self._scheme = scheme
        self._specs: dict[tuple[type[KubeModel], str], KubeModel] = {}

    def decode(self, document: Document) -> list[Manifest]:
        """The objects in one document: one, or the items of a ``List``.

        Raises:
            InputError: With everything that is wrong in it.
        """
        api_version, kind = _type_of(document)
        resource = self._scheme.find(api_version, kind)
        if resource is not None:
            return [Manifest(self._object(document, resource), document)]
        if kind.endswith("List") and (kind == "List" or self._scheme.find(api_version, kind[:-4])):
            return self._list(document, api_version, kind)
        raise InputError(
            document.problem(
                f'no matches for kind "{kind}" in version "{api_version}"',
                ("kind",),
                suggestion=self._scheme.hint(api_version, kind),
            )
        )

    def _list(self, document: Document, api_version: str, kind: str) -> list[Manifest]:
        items = document.data.get("items") or []
        if not isinstance(items, list):
            message = f"expected list, got {describe(items)}"
            raise InputError(document.problem(message, ("items",)))
        manifests: list[Manifest] = []
        problems: list[Problem] = []
        for index, data in enumerate(items):
            if kind != "List" and isinstance(data, dict):
                # The items of a typed list need not say what they are.
                data = {"apiVersion": api_version, "kind": kind[:-4], **data}  # noqa: PLW2901
            try:
                manifests.extend(self.decode(document.item(data, ("items", index))))
            except InputError as error:
                problems.extend(error.problems)
        if problems:
            raise InputError(problems)
        return manifests

    def _object(self, document: Document, resource: Resource) -> KubeObject:
        model, data = resource.model, document.data
        spec = data.get("spec")
        if type(spec) is not dict or "spec" not in model.model_fields:
            return validate(document, model)
        spec_model = model.model_fields["spec"].annotation
        assert isinstance(spec_model, type), spec_model
        assert issubclass(spec_model, KubeModel), spec_model
        key = (spec_model, repr(spec))
        shared = self._specs.get(key)
        if shared is not None:
            data = {**data, "spec": shared}
        try:
            obj = model.model_validate(data, by_alias=True, by_name=False)
        except ValidationError:
            return validate(document, model)
        self._specs.setdefault(key, obj.spec)  # type: ignore[attr-defined]
        return obj


def _type_of(document: Document) -> tuple[str, str]:
    """``apiVersion`` and ``kind`` of a document, or an error that says what is missing."""
    data = document.data
    if not isinstance(data, dict):
        raise InputError(document.problem(f"expected object, got {describe(data)}"))
    problems = []
    for name in ("apiVersion", "kind"):
        value = data.get(name)
        if value is None or value == "":
            problems.append(document.problem("Required value", (name,)))
        elif not isinstance(value, str):
            problems.append(document.problem(f"expected string, got {describe(value)}", (name,)))
    if problems:
        raise InputError(problems)
    return data["apiVersion"], data["kind"]


def _without_nulls(data: Any, error: ValidationError, model: type[BaseModel]) -> Any:
    """A copy of ``data`` without the refused nulls; ``None`` when no null was refused."""
    nulls = [
        details["loc"]
        for details in error.errors(include_url=False, include_context=False)
        if details["type"] != "missing"
        and (details["input"] is None or _is_absent_choice(details["type"], details["input"]))
    ]
    repaired = None
    for path in nulls:
        copy = _without(data if repaired is None else repaired, path, model, path)
        repaired = copy if copy is not None else repaired
    return repaired


def _is_absent_choice(kind: str, value: Any) -> bool:
    return kind == "literal_error" and value == ""


def _without(data: Any, path: KeyPath, model: type[BaseModel], whole: KeyPath) -> Any:
    """A copy of ``data`` without the entry at ``path``; ``None`` when it cannot be left out."""
    part, rest = path[0], path[1:]
    copy: Any
    if isinstance(data, dict) and part in data:
        copy = dict(data)
    elif isinstance(data, list) and isinstance(part, int) and part < len(data):
        copy = list(data)
    else:
        return None
    if rest:
        below = _without(data[part], rest, model, whole)
        if below is None:
            return None
        copy[part] = below
    elif type_at(model, whole) is str and not _is_field(model, whole):
        copy[part] = ""
    elif isinstance(copy, dict):
        del copy[part]
    else:
        return None
    return copy


def _is_field(model: type[BaseModel], path: KeyPath) -> bool:
    """Whether ``path`` names a field of a model, not an entry of a map or a list."""
    parent = type_at(model, path[:-1])
    return isinstance(parent, type) and issubclass(parent, BaseModel)
