"""Toned text."""

from __future__ import annotations

import pytest

from kubesim.tui.ink import bar, column, crop, fit, plain, printable, spread, width_of, wrap


def test_escape_sequences_do_not_reach_the_terminal() -> None:
    """What a module prints cannot move the player's cursor."""
    shown = printable("\x1b[2Jgone\r\n\x9b1m\u202etxt")

    assert "?[2Jgone???1m?txt" == shown.replace("\N{REPLACEMENT CHARACTER}", "?")
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [("pod", 5, "pod  "), ("pod-1234", 5, "pod-…"), ("pod", 0, ""), ("日本語", 5, "日本…")],
)
def test_a_fitted_text_has_exactly_its_width(text: str, width: int, expected: str) -> None:
    """Short texts are filled up, long ones are cut with a mark, wide characters count twice."""
    fitted = fit(text, width)

    assert expected == fitted
    assert width == width_of([(fitted, "text")])


def test_numbers_are_flush_right() -> None:
    """A fitted text can stand at the right."""
    assert "    7" == fit("7", 5, right=True)


def test_a_cropped_line_is_as_wide_as_the_room() -> None:
    """A line is cut in the middle of a span, and the cut is marked."""
    line = crop((("abc", "ok"), ("defgh", "bad"), ("ij", "dim")), 6)

    assert "abcde…" == plain(line)
    assert "bad" == line[-1][1]


def test_a_line_cropped_at_a_span_s_end_is_marked_there() -> None:
    """Where a span just fits and another follows, the mark takes its last column."""
    line = crop((("abc", "ok"), ("def", "bad")), 3)

    assert "ab…" == plain(line)


def test_two_sides_of_a_line_are_apart() -> None:
    """Left and right fill the width; without room the right one is cut."""
    left, right = (("ab", "ok"),), (("yz", "bad"),)

    assert "ab    yz" == plain(spread(left, right, 8))
    assert 4 == width_of(spread(left, right, 4))


def test_a_wrapped_text_keeps_every_word() -> None:
    """Long messages go on in the next line, indented."""
    lines = wrap("0/4 nodes are available: 2 node(s) had untolerated taint(s).", 24, indent=2)

    assert all(width_of(line) <= 24 for line in lines)
    assert "0/4 nodes are available: 2 node(s) had untolerated taint(s)." == " ".join(
        plain(line).strip() for line in lines
    )


@pytest.mark.parametrize(
    ("share", "expected"), [(0, "    "), (0.001, "▏   "), (0.5, "██  "), (1.7, "████")]
)
def test_a_bar_shows_a_share(share: float, expected: str) -> None:
    """Something is never nothing, and too much is full."""
    assert expected == bar(share, 4)


@pytest.mark.parametrize(("share", "expected"), [(0, " "), (0.01, "▁"), (0.5, "▄"), (3, "█")])
def test_a_column_shows_a_share(share: float, expected: str) -> None:
    """One character is as high as the share."""
    assert expected == column(share)
