"""From samples to a preset: which sample is which number.

=====================================  ==========================================================
``containerd.sandbox_runtime``         RunPodSandbox in the host's network
``containerd.sandbox_network``         what RunPodSandbox with CNI takes beyond that
``containerd.stop_sandbox``            StopPodSandbox in the host's network
``containerd.stop_network``            what StopPodSandbox with CNI takes beyond that
``containerd.remove_sandbox``          RemovePodSandbox in the host's network
``containerd.remove_network``          what RemovePodSandbox with CNI takes beyond that
``containerd.create_container``        CreateContainer
``containerd.kill_container``          StopContainer with a timeout of 0
``containerd.remove_container``        RemoveContainer
``containerd.unpack_rate``             how unpacking (after the download) grows with the size
``containerd.unpack_layer``            how it grows with the number of layers
``containerd.unpack_image``            what unpacking the smallest image takes beyond these
``registry.resolve``                   PullImage of an image that is present
``registry.request``                   what pulling the smallest image takes beyond all these
``registry.bandwidth``                 how pulls of one layer grow with the size, without the unpacking
``runtimes.runc.start``, ``stop``      StartContainer, StopContainer of a program that obeys
``runtimes.*.commands``                runc and crun by themselves
``runtimes.crun.start``                StartContainer with crun's commands for runc's: what containerd
                                       and the shim do is the same
``runtimes.crun.stop``                 taken over from runc
``runtimes.runc.overhead``             proportional set of shim and pause
``wasm_runtimes.wasmtime.*``           compile, load and instantiate
=====================================  ==========================================================

What was not measured is left to the preset ``seed``. Pulls of several layers are used for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kubesim.bench.calibrating.fitting import Fit, duration, fit, fit_remainder, fit_sum
from kubesim.bench.calibrating.samples import Samples

DIRECT = {
    "containerd.sandbox_runtime": "cri/RunPodSandbox/host",
    "containerd.create_container": "cri/CreateContainer",
    "containerd.kill_container": "cri/StopContainer/kill",
    "containerd.remove_container": "cri/RemoveContainer",
    "containerd.stop_sandbox": "cri/StopPodSandbox/host",
    "containerd.remove_sandbox": "cri/RemovePodSandbox/host",
    "registry.resolve": "pull/present",
    "runtimes.runc.start": "cri/StartContainer",
    "runtimes.runc.stop": "cri/StopContainer",
    "runtimes.runc.commands.create": "runc/create",
    "runtimes.runc.commands.start": "runc/start",
    "runtimes.runc.commands.delete": "runc/delete",
    "runtimes.crun.commands.create": "crun/create",
    "runtimes.crun.commands.start": "crun/start",
    "runtimes.crun.commands.delete": "crun/delete",
    "wasm_runtimes.wasmtime.compile_per_kib": "wasm/compile_per_kib",
    "wasm_runtimes.wasmtime.load": "wasm/load",
    "wasm_runtimes.wasmtime.instantiate": "wasm/instantiate",
}

NETWORKS = {
    "containerd.sandbox_network": "containerd.sandbox_runtime",
    "containerd.stop_network": "containerd.stop_sandbox",
    "containerd.remove_network": "containerd.remove_sandbox",
}
"""What the calls take in the host's network, and for a network beyond that."""

PARTS = ("create", "start")
NOTHING = Fit(family="", median_ms=0.0, spread={"sigma": 0.0}, ks=0.0, p=1.0, aic=0.0, n=0)

_MS_PER_S = 1_000
_LEAST_MS = 0.1
_HEAD = """\
# Fitted by kubesim calibrate node; what was not measured is taken over from seed.
"""


@dataclass(frozen=True, kw_only=True)
class Slope:
    """How a pull of one layer grows with its size, and unpacking with size and layers.

    Attributes:
        ms_per_byte: All of a pull.
        unpack_ms_per_byte: The unpacking's part.
        unpack_ms_per_layer: What a layer takes to unpack beside its bytes.
        smallest: Bytes of the smallest image.
        largest: Bytes of the largest one.
    """

    ms_per_byte: float
    unpack_ms_per_byte: float
    unpack_ms_per_layer: float
    smallest: int
    largest: int


