"""``kubesim calibrate node``, as far as it goes without running a container."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kubesim.bench.calibrating import Samples, load_samples, preset_document, preset_text
from kubesim.bench.calibrating.criv1 import encode, first_text
from kubesim.bench.calibrating.presets import preset_numbers, pull_slope
from kubesim.bench.calibrating.table import table
from kubesim.calibration import load_preset
from kubesim.calibration.number import DurationNumber
from kubesim.errors import InputError


def calibrate(*options: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kubesim", "calibrate", "node", *options]
    env = None if path is None else {"PATH": path}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


def measured(**ms: list[float]) -> Samples:
    named = {name.replace("__", "/"): values for name, values in ms.items()}
    return Samples(provenance="a test", machine="this one", measured="2026-11", ms=named)


def test_nothing_installed_is_said_with_what_to_install(tmp_path: Path) -> None:
    """Exit code 2 and the packages' names."""
    done = calibrate(path=str(tmp_path))
    assert 2 == done.returncode
    assert "neither runc nor crun is installed" in done.stderr
    assert "apt-get install runc crun containerd" in done.stderr


def test_recorded_samples_become_a_preset_that_loads(tmp_path: Path) -> None:
    """``--from`` takes the way of fresh samples; the preset is named after its file."""
    samples, preset = tmp_path / "samples.json", tmp_path / "mine.yaml"
    start = [40.0 + i / 7 for i in range(60)]
    samples.write_text(measured(cri__StartContainer=start).to_json())
    done = calibrate("--from", str(samples), "-o", str(preset))
    assert 0 == done.returncode, done.stderr
    assert "cri/StartContainer" in done.stdout
    loaded = load_preset(str(preset))
    assert "mine" == loaded.name
    assert 44.2e6 == pytest.approx(loaded.runtimes["runc"].start.value, rel=0.05)
    assert load_preset("seed").registry == loaded.registry


def test_what_are_no_samples_is_refused(tmp_path: Path) -> None:
    """A file of another kind is an input error with its name."""
    file = tmp_path / "samples.json"
    file.write_text('{"ms": [1, 2]}')
    with pytest.raises(InputError, match="no samples"):
        load_samples(file)


def test_only_what_was_measured_is_in_a_preset() -> None:
    """Without a sandbox in the host's network nobody knows what the network takes."""
    document = preset_document(measured(cri__RunPodSandbox=[60.0, 61.0, 62.0]), "mine", "x")
    assert {"apiVersion", "kind", "name", "extends", "description"} == document.keys()


def test_bytes_are_told_from_requests_by_the_slope() -> None:
    """Pulls of 30 ms and 6 ns a byte, of which half is unpacking."""
    samples = measured(
        pull__1000000__1=[36.0], pull__10000000__1=[90.0], pull__10000000__5=[500.0],
        unpack__1000000__1=[8.0], unpack__10000000__1=[35.0],
    )  # fmt: skip
    slope = pull_slope(samples)
    assert slope is not None
    assert (6e-6, 3e-6) == pytest.approx((slope.ms_per_byte, slope.unpack_ms_per_byte))
    assert (1_000_000, 10_000_000) == (slope.smallest, slope.largest)


def test_the_table_says_what_is_missing_and_sets_sides_beside() -> None:
    """Sums of medians of a container and of a Wasm handler, and what was not installed."""
    samples = measured(
        runc__create=[20.0, 21.0, 22.0], runc__start=[4.0, 5.0, 6.0],
        wasm__load=[0.1, 0.2, 0.3], wasm__instantiate=[0.01, 0.02, 0.03],
        wasm__first_request=[0.4, 0.5, 0.6],
    )  # fmt: skip
    samples.missing["crun"] = "not installed (Debian: crun)"
    text = table(samples)
    assert "a container by runc alone            26.000 ms" in text
    assert "a Wasm handler, compiled before       0.720 ms" in text
    assert "crun alone" not in text
    assert text.endswith("not measured: crun: not installed (Debian: crun)")


def test_a_message_on_the_wire() -> None:
    """Numbers, texts, lists and messages in messages, as protobuf lays them out."""
    assert b"\x0a\x02c1\x10\x96\x01" == encode(
        "StopContainerRequest", {"container_id": "c1", "timeout": 150}
    )
    assert b"\x0a\x03\x0a\x01n\x1a\x02sh\x1a\x02-c" == encode(
        "ContainerConfig", {"metadata": {"name": "n"}, "command": ("sh", "-c")}
    )
    assert b"" == encode("StopPodSandboxRequest", {"pod_sandbox_id": ""})
    assert b"\x20" + b"\xff" * 9 + b"\x01" == b"\x20" + encode(
        "LinuxContainerResources", {"oom_score_adj": -1}
    )[1:]  # fmt: skip


def test_an_answer_begins_with_an_id() -> None:
    """The first field's text, however long; none in an empty answer."""
    assert "abc" == first_text(b"\x0a\x03abc\x12\x01x")
    assert "i" * 200 == first_text(b"\x0a\xc8\x01" + b"i" * 200)
    assert "" == first_text(b"")


def test_a_preset_says_how_well_it_fits() -> None:
    """The number of samples, the family and the distance are in the note."""
    text = preset_text(measured(cri__StartContainer=[40.0 + i for i in range(30)]), "mine", "x")
    assert "n = 30, " in text
    assert "KS 0." in text


def test_layers_are_told_from_bytes_by_images_of_several() -> None:
    """Unpacking takes 4 ms an image, 3 ms a layer and 2 ns a byte; a pull of one layer 5 ns a byte."""
    samples = measured(
        pull__1000000__1=[40.0, 41.0, 42.0], pull__10000000__1=[86.0], pull__present=[7.0, 8.0, 9.0],
        unpack__1000000__1=[8.9, 9.0, 9.1], unpack__10000000__1=[27.0], unpack__1000000__5=[21.0],
    )  # fmt: skip
    numbers = preset_numbers(samples)
    assert "3000us" == numbers["containerd.unpack_layer"]["value"]
    assert 500_000_000 == numbers["containerd.unpack_rate"]["value"]
    image = float(numbers["containerd.unpack_image"]["value"].removesuffix("us"))
    assert 4_000 == pytest.approx(image, rel=0.05)


def test_a_part_that_took_longer_than_the_whole_is_no_mistake() -> None:
    """On a busy machine five layers can take more than five times what one takes; the preset loads."""
    samples = measured(
        pull__1000000__1=[20.0, 30.0], pull__10000000__1=[30.0], pull__present=[70.0, 80.0, 90.0],
        unpack__1000000__1=[5.0, 6.0], unpack__10000000__1=[7.0], unpack__1000000__5=[90.0],
    )  # fmt: skip
    for number in preset_numbers(samples).values():
        if "spread" in number:
            values = {
                key: number[key] for key in ("value", "spread", "source", "measured", "grade")
            }
            assert 0 < DurationNumber.model_validate(values).value
