"""``kubesim``: the verbs, and what becomes of errors.

Every verb imports what it needs when it is called, so that ``kubesim --help`` is there at once.
"""

from __future__ import annotations

import gc
import sys
import traceback
from pathlib import Path
from typing import Annotated, Literal

import typer

from kubesim import __version__
from kubesim.cli.image import app as image_app
from kubesim.cli.options import (
    OfRun,
    OfScenario,
    OutputFormat,
    PodName,
    PodOrder,
    Preset,
    ScenarioName,
    Seed,
    TableFormat,
    Until,
)
from kubesim.cli.wasm import app as wasm_app
from kubesim.errors import EXIT_BAD_INPUT, EXIT_BUG, InputError, Problem

app = typer.Typer(
    name="kubesim",
    help="A flight simulator for Kubernetes: plain manifests in, a whole cluster on one virtual "
    "clock, real Wasm really executed.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(image_app, name="image")
app.add_typer(wasm_app, name="wasm")


@app.command(epilog="Example: kubesim run mixed-pool --seed 7")
def run(  # noqa: PLR0913  # the options of the verb
    scenario: ScenarioName,
    *,
    seed: Seed = None,
    until: Until = None,
    preset: Preset = None,
    output: Annotated[
        OutputFormat, typer.Option("--output", "-o", help="How to print the result.")
    ] = OutputFormat.TEXT,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the run's tables into this folder.")
    ] = None,
    table_format: Annotated[
        TableFormat | None,
        typer.Option("--format", help="Of the tables; parquet if pyarrow is installed."),
    ] = None,
    sources: Annotated[
        bool, typer.Option("--sources", help="List where every number of the preset is from.")
    ] = False,
    recommend: Annotated[
        bool, typer.Option("--recommend", help="Say which runtime suits each workload, and why.")
    ] = False,
    perfetto: Annotated[
        Path | None,
        typer.Option(help="Write how all pods started to this file, for ui.perfetto.dev."),
    ] = None,
) -> None:
    """Simulate a scenario from beginning to end and print the report."""
    from kubesim.cli.running import run_command  # noqa: PLC0415

    sys.exit(
        run_command(
            scenario,
            seed=seed,
            until=until,
            preset=preset,
            output=output,
            out=out,
            table_format=table_format,
            sources=sources,
            recommend=recommend,
            perfetto=perfetto,
        )
    )


@app.command("test", epilog="Example: kubesim test scenarios/ --junit junit.xml")
def judge(
    scenarios: Annotated[
        list[str], typer.Argument(help="Scenarios by name, file or folder; a folder of scenarios.")
    ],
    *,
    seed: Seed = None,
    seeds: Annotated[int, typer.Option(min=1, help="Run each with that many seeds.")] = 1,
    preset: Preset = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML to this file.")] = None,
) -> None:
    """Run scenarios and judge their expectations; for CI."""
    from kubesim.cli.testing import test_command  # noqa: PLC0415

    sys.exit(test_command(scenarios, seed=seed, seeds=seeds, preset=preset, junit=junit))


@app.command(epilog="Example: kubesim validate manifests/ scenario.yaml")
def validate(
    files: Annotated[
        list[str], typer.Argument(help="Manifests and scenarios: files and folders; - for stdin.")
    ],
    *,
    strictness: Annotated[
        Literal["strict", "warn", "lenient"] | None,
        typer.Option(help="How manifests are taken; by default strictly, scenarios as they say."),
    ] = None,
) -> None:
    """Check manifests and scenarios without running anything."""
    from kubesim.cli.validating import validate_command  # noqa: PLC0415

    sys.exit(validate_command(files, strictness=strictness))


@app.command(epilog="Example: kubesim play mixed-pool --speed 5")
def play(
    scenario: ScenarioName,
    *,
    seed: Seed = None,
    until: Until = None,
    preset: Preset = None,
    speed: Annotated[
        float, typer.Option(min=0.01, help="Virtual seconds in a second of yours.")
    ] = 1.0,
) -> None:
    """Watch a scenario run, and step through it."""
    from kubesim.cli.playing import play_command  # noqa: PLC0415

    sys.exit(play_command(scenario, seed=seed, until=until, preset=preset, speed=speed))


