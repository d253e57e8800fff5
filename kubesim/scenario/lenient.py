"""The manifests of the article that the project started from, and what a real cluster makes of them.

Articles age: groups are renamed, fields are printed that no version ever had. Each rule here knows one
such spelling by its number, says what is wrong with it, and can put it right. What becomes of a
finding depends on how strictly manifests are taken:

* ``strict`` reports everything: what a cluster would refuse, and what it would accept in vain.
* ``warn`` is a client that only warns: unknown fields of custom resources are dropped and said, what
  would be accepted in vain is said, what would be refused is refused.
* ``lenient`` converts, and says each conversion.

Pure functions; a rule is a generator that finds and, in the copy it is given, converts.

Mirrors: nothing upstream; apiserver's field validation (Strict, Warn) for what is dropped.
Departs: the built-in kinds are always decoded strictly; only custom resources are pruned.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from kubesim.api.fielderrors import KeyPath, format_path
from kubesim.api.spinv1alpha1 import API_VERSION, GROUP, OLD_GROUP
from kubesim.controlplane.spin.names import NODE_ROOT, POD_SPEC_ANNOTATION, WASM_LABEL
from kubesim.errors import Problem
from kubesim.manifests import Document, closest
from kubesim.scenario.pruning import pruned

Strictness = Literal["strict", "warn", "lenient"]
Data = dict[str, Any]

_SPIN_VARIABLE = re.compile(r"[a-z](?:[a-z0-9]|_(?!_))*")
_ARCH_LABEL = "kubernetes.io/arch"
_NODE_INSTALLER = re.compile(r"(?:containerd-shim-spin/node-installer|kwasm-node-installer)\b")
_STORE_LISTS = {
    "key_value_stores": "keyValueStores",
    "keyValueStores": "keyValueStores",
    "sqlite_databases": "sqliteDatabases",
    "sqliteDatabases": "sqliteDatabases",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One place where a manifest says something that is not so.

    Attributes:
        path: Where.
        problem: What is wrong with it.
        hint: What would be right.
        done: What a lenient reading did about it.
    """

    path: KeyPath
    problem: str
    hint: str
    done: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of the table.

    Attributes:
        number: How the project calls it.
        kind: What a cluster does: it refuses the object (``refused``), or would refuse it, which
            decoding and the webhooks' rules report anyway (``reported``), or accepts it in vain
            (``vain``), or does something else than the article says (``other``).
        find: Finds in an object's data, and converts it in place.
    """

    number: str
    kind: Literal["refused", "reported", "vain", "other"]
    find: Callable[[Data], Iterator[Finding]]


@dataclass(slots=True)
class Reading:
    """What came of some documents.

    Attributes:
        documents: What is to be decoded.
        notes: What was converted, dropped, or will be in vain; one sentence each.
        problems: What is refused.
        hints: What would be right in the place of a field that decoding will report, by document.
    """

    documents: list[Document] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    hints: dict[tuple[int, KeyPath], str] = field(default_factory=dict)


def read(documents: Iterable[Document], strictness: Strictness) -> Reading:
    """Documents as that strictness takes them; decoding comes after."""
    reading = Reading()
    for document in _items(documents):
        data = document.data
        if not isinstance(data, dict):
            reading.documents.append(document)
            continue
        for rule in RULES:
            data = _apply(rule, document, data, strictness, reading)
        if _is_custom(data):
            data = _pruned(document, data, strictness, reading)
        reading.documents.append(document if data is document.data else _with(document, data))
    return reading


def _pruned(document: Document, data: Data, strictness: Strictness, reading: Reading) -> Data:
    """The data without unknown fields: said, or refused and read on without them."""
    data, dropped = pruned(data)
    for path, known in dropped:
        unknown = f'unknown field "{format_path(path)}"'
        if strictness == "strict":
            near = closest(str(path[-1]), known)
            known_hint = reading.hints.get((id(document), path), "")
            hint = f'did you mean "{near}"?' if near else known_hint
            reading.problems.append(
                replace(document.problem(unknown, path, key=True, suggestion=hint), path="")
            )
        else:
            reading.notes.append(f"{_place(document, path, key=True)}{unknown} is dropped")
    return data


def _apply(
    rule: Rule, document: Document, data: Data, strictness: Strictness, reading: Reading
) -> Data:
    """The data after one rule; what it found goes to the notes or to the problems."""
    converted = copy.deepcopy(data)
    findings = list(rule.find(converted))
    if not findings:
        return data
    lenient = strictness == "lenient"
    for finding in findings:
        if lenient:
            note = f"{finding.done} ({rule.number})"
            reading.notes.append(f"{_place(document, finding.path)}{note}")
        elif rule.kind == "refused" or (rule.kind == "vain" and strictness == "strict"):
            reading.problems.append(
                document.problem(finding.problem, finding.path, suggestion=finding.hint)
            )
        elif rule.kind == "reported":
            reading.hints[id(document), finding.path] = finding.hint
        elif rule.kind == "vain":
            where = _place(document, finding.path)
            reading.notes.append(f"{where}{finding.problem} ({rule.number})")
    # What is refused for its group is read on as what it means, so that all its problems are found.
    return converted if lenient or rule.kind == "refused" else data


def _with(document: Document, data: Data) -> Document:
    return replace(document, data=data)


def _items(documents: Iterable[Document]) -> Iterator[Document]:
    """The documents; the items of a ``List`` each on its own."""
    for document in documents:
        data = document.data
        items = data.get("items") if isinstance(data, dict) else None
        if items and data.get("kind") == "List" and isinstance(items, list):
            for index, item in enumerate(items):
                yield document.item(item, ("items", index))
        else:
            yield document


def _place(document: Document, path: KeyPath, *, key: bool = False) -> str:
    """``file:line: ``, or nothing for a text without a file; wherever the file lies."""
    line, _ = document.locate(path, key=key)
    return f"{Path(document.source.name).name}:{line}: " if document.source.name else ""


def _is_custom(data: Data) -> bool:
    return str(data.get("apiVersion", "")).startswith(f"{GROUP}/")


def _is_spin_app(data: Data) -> bool:
    return (
        data.get("kind") == "SpinApp" and _is_custom(data) and isinstance(data.get("spec"), dict)
    )


def old_group(data: Data) -> Iterator[Finding]:
    """W1: the group that the operator had before v0.4.0."""
    version = data.get("apiVersion")
    kind = data.get("kind")
    if version == f"{OLD_GROUP}/v1alpha1" and kind in ("SpinApp", "SpinAppExecutor"):
        data["apiVersion"] = API_VERSION
        yield Finding(
            path=("apiVersion",),
            problem=f'no matches for kind "{kind}" in version "{version}"',
            hint=f'{kind} is served as apiVersion "{API_VERSION}" since v0.4.0 of the operator',
            done=f"apiVersion {version} is read as {API_VERSION}",
        )


def old_labels(data: Data) -> Iterator[Finding]:
    """W2: labels and selectors of workloads with the old group in their keys."""
    places: tuple[KeyPath, ...] = (
        ("metadata", "labels"),
        ("spec", "selector", "matchLabels"),
        ("spec", "template", "metadata", "labels"),
    )
    for path in places:
        yield from _renamed_labels(data, path)


def old_service_selector(data: Data) -> Iterator[Finding]:
    """W10: a Service that selects by the old label."""
    if data.get("kind") == "Service":
        yield from _renamed_labels(data, ("spec", "selector"))


def _renamed_labels(data: Data, path: KeyPath) -> Iterator[Finding]:
    labels = _at(data, path)
    for key in [key for key in labels if key.startswith(f"{OLD_GROUP}/")]:
        new = key.replace(OLD_GROUP, GROUP, 1)
        labels[new] = labels.pop(key)
        yield Finding(
            path=(*path, key),
            problem=f'no pod of a SpinApp has the label "{key}"',
            hint=f'it is "{new}" since v0.4.0 of the operator',
            done=f"label {key} is read as {new}",
        )


def replicas_and_autoscaling(data: Data) -> Iterator[Finding]:
    """W3: a number of replicas for somebody else to decide."""
    if not _is_spin_app(data):
        return
    spec = data["spec"]
    if spec.get("enableAutoscaling") is True and spec.get("replicas"):
        number = spec.pop("replicas")
        yield Finding(
            path=("spec", "replicas"),
            problem="replicas cannot be set when autoscaling is enabled",
            hint="",
            done=f"spec.replicas {number} is dropped because of enableAutoscaling",
        )


def runtime_config(data: Data) -> Iterator[Finding]:
    """W4: Spin's own runtime configuration, as maps, in the place of the CRD's lists."""
    if not _is_spin_app(data):
        return
    spec = data["spec"]
    name = "runtime-config" if "runtime-config" in spec else "runtimeConfig"
    given = spec.get(name)
    if not isinstance(given, dict):
        return
    maps = {key for key in _STORE_LISTS if isinstance(given.get(key), dict)}
    if name == "runtimeConfig" and not maps:
        return
    converted = {_STORE_LISTS.get(key, key): _as_list(value) for key, value in given.items()
                 if key in _STORE_LISTS}  # fmt: skip
    rest = {key: value for key, value in given.items() if key not in _STORE_LISTS}
    del spec[name]
    tokenless = [_with_token(store) for store in converted.get("sqliteDatabases") or ()]
    spec["runtimeConfig"] = {**rest, **converted}
    yield Finding(
        path=("spec", name),
        problem=f'unknown field "spec.{name}"',
        hint='did you mean "runtimeConfig"?',
        done=f"spec.{name} is read as spec.runtimeConfig, its maps as lists of stores"
        + (", its libsql database with an empty token" if any(tokenless) else ""),
    )


def _as_list(stores: Any) -> Any:
    """``{default: {type, url}}`` as ``[{name, type, options: [{name: url, value}]}]``."""
    if not isinstance(stores, dict):
        return stores
    return [
        {
            "name": name,
            "type": store.get("type", ""),
            "options": [
                {"name": option, "value": str(value)}
                for option, value in store.items()
                if option != "type"
            ],
        }
        for name, store in stores.items()
        if isinstance(store, dict)
    ]


def _with_token(database: Any) -> bool:
    """Give a libSQL database the token without which Spin does not start; whether it had none."""
    if not isinstance(database, dict) or database.get("type") != "libsql":
        return False
    options = database.setdefault("options", [])
    if any(isinstance(option, dict) and option.get("name") == "token" for option in options):
        return False
    options.append({"name": "token", "value": ""})
    return True


def pod_spec(data: Data) -> Iterator[Finding]:
    """W5: a pod's tolerations and node selector, where no SpinApp ever had them."""
    if not _is_spin_app(data) or not isinstance(data["spec"].get("podSpec"), dict):
        return
    given = data["spec"].pop("podSpec")
    wanted = {name: given[name] for name in ("tolerations", "nodeSelector") if name in given}
    metadata = data.setdefault("metadata", {})
    annotations = metadata["annotations"] = dict(metadata.get("annotations") or {})
    annotations[POD_SPEC_ANNOTATION] = json.dumps(wanted)
    yield Finding(
        path=("spec", "podSpec"),
        problem='unknown field "spec.podSpec"',
        hint="tolerations and nodeSelector come from the RuntimeClass's scheduling",
        done=f"spec.podSpec is applied to the pod template ({', '.join(wanted) or 'nothing'})",
    )