def preset_document(samples: Samples, name: str, description: str) -> dict[str, Any]:
    """A preset that extends ``seed`` with everything that was measured."""
    document: dict[str, Any] = {
        "apiVersion": "kubesim.dev/v1alpha1",
        "kind": "Preset",
        "name": name,
        "extends": "seed",
        "description": description,
    }
    for path, number in preset_numbers(samples).items():
        section = document
        *above, last = path.split(".")
        for part in above:
            section = section.setdefault(part, {})
        section[last] = number
    return document


def preset_numbers(samples: Samples) -> dict[str, dict[str, Any]]:
    """Every number that the samples give, by its path in a preset."""
    fits = {path: fit(samples.ms[name]) for path, name in DIRECT.items() if name in samples.ms}
    numbers = {path: _duration(samples, DIRECT[path], found) for path, found in fits.items()}
    for path, host in NETWORKS.items():
        call = DIRECT[host].removesuffix("/host")
        if host in fits and call in samples.ms:
            network = fit_remainder(samples.ms[call], fits[host])
            numbers[path] = _duration(samples, f"{call} less {DIRECT[host]}", network)
    resolve, slope = fits.get("registry.resolve"), pull_slope(samples)
    if resolve is not None and slope is not None:
        numbers |= _pulling(samples, resolve, slope)
    numbers |= _crun(samples, fits)
    if {"shim", "pause"} <= samples.kib.keys():
        shim, pause = samples.kib["shim"], samples.kib["pause"]
        numbers["runtimes.runc.overhead"] = {
            "value": f"{shim['pss'] + pause['pss']}Ki",
            **_common(samples, "memory of shim and pause"),
            "note": f"proportional set with {shim['pods']} pods; resident {shim['rss']} and "
            f"{pause['rss']} KiB; pause is busybox sleep",
        }
    return dict(sorted(numbers.items()))


def pull_slope(samples: Samples) -> Slope | None:
    """From medians: pulls of one layer, and unpacking of any number of layers."""
    pulls = {
        size: ms for (size, layers), ms in _medians(samples.ms, "pull").items() if layers == 1
    }
    unpacks = _medians(samples.ms, "unpack")
    smallest, per_byte = min(pulls, default=0), _slope(pulls)
    if per_byte is None or len(unpacks) < 2 or (smallest, 1) not in unpacks:
        return None
    unpack_per_byte, per_layer = _unpack_slopes(unpacks, (smallest, 1))
    return Slope(
        ms_per_byte=per_byte,
        unpack_ms_per_byte=min(unpack_per_byte, 0.9 * per_byte),
        unpack_ms_per_layer=per_layer,
        smallest=smallest,
        largest=max(pulls),
    )


def _pulling(samples: Samples, resolve: Fit, slope: Slope) -> dict[str, dict[str, Any]]:
    pull, unpack = f"pull/{slope.smallest}/1", f"unpack/{slope.smallest}/1"
    size = f"images up to {slope.largest} bytes"
    download = slope.ms_per_byte - slope.unpack_ms_per_byte
    numbers = {
        "registry.bandwidth": _rate(samples, f"pull/*/1 and unpack/*, {size}", download),
        "containerd.unpack_rate": _rate(samples, f"unpack/*, {size}", slope.unpack_ms_per_byte),
    }
    fixed_ms = slope.smallest * slope.unpack_ms_per_byte + slope.unpack_ms_per_layer
    image = fit_remainder(_less(samples.ms[unpack], fixed_ms), NOTHING)
    numbers["containerd.unpack_image"] = _duration(
        samples, f"{unpack} less bytes and layer", image
    )
    if slope.unpack_ms_per_layer:
        numbers["containerd.unpack_layer"] = {
            "value": duration(slope.unpack_ms_per_layer),
            "spread": {"sigma": 0.0},
            **_common(samples, f"unpack/*, by the number of layers, {size}"),
            "note": "how it spreads is in unpack_image",
        }
    fixed_ms = slope.smallest * slope.ms_per_byte + slope.unpack_ms_per_layer
    before = fit_sum([resolve, image])
    request = fit_remainder(_less(samples.ms[pull], fixed_ms), before)
    name = f"{pull} less bytes, layer, unpack_image and resolve"
    return numbers | {"registry.request": _duration(samples, name, request)}


