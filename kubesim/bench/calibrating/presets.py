"""From samples to a preset: which sample is which number.

=====================================  ==========================================================
``containerd.sandbox_runtime``         RunPodSandbox in the host's network
``containerd.sandbox_network``         what RunPodSandbox with CNI takes beyond that
``containerd.create_container``        CreateContainer
``containerd.kill_container``          StopContainer with a timeout of 0
``containerd.remove_container``        RemoveContainer
``containerd.stop_sandbox``            StopPodSandbox with CNI
``containerd.remove_sandbox``          RemovePodSandbox with CNI
``containerd.unpack_rate``             how unpacking grows with the size, images of one layer
``registry.resolve``                   PullImage of an image that is present
``registry.request``                   what the smallest image of one layer takes beyond its bytes
``registry.bandwidth``                 how a pull grows with the size, without the unpacking
``runtimes.runc.start``, ``stop``      StartContainer, StopContainer of a program that obeys
``runtimes.runc.overhead``             proportional set of shim and pause
``wasm_runtimes.wasmtime.*``           compile, load and instantiate
=====================================  ==========================================================

What was not measured is left to the preset ``seed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kubesim.bench.calibrating.fitting import Fit, duration, fit, fit_remainder
from kubesim.bench.calibrating.samples import Samples

DIRECT = {
    "containerd.sandbox_runtime": "cri/RunPodSandbox/host",
    "containerd.create_container": "cri/CreateContainer",
    "containerd.kill_container": "cri/StopContainer/kill",
    "containerd.remove_container": "cri/RemoveContainer",
    "containerd.stop_sandbox": "cri/StopPodSandbox",
    "containerd.remove_sandbox": "cri/RemovePodSandbox",
    "registry.resolve": "pull/present",
    "runtimes.runc.start": "cri/StartContainer",
    "runtimes.runc.stop": "cri/StopContainer",
    "wasm_runtimes.wasmtime.compile_per_kib": "wasm/compile_per_kib",
    "wasm_runtimes.wasmtime.load": "wasm/load",
    "wasm_runtimes.wasmtime.instantiate": "wasm/instantiate",
}

_MS_PER_S = 1_000
_HEAD = """\
# Fitted by kubesim calibrate node; what was not measured is taken over from seed.
"""


@dataclass(frozen=True, kw_only=True)
class Slope:
    """How a pull of one layer grows with its size.

    Attributes:
        ms_per_byte: All of it.
        unpack_ms_per_byte: The unpacking's part.
        smallest: Bytes of the smallest image.
        largest: Bytes of the largest one.
    """

    ms_per_byte: float
    unpack_ms_per_byte: float
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
    runtime = fits.get("containerd.sandbox_runtime")
    if runtime is not None and "cri/RunPodSandbox" in samples.ms:
        network = fit_remainder(samples.ms["cri/RunPodSandbox"], runtime)
        name = "cri/RunPodSandbox less cri/RunPodSandbox/host"
        numbers["containerd.sandbox_network"] = _duration(samples, name, network)
    resolve, slope = fits.get("registry.resolve"), pull_slope(samples)
    if resolve is not None and slope is not None:
        numbers |= _registry(samples, resolve, slope)
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
    """Least squares of the relative error over the medians of images of one layer."""
    pulls, unpacks = _single_layer(samples.ms, "pull"), _single_layer(samples.ms, "unpack")
    if len(pulls) < 2 or len(unpacks) < 2:
        return None
    return Slope(
        ms_per_byte=_slope(pulls),
        unpack_ms_per_byte=min(_slope(unpacks), 0.9 * _slope(pulls)),
        smallest=min(pulls),
        largest=max(pulls),
    )


def _registry(samples: Samples, resolve: Fit, slope: Slope) -> dict[str, dict[str, Any]]:
    smallest = f"pull/{slope.smallest}/1"
    bytes_ms = slope.smallest * slope.ms_per_byte
    request = fit_remainder([each - bytes_ms for each in samples.ms[smallest]], resolve)
    download = slope.ms_per_byte - slope.unpack_ms_per_byte
    size = f"images of one layer up to {slope.largest} bytes"
    return {
        "registry.request": _duration(samples, f"{smallest} less its bytes and resolve", request),
        "registry.bandwidth": _rate(samples, f"pull/*/1 and unpack/*/1, {size}", download),
        "containerd.unpack_rate": _rate(samples, f"unpack/*/1, {size}", slope.unpack_ms_per_byte),
    }


def _single_layer(ms: Mapping[str, list[float]], what: str) -> dict[int, float]:
    found = {}
    for name, values in ms.items():
        kind, _, rest = name.partition("/")
        size, _, layers = rest.partition("/")
        if kind == what and layers == "1":
            found[int(size)] = float(np.median(values))
    return found


def _slope(medians: Mapping[int, float]) -> float:
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