def variable_names(data: Data) -> Iterator[Finding]:
    """W6: names that Spin's variables cannot have."""
    variables = data["spec"].get("variables") if _is_spin_app(data) else None
    for index, variable in enumerate(variables if isinstance(variables, list) else ()):
        name = variable.get("name") if isinstance(variable, dict) else None
        if not isinstance(name, str) or _is_variable(name):
            continue
        lower = variable["name"] = name.lower()
        yield Finding(
            path=("spec", "variables", index, "name"),
            problem=f'"{name}" is no name of a Spin variable: lower case letters, digits and _',
            hint=f'did you mean "{lower}"?' if _is_variable(lower) else "",
            done=f"variable {name} is read as {lower}",
        )


def _is_variable(name: str) -> bool:
    return bool(_SPIN_VARIABLE.fullmatch(name)) and not name.endswith("_")


def wasm_architecture(data: Data) -> Iterator[Finding]:
    """W9: a node selector for machines with a WebAssembly processor."""
    places: tuple[KeyPath, ...] = (
        ("scheduling", "nodeSelector"),
        ("spec", "nodeSelector"),
        ("spec", "template", "spec", "nodeSelector"),
        ("spec", "podSpec", "nodeSelector"),
    )
    for path in places:
        selector = _at(data, path)
        value = str(selector.get(_ARCH_LABEL, ""))
        if not value.startswith("wasm"):
            continue
        del selector[_ARCH_LABEL]
        selector[WASM_LABEL] = "true"
        yield Finding(
            path=(*path, _ARCH_LABEL),
            problem=f"no node has {_ARCH_LABEL}={value}: kubelets say amd64 or arm64",
            hint="label the nodes that have the shim, and select that label",
            done=f"{_ARCH_LABEL}={value} is read as {WASM_LABEL}=true: any node with a Wasm shim",
        )


