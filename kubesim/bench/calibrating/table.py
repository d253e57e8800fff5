"""What was measured, for people: phase by phase, and containers beside Wasm."""

from __future__ import annotations

import numpy as np

from kubesim.bench.calibrating.fitting import fit
from kubesim.bench.calibrating.samples import Samples

POD_START = ("cri/RunPodSandbox", "cri/CreateContainer", "cri/StartContainer")
WASM_START = ("wasm/compile", "wasm/load", "wasm/instantiate", "wasm/first_request")


def table(samples: Samples, recorded: Samples | None = None) -> str:
    """A line for each phase; with a recording of another machine its figures beside.

    Args:
        samples: What was measured.
        recorded: What to put beside it.
    """
    head = f"{'ms':34} {'n':>4} {'p50':>9} {'p99':>9}"
    if recorded is not None:
        head += f" {'recorded p50':>13} {'p99':>9}"
    lines = [head + "  form"]
    for name, values in samples.ms.items():
        line = f"{name:34} {len(values):>4} {_figures(values)}"
        if recorded is not None:
            other = recorded.ms.get(name)
            line += f" {_figures(other, 13)}" if other else f" {'-':>13} {'-':>9}"
        found = fit(values)
        lines.append(f"{line}  {found.family}, KS {found.ks:.3f} (p {found.p:.2g})")
    lines += _memory(samples) + _beside(samples)
    lines += [f"not measured: {what}: {why}" for what, why in samples.missing.items()]
    return "\n".join(lines)


def _figures(values: list[float], width: int = 9) -> str:
    median, high = np.percentile(values, (50, 99))
    return f"{median:>{width}.3f} {high:>9.3f}"


def _memory(samples: Samples) -> list[str]:
    return [
        f"{'memory of ' + kind:34} {use['pods']:>4} "
        f"{use['rss']:>9} KiB resident, {use['pss']} KiB proportional"
        for kind, use in samples.kib.items()
    ]


def _beside(samples: Samples) -> list[str]:
    """Sums of medians, on the same machine in the same run."""
    sides = []
    for runtime in ("runc", "crun"):
        names = tuple(f"{runtime}/{step}" for step in ("create", "start"))
        sides.append((f"a container by {runtime} alone", names))
    sides += [
        ("a pod through containerd", POD_START),
        ("a Wasm handler, compiled first", WASM_START),
        ("a Wasm handler, compiled before", WASM_START[1:]),
    ]
    return ["until it runs, sums of medians:"] + [
        f"  {what:32} {sum(float(np.median(samples.ms[name])) for name in names):>10.3f} ms"
        for what, names in sides
        if all(name in samples.ms for name in names)
    ]
