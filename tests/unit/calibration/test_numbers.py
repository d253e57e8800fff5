"""Numbers with a source."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from kubesim.calibration import load_machines, load_preset, preset_names
from kubesim.calibration.number import BytesNumber, CalibrationModel, DurationNumber, Sourced
from kubesim.errors import InputError
from kubesim.share import share_path
from kubesim.sim.distribution import Constant, Lognormal, Uniform
from kubesim.sim.rng import Rng

SOURCE = {"source": "somewhere to be found again", "measured": "2026-08", "grade": "A"}


def duration(**values: Any) -> DurationNumber:
    return DurationNumber.model_validate({**SOURCE, "value": "100ms", "spread": "none", **values})


def leaves(model: CalibrationModel) -> list[tuple[str, Sourced]]:
    """All numbers in a model, with their paths."""
    found: list[tuple[str, Sourced]] = []
    for name in type(model).model_fields:
        value = getattr(model, name)
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for key, part in inner:
            path = f"{name}.{key}".rstrip(".")
            if isinstance(part, Sourced):
                found.append((path, part))
            elif isinstance(part, CalibrationModel):
                found += [(f"{path}.{rest}", leaf) for rest, leaf in leaves(part)]
    return found


@pytest.mark.parametrize("missing", ["source", "measured", "grade", "value", "spread"])
def test_a_number_says_where_it_is_from(missing: str) -> None:
    """No source, no date, no grade, no spread: no number."""
    values = {**SOURCE, "value": "1s", "spread": "none"}
    del values[missing]

    with pytest.raises(ValidationError, match=missing):
        DurationNumber.model_validate(values)


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": "me"}, {"measured": "August"}, {"grade": "E"}, {"value": "-1s"},
        {"value": "1 second"}, {"spread": "some"}, {"sprad": "none"},
        {"spread": {"p99": "50ms"}}, {"spread": {"uniform": ["2s", "1s"]}},
        {"spread": {"sigma": 0.1, "p99": "1s"}}, {"spread": {}}, {"spread": {"sigma": -1}},
    ],
)  # fmt: skip
def test_what_cannot_be_right_is_refused(wrong: dict[str, Any]) -> None:
    """Wrong units, wrong orders, unknown names."""
    with pytest.raises(ValidationError):
        duration(**wrong)


def test_a_spread_becomes_a_distribution() -> None:
    """None, a tail, a deviation or a range."""
    assert Constant(100_000_000) == duration().distribution
    assert Lognormal(100_000_000, 0.4) == duration(spread={"sigma": 0.4}).distribution
    assert Uniform(0, 200_000_000) == duration(spread={"uniform": ["0s", "200ms"]}).distribution
    tail = duration(spread={"p99": "300ms"}).distribution
    assert isinstance(tail, Lognormal)
    assert 0.472 == pytest.approx(tail.sigma, abs=0.001)


def test_amounts_are_quantities() -> None:
    """Written as Kubernetes writes them, bytes in memory."""
    assert 64 << 20 == BytesNumber.model_validate({**SOURCE, "value": "64Mi"}).value


@pytest.mark.parametrize("name", preset_names())
def test_every_shipped_number_has_its_provenance(name: str) -> None:
    """All of a preset's numbers load, and none is without a source."""
    numbers = leaves(load_preset(name))

    assert name == load_preset(name).name
    assert len(numbers) > 20
    assert not [path for path, number in numbers if len(number.source) < 8]


def test_the_seed_preset_is_shipped() -> None:
    """It is the default of every scenario."""
    assert "seed" in preset_names()


def test_an_unknown_preset_is_the_users_mistake() -> None:
    """With the names that there are."""
    with pytest.raises(InputError, match=r"there are: .*seed"):
        load_preset("sead")


def test_a_preset_can_come_from_a_file(tmp_path: Path) -> None:
    """A copy of a shipped one is as good as it; one with a typo is refused with its place."""
    shipped = (share_path("models") / "presets" / "seed.yaml").read_text()
    mine = tmp_path / "mine.yaml"
    mine.write_text(shipped.replace("name: seed", "name: mine", 1))
    broken = tmp_path / "broken.yaml"
    broken.write_text(shipped.replace("grade: K", "grad: K", 1))

    assert "mine" == load_preset(str(mine)).name
    with pytest.raises(InputError) as refused:
        load_preset(str(broken))
    assert str(broken) in str(refused.value)


def test_machines_have_prices_and_sources() -> None:
    """Exact ones, in billionths of a dollar an hour."""
    machines = load_machines()

    assert machines
    assert all(name == machine.name for name, machine in machines.items())
    assert all(machine.price_per_hour_nano_usd > 0 for machine in machines.values())


@pytest.mark.parametrize(
    "wrong",
    [
        {"spread": {"shift": "10ms"}},
        {"spread": {"shift": "100ms", "sigma": 0.3}},
        {"spread": {"sigma": 0.3, "sd": "1ms"}},
        {"spread": {"quantiles": [[0, "10ms"], [50, "90ms"], [100, "1s"]]}},
        {"spread": {"quantiles": [[0, "10ms"], [50, "100ms"]]}},
        {"spread": {"quantiles": [[0, "200ms"], [50, "100ms"], [100, "1s"]]}},
    ],
)
def test_a_measured_spread_that_cannot_be_right_is_refused(wrong: dict[str, Any]) -> None:
    """A shift above the median, quantiles that fall, end early or are not the value's."""
    with pytest.raises(ValidationError):
        duration(**wrong)


@pytest.mark.parametrize(
    ("spread", "p1", "p99"),
    [
        ({"sigma": 0.5, "shift": "60ms"}, 72.5, 188.0),
        ({"sd": "10ms"}, 76.7, 123.3),
        ({"quantiles": [[0, "50ms"], [50, "100ms"], [100, "200ms"]]}, 51.0, 198.0),
    ],
)
def test_a_measured_spread_is_drawn_as_it_is_written(
    spread: dict[str, Any], p1: float, p99: float
) -> None:
    """A hundred thousand draws have the quantiles that the form has by its formula."""
    rng = Rng(1, "draws")
    distribution = duration(spread=spread).distribution
    draws = sorted(distribution.draw(rng) / 1e6 for _ in range(100_000))
    assert 100_000_000 == distribution.median_ns
    assert [p1, 100.0, p99] == pytest.approx(
        [draws[1_000], draws[50_000], draws[99_000]], rel=0.02
    )
