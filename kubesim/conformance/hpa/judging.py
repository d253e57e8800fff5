"""Reads files of cases, runs each, counts.

A file says by its ``format`` which lists it has; a list says by its name what kind of case it holds.
``derived_...`` lists hold cases whose results were computed by the original, not taken from its tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kubesim.conformance.hpa import behaviors, calculator, controller
from kubesim.conformance.hpa.building import Case
from kubesim.errors import InputError

FORMATS = ("hpa-replica-calculator/1", "hpa-behaviors/1", "hpa-controller/1")
DERIVED = "derived_"

JUDGES: dict[str, Callable[[Case, Case], dict[str, Any]]] = {
    "replica_cases": lambda case, _: calculator.replica_case(case),
    "group_pods_cases": lambda case, _: calculator.group_pods_case(case),
    "pod_request_cases": lambda case, _: calculator.pod_request_case(case),
    "scale_limits_without_behavior": lambda case, _: behaviors.scale_limit_case(case),
    "policy_limits": lambda case, _: behaviors.policy_limit_case(case),
    "behavior_rate": lambda case, _: behaviors.behavior_rate_case(case),
    "stabilize_without_behavior": lambda case, _: behaviors.stabilize_case(case),
    "stabilize_with_behavior": lambda case, _: behaviors.stabilize_with_behavior_case(case),
    "store_scale_events": lambda case, _: behaviors.store_event_case(case),
    "controller_cases": controller.controller_case,
    "status_quantity_cases": lambda case, _: controller.status_quantity_case(case),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One case that did not come out as it should."""

    case: str
    expected: dict[str, Any]
    actual: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListVerdict:
    """One list of cases."""

    name: str
    total: int
    differences: tuple[Difference, ...]

    @property
    def equal(self) -> int:
        """How many came out as they should."""
        return self.total - len(self.differences)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVerdict:
    """One file."""

    path: str
    version: str
    lists: tuple[ListVerdict, ...]


def judge_files(paths: Sequence[Path]) -> tuple[FileVerdict, ...]:
    """Judge files, and all YAML files in folders.

    Raises:
        InputError: If something is not a file of such cases.
    """
    files: list[Path] = []
    for path in paths:
        files += sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not files:
        raise InputError("there is no .yaml file to judge")
    return tuple(_judge_file(path) for path in files)


def _judge_file(path: Path) -> FileVerdict:
    document = _read(path)
    settings: Case = document.get("settings") or {}
    lists: list[ListVerdict] = []
    for name, cases in document.items():
        if not isinstance(cases, list):
            continue
        judge = JUDGES.get(name.removeprefix(DERIVED))
        if judge is None:
            known = ", ".join(JUDGES)
            raise InputError(f'{path}: no list of cases is called "{name}"; there are: {known}')
        found = [_judge(path, name, judge, case, settings) for case in cases]
        differences = tuple(item for item in found if item is not None)
        lists.append(ListVerdict(name=name, total=len(cases), differences=differences))
    source = document.get("source")
    version = source.get("version", "") if isinstance(source, Mapping) else ""
    return FileVerdict(path=str(path), version=str(version), lists=tuple(lists))


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506  # a safe one
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        raise InputError(f"{path}{where}: it is not YAML") from error
    if not isinstance(document, dict) or document.get("format") not in FORMATS:
        found = document.get("format") if isinstance(document, dict) else None
        raise InputError(f'{path}: its format is "{found}"; kubesim judges: {", ".join(FORMATS)}')
    return document


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _judge(
    path: Path,
    name: str,
    judge: Callable[[Case, Case], dict[str, Any]],
    case: Case,
    settings: Case,
) -> Difference | None:
    label = "?"
    try:
        label = str(case["name"])
        expected = wanted(case)
        actual = judge(case, settings)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f'{path}: {name}: case "{label}" cannot be read: {error!r}') from error
    if actual == expected:
        return None
    return Difference(case=label, expected=expected, actual=actual)


def wanted(case: Case) -> dict[str, Any]:
    """Everything that a case says about its result: what is asserted and what was observed."""
    expected = {
        key: value for key, value in case["expected"].items() if key != "min_reconciliations"
    }
    if case.get("observed"):
        expected["observed"] = dict(case["observed"])
    return expected
