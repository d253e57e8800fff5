"""``kubesim schedule``: where would these pods go, on these nodes, and why?

Files in, placements out, without a simulation. ``--case`` and ``--replay`` take folders of recorded
cases instead and hold the scheduler against them.
"""

from __future__ import annotations

import gc
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubesim.api.corev1 import Node, Pod
from kubesim.api.metav1 import KubeObject
from kubesim.cli.options import OutputFormat, PodOrder
from kubesim.cluster.admitting import admitted
from kubesim.cluster.plugins import set_up
from kubesim.controlplane.scheduler.config import KubeSchedulerConfiguration
from kubesim.controlplane.scheduler.explain import described, shown, verdict, verdict_lines
from kubesim.controlplane.scheduler.oneshot import OneShot, largest_first
from kubesim.controlplane.scheduler.schedule_one import Attempt
from kubesim.errors import EXIT_EXPECTATION_FAILED, EXIT_PASSED, InputError, Problem
from kubesim.manifests import (
    Document,
    Manifest,
    check,
    load_documents,
    read_paths,
    read_text,
    validate,
)

STDIN = "-"
UNPLACED = ("pending", "gated", "refused")


def schedule_command(  # noqa: PLR0913  # the options of the verb
    files: Sequence[str],
    *,
    config: str | None,
    case: Path | None,
    replay: Path | None,
    plugins: Sequence[str],
    explain: bool,
    output: OutputFormat,
    order: PodOrder = PodOrder.AUTO,
) -> int:
    """Place pods; returns the exit code.

    Raises:
        InputError: With everything that is wrong with the input.
    """
    asked = [bool(files), case is not None, replay is not None]
    if sum(asked) != 1:
        raise InputError("give one of -f FILE, --case DIR, --replay DIR")
    with _without_collection():
        if case is not None:
            result = _case(case, explain=explain)
        elif replay is not None:
            return _replay(replay, output=output)
        else:
            result = _files(
                files,
                config=config,
                plugins=plugins,
                explain=explain,
                output=output,
                order=order,
            )
        if output is OutputFormat.TEXT:
            _print(result, explain=explain)
        else:
            _dump(result, output)
    states = Counter(state["state"] for state in result["final"].values())
    unplaced = result.get("rejectedAtAdmission") or any(states[name] for name in UNPLACED)
    return EXIT_EXPECTATION_FAILED if unplaced else EXIT_PASSED


