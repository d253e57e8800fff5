"""Reading ``spin.toml``: the whole of it checked, every problem with its line.

First the text must be TOML, then it must fit the models, then it must make sense: components that
triggers name exist, no two triggers have one route, templates name variables that there are.

Mirrors: Spin crates/manifest/src/lib.rs, crates/http/src/routes.rs, crates/expressions.
Departs: Spin stops at the first mistake. An unknown field is an error in every table, as it is in
    Spin; a mistake in a plugin's trigger is found by the plugin, which is not here.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from kubesim.errors import InputError, Problem
from kubesim.oci import tomlplaces
from kubesim.oci.spinmanifest import TABLES, Component, HttpTrigger, SpinManifest
from kubesim.oci.tomlplaces import TomlPlaces

_TEMPLATE = re.compile(r"\{\{(.*?)\}\}")
_WORDS = {
    "missing": "Required value",
    "string_type": "expected a text",
    "int_type": "expected a whole number",
    "bool_type": "expected true or false",
    "list_type": "expected a list",
    "dict_type": "expected a table",
    "model_type": "expected a table",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpinApp:
    """An application as its ``spin.toml`` has it.

    Attributes:
        manifest: The document.
        data: The same as plain data, in the order of the text.
        file: Where it was read from.
        text: The text.
    """

    manifest: SpinManifest
    data: dict[str, Any] = field(repr=False)
    file: Path
    text: str = field(repr=False)

    def problem(self, message: str, path: tomlplaces.Path, suggestion: str = "") -> Problem:
        """A problem with what is at ``path``."""
        return _problem(self.text, self.file, message, path, suggestion)


def read_spin(file: Path) -> SpinApp:
    """Read and check a ``spin.toml``.

    Raises:
        InputError: With every problem that was found.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(Problem(message="not a text file in UTF-8", file=str(file))) from None
    except OSError as error:
        why = error.strerror or str(error)
        raise InputError(Problem(message=f"cannot be read: {why}", file=str(file))) from None
    data = _parse(text, file)
    _require_version_2(data, text, file)
    try:
        manifest = SpinManifest.model_validate(data)
    except ValidationError as error:
        found = (_explain(each, data, text, file) for each in error.errors(include_url=False))
        raise InputError(_in_order(found)) from None
    app = SpinApp(manifest=manifest, data=data, file=file, text=text)
    problems = list(_nonsense(app))
    if problems:
        raise InputError(_in_order(problems))
    return app