def node_installer(data: Data) -> Iterator[Finding]:
    """W11: a DaemonSet that is to install the shim, without the host's root it would need."""
    if data.get("kind") != "DaemonSet":
        return
    path: KeyPath = ("spec", "template", "spec", "containers")
    pod = _at(data, path[:-1])
    for index, container in enumerate(_at(data, path) or ()):
        image = str(container.get("image", "")) if isinstance(container, dict) else ""
        if not _NODE_INSTALLER.search(image) or _has_root(container):
            continue
        env, mounts = container.setdefault("env", []), container.setdefault("volumeMounts", [])
        env.append({"name": "NODE_ROOT", "value": NODE_ROOT})
        mounts.append({"name": "node-root", "mountPath": NODE_ROOT})
        pod.setdefault("volumes", []).append({"name": "node-root", "hostPath": {"path": "/"}})
        yield Finding(
            path=(*path, index, "image"),
            problem=f"the node installer wants NODE_ROOT and the host's root at {NODE_ROOT}",
            hint="",
            done=f"the node installer is given NODE_ROOT and the host's root at {NODE_ROOT}",
        )


def _has_root(container: Data) -> bool:
    names = [entry.get("name") for entry in container.get("env") or () if isinstance(entry, dict)]
    return "NODE_ROOT" in names


def retired_handler(data: Data) -> Iterator[Finding]:
    """W13: a handler whose shim was retired."""
    if data.get("kind") == "RuntimeClass" and data.get("handler") == "slight":
        yield Finding(
            path=("handler",),
            problem="the shim slight (SpiderLightning) was retired",
            hint="",
            done="handler slight is kept, although its shim was retired",
        )


def _at(data: Any, path: KeyPath) -> Any:
    """What is at a path; an empty map when nothing or something else is."""
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
    return data if isinstance(data, dict | list) else {}


RULES = (
    Rule("W1", "refused", old_group),
    Rule("W2", "vain", old_labels),
    Rule("W3", "reported", replicas_and_autoscaling),
    Rule("W4", "reported", runtime_config),
    Rule("W9", "vain", wasm_architecture),  # before W5, which carries the selector away
    Rule("W5", "reported", pod_spec),
    Rule("W6", "vain", variable_names),
    Rule("W10", "vain", old_service_selector),
    Rule("W11", "other", node_installer),
    Rule("W13", "other", retired_handler),
)
"""What the project knows of the article's manifests, in the order in which it is applied."""