@app.command(epilog="Example: kubectl get nodes,pods -A -o yaml | kubesim schedule -f -")
def schedule(  # noqa: PLR0913  # the options of the verb
    *,
    files: Annotated[
        list[str] | None,
        typer.Option("--file", "-f", help="Nodes, pods, ...: files and folders; - for stdin."),
    ] = None,
    config: Annotated[
        str | None, typer.Option(help="A file with a KubeSchedulerConfiguration.")
    ] = None,
    plugin: Annotated[
        list[str] | None,
        typer.Option(help="A plugin of yours: NAME=file.py:Class or NAME=guest.wasm."),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say of every attempt who refused which node, and why."),
    ] = False,
    case: Annotated[
        Path | None, typer.Option(help="Play the case in this folder from end to end instead.")
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(help="Judge the recorded case in this folder, attempt by attempt."),
    ] = None,
    order: Annotated[
        PodOrder,
        typer.Option(
            help="Of pods of equal priority: as given in the files, by size, the largest first, or "
            "auto: as given, and by size if that places more and nothing says who came first."
        ),
    ] = PodOrder.AUTO,
    output: Annotated[
        OutputFormat, typer.Option("--output", "-o", help="How to print the result.")
    ] = OutputFormat.TEXT,
) -> None:
    """Place pods on nodes as kube-scheduler would, at once, and say why."""
    from kubesim.cli.scheduling import schedule_command  # noqa: PLC0415

    sys.exit(
        schedule_command(
            files or [],
            config=config,
            case=case,
            replay=replay,
            plugins=plugin or [],
            explain=explain,
            output=output,
            order=order,
        )
    )


@app.command(epilog="Example: kubesim why homeless --scenario mixed-pool --at 30s")
def why(
    pod: PodName,
    *,
    scenario: OfScenario = None,
    run: OfRun = None,
    seed: Seed = None,
    at: Annotated[
        str | None, typer.Option(help="When, in virtual time, such as 30s; default: the end.")
    ] = None,
    output: Annotated[
        OutputFormat, typer.Option("--output", "-o", help="How to print the answer.")
    ] = OutputFormat.TEXT,
) -> None:
    """Say why a pod is where it is, or nowhere, at any moment of a run."""
    from kubesim.cli.why import why_command  # noqa: PLC0415

    sys.exit(why_command(pod, scenario=scenario, run=run, seed=seed, at=at, output=output))


@app.command(epilog="Example: kubesim cri report --scenario mixed-pool")
def cri(
    pod: PodName,
    *,
    scenario: OfScenario = None,
    run: OfRun = None,
    seed: Seed = None,
    at: Annotated[
        str | None, typer.Option(help="Until when, in virtual time; default: the end.")
    ] = None,
    output: Annotated[
        OutputFormat, typer.Option("--output", "-o", help="How to print the calls.")
    ] = OutputFormat.TEXT,
) -> None:
    """List the CRI calls that were made for a pod, each with its time and its outcome."""
    from kubesim.cli.cri import cri_command  # noqa: PLC0415

    sys.exit(cri_command(pod, scenario=scenario, run=run, seed=seed, at=at, output=output))


@app.command(epilog="Example: kubesim conformance controllers tests/golden/controllers/cases/*")
def conformance(
    what: Annotated[str, typer.Argument(help="What to judge: controllers, hpa or scheduler.")],
    folders: Annotated[
        list[Path],
        typer.Argument(help="Recorded cases: a folder each, or a folder of those; files for hpa."),
    ],
    *,
    output: Annotated[
        OutputFormat, typer.Option("--output", "-o", help="How to print the result.")
    ] = OutputFormat.TEXT,
) -> None:
    """Play what was recorded of real components and say what differs."""
    from kubesim.cli.conforming import conformance_command  # noqa: PLC0415

    sys.exit(conformance_command(what, folders, output=output))


@app.command(epilog="Example: kubesim waterfall greeter --scenario mixed-pool --html start.html")
def waterfall(  # noqa: PLR0913  # the options of the verb
    pod: Annotated[
        str | None,
        typer.Argument(help="The pod: NAME or NAMESPACE/NAME, or how names begin; default: all."),
    ] = None,
    *,
    scenario: OfScenario = None,
    run: OfRun = None,
    seed: Seed = None,
    calls: Annotated[bool, typer.Option("--calls", help="Show the CRI calls, too.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write charts to this HTML file.")] = None,
    perfetto: Annotated[
        Path | None, typer.Option(help="Write a trace for ui.perfetto.dev to this file.")
    ] = None,
    output: Annotated[
        OutputFormat, typer.Option("--output", "-o", help="How to print the result.")
    ] = OutputFormat.TEXT,
) -> None:
    """Show how a pod started, phase by phase, and what it waited for."""
    from kubesim.cli.waterfall import waterfall_command  # noqa: PLC0415

    sys.exit(
        waterfall_command(
            pod,
            scenario=scenario,
            run=run,
            seed=seed,
            calls=calls,
            html=html,
            trace=perfetto,
            output=output,
        )
    )