def _parse(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, _, place = str(error).partition(" (at ")
        numbers = [int(number) for number in re.findall(r"\d+", place)]
        line, column = numbers if len(numbers) == 2 else (text.count("\n") + 1, 0)
        message = f"not valid TOML: {message}"
        problem = Problem(message=message, file=str(file), line=line, column=column)
        raise InputError(problem) from None
    except RecursionError:
        raise InputError(Problem(message="nested too deeply", file=str(file))) from None


def _require_version_2(data: dict[str, Any], text: str, file: Path) -> None:
    if data.get("spin_manifest_version") == 2:
        return
    message = 'needs "spin_manifest_version = 2"'
    hint, path = "", ("spin_manifest_version",)
    if "spin_version" in data or data.get("spin_manifest_version") in (1, "1"):
        message, hint = "manifest version 1 is not read", "spin doctor rewrites it as version 2"
        path = ("spin_version",) if "spin_version" in data else path
    raise InputError(_problem(text, file, message, path, hint))


def _explain(details: ErrorDetails, data: dict[str, Any], text: str, file: Path) -> Problem:
    """What pydantic found, in words and with a place."""
    kind, path = details["type"], _data_path(details["loc"], data)
    if kind == "extra_forbidden":
        hint = did_you_mean(str(path[-1]), _fields_at(details["loc"][:-1]))
        return _problem(text, file, f'unknown field "{_show(path)}"', path, hint)
    message = _WORDS.get(kind, "")
    if kind == "value_error":
        message = str(details["ctx"]["error"])
    elif kind == "literal_error":
        message = f"expected {details['ctx']['expected']}"
    elif not message:
        message = details["msg"][:1].lower() + details["msg"][1:]
    if kind == "missing" and path[-1] == "source" and len(path) > 1:
        path = path[:-1]
        message = "Required value: source"
    hint = ""
    if kind == "list_type" and len(path) == 2 and path[0] == "trigger":
        hint = f"write [[trigger.{path[1]}]]"
    return _problem(text, file, f"{_show(path)}: {message}", path, hint)


def _nonsense(app: SpinApp) -> Iterator[Problem]:
    """What fits the models and cannot be meant."""
    manifest = app.manifest
    known = list(manifest.component)
    for kind, triggers in manifest.trigger.by_type().items():
        for number, trigger in enumerate(triggers):
            path: tomlplaces.Path = ("trigger", kind, number, "component")
            if isinstance(trigger.component, str) and trigger.component not in known:
                message = f'there is no component "{trigger.component}"'
                yield app.problem(message, path, did_you_mean(trigger.component, known))
            if isinstance(trigger.component, Component):
                yield from _strange_templates(app, trigger.component, path)
    yield from _twice(app, manifest.trigger.http)
    for name, component in manifest.component.items():
        yield from _strange_templates(app, component, ("component", name))
    if not manifest.trigger.by_type():
        yield app.problem("the application has no trigger", ("trigger",))


def _twice(app: SpinApp, triggers: list[HttpTrigger]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for number, trigger in enumerate(triggers):
        if not isinstance(trigger.route, str):
            continue
        path: tomlplaces.Path = ("trigger", "http", number, "route")
        route = normal_route(trigger.route)
        if "..." in route.removesuffix("/..."):
            message = f'route "{trigger.route}": ... stands only at the end, after a slash'
            yield app.problem(message, path)
        if route in first:
            line, _ = TomlPlaces(app.text).locate(("trigger", "http", first[route], "route"))
            yield app.problem(f'duplicate route "{trigger.route}", first in line {line}', path)
        first.setdefault(route, number)


def _strange_templates(
    app: SpinApp, component: Component, path: tomlplaces.Path
) -> Iterator[Problem]:
    """Templates that name a variable which the application does not have."""
    known = list(app.manifest.variables)
    places: list[tuple[tomlplaces.Path, str]] = [
        ((*path, "variables", name), value) for name, value in component.variables.items()
    ]
    hosts = enumerate(component.allowed_outbound_hosts)
    places += [((*path, "allowed_outbound_hosts", number), host) for number, host in hosts]
    for place, value in places:
        for match in _TEMPLATE.finditer(value):
            name = match[1].strip()
            if name not in known:
                message = f'{_show(place)}: there is no variable "{name}"'
                yield app.problem(message, place, did_you_mean(name, known))


def normal_route(route: str) -> str:
    """A route as it is matched: with a slash at the beginning and none at the end."""
    return f"/{route.strip('/')}"


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """A suggestion of the choice that ``word`` probably was meant to be; empty without one."""
    found = get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f'did you mean "{found[0]}"?' if found else ""


def _problem(
    text: str, file: Path, message: str, path: tomlplaces.Path, suggestion: str = ""
) -> Problem:
    line, column = TomlPlaces(text).locate(path)
    return Problem(
        message=message, file=str(file), line=line, column=column, suggestion=suggestion
    )


def _in_order(problems: Iterable[Problem]) -> list[Problem]:
    once = dict.fromkeys(problems)
    return sorted(once, key=lambda problem: (problem.line, problem.column))


def _show(path: tomlplaces.Path) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _data_path(location: tuple[str | int, ...], data: Any) -> tomlplaces.Path:
    """The part of a pydantic location that is a place in the data; the rest names unions."""
    path: list[str | int] = []
    for number, part in enumerate(location):
        is_item = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if is_item or (isinstance(data, dict) and part in data):
            data = data[part]
        elif number < len(location) - 1 or not isinstance(data, dict) or part == "[key]":
            continue
        path.append(part)
    return tuple(path)


def _fields_at(location: tuple[str | int, ...]) -> list[str]:
    """The fields of the table at a pydantic location."""
    here: Any = SpinManifest
    for part in location:
        here = _unwrap(here)
        if isinstance(part, str) and part in TABLES and not _is_model(here):
            here = TABLES[part]
        elif _is_model(here):
            info = here.model_fields.get(part)
            here = info.annotation if info else None
        else:
            here = (get_args(here) or (None,))[-1]
    here = _unwrap(here)
    return list(here.model_fields) if _is_model(here) else []


def _unwrap(annotation: Any) -> Any:
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, UnionType):
            members = [each for each in get_args(annotation) if each is not type(None)]
            if len(members) != 1:
                return annotation
            annotation = members[0]
        elif origin is Literal:
            return str
        else:
            return annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
