"""Durations, times, numbers or percentages, frozen maps."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesim.api.duration import format_duration, parse_duration
from kubesim.api.frozenmap import FrozenMap, deep_freeze
from kubesim.api.intstr import scaled_value
from kubesim.api.rfc3339 import format_micro_time, format_time, parse_time

SECOND = 10**9


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("0", 0),
        ("300ms", 300_000_000),
        ("1h15m30.5s", (3600 + 15 * 60) * SECOND + 30_500_000_000),
        ("-1.5h", -5400 * SECOND),
        ("1us", 1000),
        ("1µs", 1000),
        (".5s", SECOND // 2),
        ("+5s", 5 * SECOND),
        ("1ns", 1),
    ],
)
def test_go_durations_are_exact(text: str, nanos: int) -> None:
    """All units and fractions give the exact number of nanoseconds."""
    assert nanos == parse_duration(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid duration"),
        ("5", "missing unit"),
        ("1d", 'unknown unit "d"'),
        ("s", "invalid duration"),
        ("1h-5m", "invalid duration"),
        ("9999999999h", "invalid duration"),
    ],
)
def test_a_wrong_duration_is_refused_as_go_does(text: str, message: str) -> None:
    """The messages are Go's."""
    with pytest.raises(ValueError, match=message):
        parse_duration(text)


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "0s"),
        (90 * SECOND, "1m30s"),
        (3600 * SECOND, "1h0m0s"),
        (1_500_000, "1.5ms"),
        (1_500, "1.5µs"),
        (7, "7ns"),
        (-SECOND, "-1s"),
        (30_500_000_000, "30.5s"),
    ],
)
def test_durations_are_written_as_go_does(nanos: int, text: str) -> None:
    """The text is the one of Go's ``Duration.String``."""
    assert text == format_duration(nanos)


@given(st.integers(-(2**62), 2**62))
def test_durations_come_back(nanos: int) -> None:
    """Writing and reading a duration changes nothing."""
    assert nanos == parse_duration(format_duration(nanos))


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-01-01T00:00:00Z", 1_767_225_600 * SECOND),
        ("2026-01-01T01:00:00+01:00", 1_767_225_600 * SECOND),
        ("2025-12-31T19:30:00-04:30", 1_767_225_600 * SECOND),
        ("2026-01-01T00:00:00.000000001Z", 1_767_225_600 * SECOND + 1),
        ("1969-12-31T23:59:59.5Z", -SECOND // 2),
        ("2024-02-29T12:00:00Z", 1_709_208_000 * SECOND),
    ],
)
def test_times_are_read_to_the_nanosecond(text: str, nanos: int) -> None:
    """Offsets, fractions, leap days and times before the epoch are exact."""
    assert nanos == parse_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-13-01T00:00:00Z",
        "2026-01-01T25:00:00Z",
    ],
)
def test_a_wrong_time_is_refused(text: str) -> None:
    """A time needs a date, a time of day and an offset, all of which exist."""
    with pytest.raises(ValueError, match=r"RFC 3339|out of range"):
        parse_time(text)


def test_times_are_written_in_utc() -> None:
    """``Time`` has whole seconds, ``MicroTime`` six digits."""
    moment = parse_time("2026-03-04T05:06:07.891234567+00:00")

    assert "2026-03-04T05:06:07Z" == format_time(moment)
    assert "2026-03-04T05:06:07.891234Z" == format_micro_time(moment)


@pytest.mark.parametrize(
    ("value", "total", "up", "down"),
    [("25%", 10, 3, 2), (3, 10, 3, 3), ("0%", 10, 0, 0), ("100%", 7, 7, 7), ("150%", 2, 3, 3)],
)
def test_percentages_are_scaled_with_the_wanted_rounding(
    value: int | str, total: int, up: int, down: int
) -> None:
    """A number is itself, a percentage is rounded up or down."""
    assert up == scaled_value(value, total, round_up=True)
    assert down == scaled_value(value, total, round_up=False)


def test_a_text_that_is_no_percentage_is_refused() -> None:
    """Only ``25%`` and the like can be scaled."""
    with pytest.raises(ValueError, match="not a percentage"):
        scaled_value("25", 10, round_up=True)


def test_a_frozen_map_refuses_every_write() -> None:
    """All methods that change a dict raise."""
    frozen = FrozenMap({"a": 1})

    for write in (
        lambda: frozen.__setitem__("a", 2),
        lambda: frozen.__delitem__("a"),
        frozen.clear,
        frozen.popitem,
        lambda: frozen.pop("a"),
        lambda: frozen.update(b=2),
        lambda: frozen.setdefault("b", 2),
        lambda: frozen.__ior__({"b": 2}),
    ):
        with pytest.raises(TypeError, match="does not change"):
            write()
    assert {"a": 1} == frozen


def test_changes_of_a_frozen_map_are_new_maps() -> None:
    """``set``, ``merge`` and ``without`` leave the map alone and return another one."""
    frozen = FrozenMap({"a": 1, "b": 2})

    assert {"a": 1, "b": 3} == frozen.set("b", 3)
    assert {"a": 1, "b": 2, "c": 3} == frozen.merge({"c": 3})
    assert {"a": 1, "b": 2, "c": 3} == frozen | {"c": 3}
    assert {"b": 2} == frozen.without("a")
    assert {"a": 1, "b": 2} == frozen


def test_a_change_that_changes_nothing_gives_the_same_map() -> None:
    """Identity is kept, so that whoever compares by identity sees no change."""
    frozen = FrozenMap({"a": 1})

    assert frozen is frozen.set("a", 1)
    assert frozen is frozen.merge({"a": 1})
    assert frozen is frozen.without("z")
    assert frozen is frozen.copy()


def test_a_frozen_map_has_a_hash_by_value() -> None:
    """Equal maps have equal hashes, whatever the order of their entries."""
    assert hash(FrozenMap({"a": 1, "b": 2})) == hash(FrozenMap({"b": 2, "a": 1}))


def test_a_frozen_map_survives_a_pickle() -> None:
    """It can travel to another process."""
    copy = pickle.loads(pickle.dumps(FrozenMap({"a": 1})))

    assert (FrozenMap, {"a": 1}) == (type(copy), copy)


def test_deep_freezing_reaches_every_level() -> None:
    """Plain data of any shape becomes hashable."""
    frozen = deep_freeze({"a": [1, {"b": [2]}]})

    assert hash(frozen) == hash(deep_freeze({"a": [1, {"b": [2]}]}))
    assert (1, {"b": (2,)}) == frozen["a"]