@contextmanager
def _without_collection() -> Iterator[None]:
    """Nothing here makes cycles worth looking for, and looking takes a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _files(  # the options of the verb
    files: Sequence[str],
    *,
    config: str | None,
    plugins: Sequence[str],
    explain: bool,
    output: OutputFormat,
    order: PodOrder,
) -> dict[str, Any]:
    manifests = load_documents(document for file in files for document in _read(file))
    problems = [*_twice(manifests), *check(manifests)]
    if problems:
        raise InputError(problems)
    objects = [manifest.obj for manifest in manifests]
    if not any(isinstance(obj, Pod) for obj in objects):
        raise InputError("there is no pod to place in the files")
    _note_ignored(objects)
    result = admitted(objects)
    tell = verdict if output is OutputFormat.TEXT else described
    document, configuration = _configuration(config)
    setup = set_up(configuration, _plugins(plugins))

    def place(how: PodOrder) -> Placement:
        attempts: list[dict[str, Any]] = []

        def observe(attempt: Attempt) -> None:
            attempts.append(tell(attempt))

        run = OneShot(
            largest_first(result.objects) if how is PodOrder.SIZE else result.objects,
            config=setup.config,
            registry=setup.registry,
            observe=observe if explain else None,
        )
        return Placement(how, run, attempts)

    try:
        placement = _in_order(order, place, result.objects)
    except InputError as error:
        raise _in_document(error, document) from None
    outcome = placement.run.outcome()
    final = {obj.key: outcome.final[obj.key] for obj in result.objects if isinstance(obj, Pod)}
    for key, message in result.rejected.items():
        final[key] = {"state": "refused", "reason": "Forbidden", "message": message}
    return {
        "final": final,
        "bindOrder": outcome.bind_order,
        "deleted": outcome.deleted,
        "order": placement.order.value,
        **({"rejectedAtAdmission": result.rejected} if result.rejected else {}),
        **({"attempts": placement.attempts} if explain else {}),
        "nodes": sum(isinstance(obj, Node) for obj in objects),
    }


@dataclass(frozen=True, slots=True)
class Placement:
    """One way of placing all pods."""

    order: PodOrder
    run: OneShot
    attempts: list[dict[str, Any]]


def _in_order(
    order: PodOrder, place: Callable[[PodOrder], Placement], objects: Sequence[KubeObject]
) -> Placement:
    """Place in the order that was asked for.

    Pods in a file that no cluster has seen have not arrived yet, in whatever order. If some of them
    find no room in the order of the file, the largest go first; what places more pods is the answer
    to whether they fit. Pods of a dump carry the time at which they arrived, and keep their turn.
    """
    given = place(PodOrder.SIZE if order is PodOrder.SIZE else PodOrder.GIVEN)
    if order is not PodOrder.AUTO:
        given.run.settle()
        return given
    if given.run.settle(until_refused=True) or any(_has_arrived(obj) for obj in objects):
        given.run.settle()
        return given
    by_size = place(PodOrder.SIZE)
    by_size.run.settle()
    first = by_size.run.outcome()
    if all(state["state"] != "pending" for state in first.final.values()) and not first.deleted:
        return by_size
    given.run.settle()
    second = given.run.outcome()
    more = len(first.bind_order) > len(second.bind_order)
    return by_size if more and first.deleted == second.deleted else given


def _has_arrived(obj: KubeObject) -> bool:
    """It is a pod that waits in some cluster since a known time."""
    return (
        isinstance(obj, Pod)
        and not obj.spec.node_name
        and obj.metadata.creation_timestamp is not None
    )


def _read(file: str) -> list[Document]:
    if file == STDIN:
        return read_text(sys.stdin.read(), "<stdin>")
    return read_paths([file])


def _twice(manifests: Iterable[Manifest]) -> Iterator[Problem]:
    seen: set[tuple[type[KubeObject], str, str]] = set()
    for manifest in manifests:
        obj = manifest.obj
        key = (type(obj), obj.namespace, obj.name)
        if key in seen:
            where = ("metadata", "name")
            yield manifest.document.problem(f'{obj.kind} "{obj.name}" already exists', where)
        seen.add(key)


def _note_ignored(objects: Iterable[KubeObject]) -> None:
    """Workloads are not expanded: that would take their controllers."""
    kinds = Counter(obj.kind for obj in objects if "template" in _fields_of_spec(obj))
    for kind, count in kinds.items():
        what = "object is" if count == 1 else "objects are"
        print(
            f"note: {count} {kind} {what} not expanded, only pods are placed; "
            "kubesim run has the controllers",
            file=sys.stderr,
        )


def _fields_of_spec(obj: KubeObject) -> Iterable[str]:
    spec = getattr(obj, "spec", None)
    return type(spec).model_fields if spec is not None else ()


def _configuration(path: str | None) -> tuple[Document | None, KubeSchedulerConfiguration]:
    if path is None:
        return None, KubeSchedulerConfiguration()
    documents = read_paths([path])
    if len(documents) != 1:
        message = f"expected one KubeSchedulerConfiguration, found {len(documents)} documents"
        raise InputError(Problem(message=message, file=path))
    return documents[0], validate(documents[0], KubeSchedulerConfiguration)


def _in_document(error: InputError, document: Document | None) -> InputError:
    """The error with a place in the configuration, when it has none of its own."""
    if document is None or error.problems[0].file is not None:
        return error
    first = error.problems[0]
    return InputError(document.problem(first.message, ("profiles",), suggestion=first.suggestion))


def _plugins(given: Sequence[str]) -> dict[str, str]:
    """``--plugin NAME=TARGET``, repeated."""
    plugins: dict[str, str] = {}
    for text in given:
        name, _, target = text.partition("=")
        if not name or not target:
            raise InputError(
                f'--plugin: expected NAME=file.py:Class or NAME=guest.wasm, got "{text}"'
            )
        plugins[name] = target
    return plugins


def _case(folder: Path, *, explain: bool) -> dict[str, Any]:
    from kubesim.cluster.schedulercase import play_case  # noqa: PLC0415  # a control plane
    from kubesim.controlplane.scheduler.recorded import load_case  # noqa: PLC0415

    attempts: list[dict[str, Any]] = []
    case = load_case(_folder(folder))
    observe = (lambda attempt: attempts.append(described(attempt))) if explain else None
    run = play_case(case, observe=observe)
    return {
        "case": case.name,
        "final": run.final(),
        "bindOrder": run.bind_order,
        "deleted": run.deleted,
        **({"rejectedAtAdmission": run.rejected} if run.rejected else {}),
        **({"attempts": attempts} if explain else {}),
    }


def _replay(folder: Path, *, output: OutputFormat) -> int:
    """Judge the scheduler by a recording, attempt by attempt."""
    from kubesim.controlplane.scheduler.recorded import load_case  # noqa: PLC0415
    from kubesim.controlplane.scheduler.replay import differences, outcome, replay  # noqa: PLC0415

    case = load_case(_folder(folder))
    if not case.expected:
        message = "there is no expected.json to replay"
        raise InputError(Problem(message=message, file=str(folder)))
    attempts = replay(case)
    pairs = list(zip(case.expected["attempts"], attempts, strict=True))
    wrong = [
        f"attempt {index} of {expected['pod']}: {', '.join(names)} differ"
        for index, (expected, actual) in enumerate(pairs)
        if (names := differences(expected, actual))
    ]
    if output is OutputFormat.TEXT:
        print("".join(f"{line}\n" for line in wrong), end="")
        print(f"{case.name}: {len(pairs) - len(wrong)} of {len(pairs)} attempts equal")
    else:
        _dump({"case": case.name, **outcome(attempts), "attempts": attempts}, output)
    return EXIT_EXPECTATION_FAILED if wrong else EXIT_PASSED


def _folder(path: Path) -> Path:
    if not (path / "input.yaml").is_file():
        raise InputError(Problem(message="expected a folder with input.yaml", file=str(path)))
    return path


def _dump(result: Mapping[str, Any], output: OutputFormat) -> None:
    if output is OutputFormat.JSON:
        # One line a pod would be nicer; a big file in a fifth of the time is nicer still.
        json.dump(result, sys.stdout, ensure_ascii=False, indent=1 if _is_small(result) else None)
        print()
        return
    from kubesim.cli.output import print_data  # noqa: PLC0415

    print_data(json.loads(json.dumps(result)), output)


def _is_small(result: Mapping[str, Any]) -> bool:
    return len(result["final"]) <= 1000


def _print(result: Mapping[str, Any], *, explain: bool) -> None:
    lines: list[str] = []
    final = result["final"]
    if explain:
        for attempt in result["attempts"]:
            tree = attempt if "refused" in attempt else None
            lines += [*verdict_lines(tree), ""] if tree is not None else []
    lines += _table(
        ("POD", "STATE", "NODE"),
        [(key, state["state"], state.get("node") or "") for key, state in final.items()],
    )
    lines += ["", *_by_node(final), "", *_by_reason(final), *_summary(result)]
    print("\n".join(lines))


def _by_node(final: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    count = Counter(state["node"] for state in final.values() if state["state"] == "bound")
    if count:
        yield from _table(("NODE", "PODS"), [(node, str(n)) for node, n in sorted(count.items())])


def _by_reason(final: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    pods: dict[str, list[str]] = {}
    for key, state in final.items():
        if state["state"] in UNPLACED:
            message = state.get("message") or "nobody schedules it: no profile has that name"
            pods.setdefault(message, []).append(key)
    if not pods:
        return
    for message, keys in sorted(pods.items(), key=lambda item: -len(item[1])):
        yield f"{len(keys)} not placed: {message}"
        yield f"  {shown(keys)}"
    yield ""


def _summary(result: Mapping[str, Any]) -> Iterator[str]:
    states = Counter(state["state"] for state in result["final"].values())
    total = sum(states.values())
    parts = [f"{count} {state}" for state, count in sorted(states.items())]
    nodes = len({s["node"] for s in result["final"].values() if s["state"] == "bound"})
    yield f"{total} pods: {', '.join(parts)}; {nodes} nodes in use"
    if result.get("order") == PodOrder.SIZE.value:
        yield "the largest pods went first; --order given takes them as in the files"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
