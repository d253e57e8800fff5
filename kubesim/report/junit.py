"""JUnit XML: one test suite a run, one test case an expectation.

The format is the one that CI systems read (the Ant schema, as pytest writes it).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from kubesim.errors import InputError
from kubesim.sim.time import SECOND
from kubesim.telemetry import Run

# What XML 1.0 cannot hold.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One scenario that was tested: its run, or why there is none."""

    name: str
    run: Run | None = None
    error: InputError | None = None


def junit_xml(judged: Sequence[Judged]) -> bytes:
    """The document."""
    root = ET.Element("testsuites", name="kubesim")
    tests = failures = errors = 0
    for one in judged:
        suite = _suite(one)
        root.append(suite)
        tests += int(suite.get("tests", "0"))
        failures += int(suite.get("failures", "0"))
        errors += int(suite.get("errors", "0"))
    for name, count in (("tests", tests), ("failures", failures), ("errors", errors)):
        root.set(name, str(count))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _suite(one: Judged) -> ET.Element:
    suite = ET.Element("testsuite", name=one.name)
    if one.run is None:
        assert one.error is not None, one
        case = ET.SubElement(suite, "testcase", classname=one.name, name="loads")
        error = ET.SubElement(case, "error", message=_clean(str(one.error.problems[0])))
        error.text = _clean(str(one.error))
        _count(suite, tests=1, failures=0, errors=1)
        return suite
    run = one.run
    suite.set("time", f"{run.virtual_ns / SECOND:.3f}")
    properties = ET.SubElement(suite, "properties")
    for name, value in (("seed", str(run.seed)), ("digest", run.digest), ("preset", run.preset)):
        ET.SubElement(properties, "property", name=name, value=value)
    for result in run.expectations:
        case = ET.SubElement(suite, "testcase", classname=one.name, name=_clean(result.name))
        case.set("time", f"{result.at_ns / SECOND:.3f}")
        if not result.passed:
            message = _clean(f"expected {result.expected}; actual {result.actual}")
            failure = ET.SubElement(case, "failure", message=message, type="expectation")
            failure.text = _clean(
                f"expected  {result.expected}\nactual    {result.actual}\nwhere     {result.hint}"
            )
    failed = sum(not result.passed for result in run.expectations)
    _count(suite, tests=len(run.expectations), failures=failed, errors=0)
    return suite


def _count(suite: ET.Element, *, tests: int, failures: int, errors: int) -> None:
    for name, count in (("tests", tests), ("failures", failures), ("errors", errors)):
        suite.set(name, str(count))


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
