"""``kubesim conformance hpa``: files of cases, judged list by list."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kubesim.cli.options import OutputFormat
from kubesim.cli.output import print_data
from kubesim.conformance.hpa import FileVerdict, judge_files
from kubesim.errors import EXIT_EXPECTATION_FAILED, EXIT_PASSED

SHOWN_DIFFERENCES = 20


def judge_hpa_command(files: Sequence[Path], *, output: OutputFormat) -> int:
    """Judge files, and folders of files; returns the exit code.

    Raises:
        InputError: If something is not a file of such cases.
    """
    verdicts = judge_files(files)
    lists = [item for verdict in verdicts for item in verdict.lists]
    equal, total = sum(item.equal for item in lists), sum(item.total for item in lists)
    if output is OutputFormat.TEXT:
        _print_hpa(verdicts)
        print(f"{equal}/{total} equal")
    else:
        _dump_hpa(verdicts, {"equal": equal, "total": total}, output)
    return EXIT_PASSED if equal == total else EXIT_EXPECTATION_FAILED


def _print_hpa(verdicts: Sequence[FileVerdict]) -> None:
    for verdict in verdicts:
        print(f"{verdict.path} ({verdict.version})" if verdict.version else verdict.path)
        for item in verdict.lists:
            print(f"  {item.name:<40} {item.equal:>4}/{item.total}")
            for difference in item.differences[:SHOWN_DIFFERENCES]:
                print(f"    differs: {difference.case}")
                for key in {**difference.expected, **difference.actual}:
                    expected = difference.expected.get(key)
                    actual = difference.actual.get(key)
                    if expected != actual:
                        print(f"      {key}: expected {expected}, is {actual}")


def _dump_hpa(
    verdicts: Sequence[FileVerdict], totals: dict[str, int], output: OutputFormat
) -> None:
    files = [
        {
            "file": verdict.path,
            "version": verdict.version,
            "lists": [
                {
                    "list": item.name,
                    "equal": item.equal,
                    "total": item.total,
                    "differences": [
                        {
                            "case": difference.case,
                            "expected": difference.expected,
                            "actual": difference.actual,
                        }
                        for difference in item.differences
                    ],
                }
                for item in verdict.lists
            ],
        }
        for verdict in verdicts
    ]
    print_data({**totals, "files": files}, output)