def _less(values: list[float], fixed_ms: float) -> list[float]:
    """What is left of them; on a busy machine a part can be more than the whole."""
    return [max(_LEAST_MS, ms - fixed_ms) for ms in values]


def _crun(samples: Samples, fits: Mapping[str, Fit]) -> dict[str, dict[str, Any]]:
    """What containerd with crun takes, which was not measured: crun's times in the place of runc's."""
    paths = (f"runtimes.{name}.commands.{of}" for name in ("runc", "crun") for of in PARTS)
    parts = [fits[path] for path in paths if path in fits]
    if len(parts) < 2 * len(PARTS) or "cri/StartContainer" not in samples.ms:
        return {}
    runc, crun = parts[: len(PARTS)], parts[len(PARTS) :]
    around = fit_remainder(samples.ms["cri/StartContainer"], fit_sum(runc))
    name = "cri/StartContainer less runc/create and runc/start, with crun/create and crun/start"
    start = _duration(samples, name, fit_sum([around, *crun]))
    note = "quantiles of the sum of independent parts; crun under containerd was not measured"
    numbers = {"runtimes.crun.start": start | {"grade": "K", "note": note}}
    if "runtimes.runc.stop" in fits:
        stop = _duration(samples, DIRECT["runtimes.runc.stop"], fits["runtimes.runc.stop"])
        taken = {"spread": dict(stop["spread"]), "grade": "K", "note": "taken over from runc"}
        numbers["runtimes.crun.stop"] = stop | taken
    return numbers


def _medians(ms: Mapping[str, list[float]], what: str) -> dict[tuple[int, int], float]:
    """By bytes and number of layers."""
    found = {}
    for name, values in ms.items():
        kind, _, rest = name.partition("/")
        size, _, layers = rest.partition("/")
        if kind == what and layers:
            found[int(size), int(layers)] = float(np.median(values))
    return found


def _unpack_slopes(
    medians: Mapping[tuple[int, int], float], smallest: tuple[int, int]
) -> tuple[float, float]:
    """Milliseconds a byte and a layer beyond the smallest: the largest relative error is least."""
    from scipy import optimize  # noqa: PLC0415 - an extra

    sizes = np.asarray(list(medians), dtype=np.float64)
    values = np.asarray(list(medians.values()), dtype=np.float64)
    beyond = (sizes - np.asarray(smallest)) * (1e-6, 1.0) / values[:, np.newaxis]
    wanted = 1.0 - medians[smallest] / values
    error = -np.ones((len(values), 1))
    found = optimize.linprog(
        [1e-9, 1e-9, 1.0],
        A_ub=np.vstack([np.hstack([beyond, error]), np.hstack([-beyond, error])]),
        b_ub=np.concatenate([wanted, -wanted]),
    )
    return max(1e-9, float(found.x[0]) * 1e-6), float(found.x[1])


def _slope(medians: Mapping[int, float]) -> float | None:
    """Least squares of the relative error; ``None`` of less than two sizes."""
    if len(medians) < 2:
        return None
    sizes = np.asarray(list(medians), dtype=np.float64)
    values = np.asarray(list(medians.values()), dtype=np.float64)
    slope, _ = np.polyfit(sizes, values, 1, w=1.0 / values)
    return max(1e-9, float(slope))


def _duration(samples: Samples, name: str, found: Fit) -> dict[str, Any]:
    return {
        "value": duration(found.median_ms),
        "spread": found.spread,
        **_common(samples, name),
        "note": found.note,
    }


def _rate(samples: Samples, name: str, ms_per_byte: float) -> dict[str, Any]:
    return {"value": round(_MS_PER_S / ms_per_byte), **_common(samples, name)}


def _common(samples: Samples, name: str) -> dict[str, str]:
    source = f"kubesim calibrate node, {samples.machine}, {name}"
    return {"source": source, "measured": samples.measured, "grade": "A"}


def preset_text(samples: Samples, name: str, description: str) -> str:
    """The preset as a file."""
    import yaml  # noqa: PLC0415

    document = preset_document(samples, name, description)
    return _HEAD + yaml.safe_dump(document, sort_keys=False, width=105, default_flow_style=None)
