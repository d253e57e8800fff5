"""Tables before they are on a screen."""

from __future__ import annotations

from kubesim.tui.scene import Ref
from kubesim.tui.sheet import Column, Row, Sheet, layout, matching

COLUMNS = (
    Column("NAMESPACE", rank=2),
    Column("NAME", least=6),
    Column("STATUS"),
    Column("AGE", right=True, rank=1),
)


def sheet(*names: str) -> Sheet:
    return Sheet(
        "pods",
        COLUMNS,
        tuple(
            Row(
                Ref("Pod", "default", name),
                (("default", "dim"), (name, "text"), ("Running", "ok"), ("5s", "text")),
            )
            for name in names
        ),
    )


def names_of(shown: Sheet) -> list[str]:
    return [row.ref.name for row in shown.rows]


def test_a_filter_looks_into_every_column() -> None:
    """Rows match by any of their texts, in any case."""
    assert ["web-1"] == names_of(matching(sheet("web-1", "db-1"), "WEB"))
    assert 2 == len(matching(sheet("web-1", "db-1"), "running").rows)


def test_a_filter_is_a_regular_expression_and_may_be_inverted() -> None:
    """Anchors and classes work, and an exclamation mark turns it round."""
    assert ["web-1", "web-2"] == names_of(matching(sheet("web-1", "web-2", "db"), r"web-\d"))
    assert ["db"] == names_of(matching(sheet("web-1", "web-2", "db"), "!web"))


def test_a_half_typed_expression_is_taken_literally() -> None:
    """Typing an opening bracket does not fail."""
    assert ["a(b"] == names_of(matching(sheet("a(b", "ab"), "a("))


def test_an_empty_filter_leaves_everything() -> None:
    """No pattern, or only the inversion, hides nothing."""
    assert 2 == len(matching(sheet("a", "b"), "").rows)
    assert 2 == len(matching(sheet("a", "b"), "!").rows)


def test_with_room_all_columns_are_there() -> None:
    """Columns are as wide as their texts, and share what is left."""
    shown = layout(sheet("web-1"), 100)

    assert [0, 1, 2, 3] == [index for index, _ in shown]
    assert sum(width for _, width in shown) + 3 * 2 <= 100


def test_without_room_the_least_telling_columns_go_first() -> None:
    """The namespace gives way before the age, and name and status stay."""
    long = sheet("web-1234567890")

    assert [1, 2, 3] == [index for index, _ in layout(long, 24)]
    assert [1, 2] == [index for index, _ in layout(long, 16)]


def test_what_stays_is_cut_to_the_room() -> None:
    """A name gives up columns down to what makes it useful."""
    assert ((1, 9), (2, 7)) == layout(sheet("web-1234567890"), 18)


def test_an_empty_sheet_has_its_titles() -> None:
    """Columns without rows are as wide as their names."""
    assert 4 == len(layout(sheet(), 80))