@app.command(epilog="Example: kubesim bench lifecycle -o json")
def bench(
    name: Annotated[
        str, typer.Argument(help="The benchmark; without one, the list of them.")
    ] = "",
    *,
    schedules: Annotated[
        int | None, typer.Option("--schedules", min=1, help="faults: how many schedules.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="faults: replay the schedule of this seed.")
    ] = None,
    output: Annotated[
        OutputFormat, typer.Option("--output", "-o", help="How to print the result.")
    ] = OutputFormat.TEXT,
) -> None:
    """Measure this simulator on this machine."""
    from kubesim.cli.benching import bench_command  # noqa: PLC0415

    sys.exit(bench_command(name, schedules=schedules, seed=seed, output=output))


@app.command(epilog="Example: kubesim calibrate node -o mine.yaml")
def calibrate(
    what: Annotated[str, typer.Argument(help="What to measure: node or wasm.")],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the numbers into this file.")
    ] = None,
    samples: Annotated[
        int, typer.Option("--samples", min=5, help="node: samples of each phase.")
    ] = 60,
    samples_from: Annotated[
        Path | None, typer.Option("--from", help="node: fit recorded samples; run nothing.")
    ] = None,
    samples_to: Annotated[
        Path | None, typer.Option("--keep", help="node: write the samples into this file.")
    ] = None,
) -> None:
    """Measure this machine and write numbers for a preset.

    ``node`` really runs containers, as root, where runc, crun and containerd are installed.
    """
    from kubesim.cli.calibrating import calibrate_node, calibrate_wasm  # noqa: PLC0415

    if what == "wasm":
        sys.exit(calibrate_wasm(out))
    if what != "node":
        raise InputError(f'nothing to calibrate is called "{what}"; there are: node, wasm')
    sys.exit(calibrate_node(out, count=samples, samples_from=samples_from, samples_to=samples_to))


@app.command(epilog="Example: kubesim schema > scenario.schema.json")
def schema() -> None:
    """Print the JSON Schema of a scenario, for editors."""
    import json  # noqa: PLC0415

    from kubesim.scenario.format import json_schema  # noqa: PLC0415

    print(json.dumps(json_schema(), indent=2))


@app.command(epilog="Example: kubesim version -o json")
def version(
    *,
    output: Annotated[
        OutputFormat, typer.Option("--output", "-o", help="How to print it.")
    ] = OutputFormat.TEXT,
) -> None:
    """Print the versions of kubesim and of what its results depend on."""
    from kubesim.cli.output import print_data  # noqa: PLC0415
    from kubesim.cluster.simulation import KUBERNETES_VERSION, WASMTIME_VERSION  # noqa: PLC0415

    versions = {
        "kubesim": __version__,
        "kubernetes": KUBERNETES_VERSION,
        "wasmtime": WASMTIME_VERSION,
        "python": sys.version.split()[0],
    }
    if output is OutputFormat.TEXT:
        print("\n".join(f"{name} {value}" for name, value in versions.items()))
    else:
        print_data(versions, output)


def main() -> None:
    """The entry point: errors of the user's become messages, ours become a plea."""
    # A run makes millions of small objects that live to its end; looking through them for cycles
    # as often as Python does by default costs a sixth of its time.
    gc.set_threshold(50_000, 20, 50)
    try:
        app()
    except InputError as error:
        report_problems(error.problems)
        sys.exit(EXIT_BAD_INPUT)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has seen enough
        sys.exit(0)
    except Exception:  # whatever it is, it is a bug of ours
        traceback.print_exc()
        print(f"This is a bug in kubesim {__version__}; please report it.", file=sys.stderr)
        sys.exit(EXIT_BUG)


def report_problems(problems: tuple[Problem, ...]) -> None:
    """One line a problem, on standard error."""
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)


if __name__ == "__main__":
    main()
