"""YAML as Kubernetes reads it, and where everything stood."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesim.errors import InputError
from kubesim.manifests import read_paths, read_text

DATA = Path(__file__).parent / "data"


def one(text: str) -> object:
    (document,) = read_text(text)
    return document.data


def problem(text: str) -> str:
    with pytest.raises(InputError) as caught:
        read_text(text, "f.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("Off", False),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("y", "y"),
        ("n", "n"),
        ("0644", 420),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", 3),
        ("08", 8),
        ("1_000", 1000),
        ("-5", -5),
        ("+5", 5),
        ("2001-01-01", "2001-01-01"),
        ("2001-01-01T00:00:00Z", "2001-01-01T00:00:00Z"),
        ("1:30", "1:30"),
        ("1.5", 1.5),
        ("3.0", 3),
        ("1e3", 1000),
        (".5", 0.5),
        ("1.2.3", "1.2.3"),
        ("12Mi", "12Mi"),
        ("~", None),
        ("null", None),
        ("", None),
        ('"yes"', "yes"),
        ("'0644'", "0644"),
        ("!!str 5", "5"),
        ("!!int 5", 5),
        ("!!float 5", 5),
    ],
)
def test_scalars_mean_what_they_mean_to_kubernetes(text: str, value: object) -> None:
    """YAML 1.1 booleans and octal numbers; dates and sexagesimals are texts."""
    assert {"a": value} == one(f"a: {text}")
    assert type(value) is type(one(f"a: {text}")["a"])


def test_keys_are_texts() -> None:
    """JSON has no other keys, so numbers and booleans become texts."""
    assert {"1": "x", "true": "y", "1.5": "z"} == one("{1: x, yes: y, 1.5: z}")


def test_anchors_and_merges_are_resolved() -> None:
    """An alias stands for its anchor; what a mapping says itself wins over what it merges."""
    text = """
    base: &base {cpu: 1, memory: 2}
    more: &more {cpu: 9, disk: 3}
    one: {<<: *base, cpu: 5}
    two:
      <<: [*base, *more]
    list: [*base]
    """

    data = one(text)

    assert {"cpu": 5, "memory": 2} == data["one"]
    assert {"cpu": 1, "memory": 2, "disk": 3} == data["two"]
    assert [{"cpu": 1, "memory": 2}] == data["list"]


def test_empty_documents_are_left_out_but_counted() -> None:
    """The index of a document is its place in the file."""
    documents = read_text("# nothing\n---\na: 1\n---\n---\n# nothing\n---\nb: 2\n")

    assert [({"a": 1}, 0, 3), ({"b": 2}, 3, 8)] == [
        (document.data, document.index, document.line) for document in documents
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 'f.yaml:3:1: not valid YAML: key "a" already set in map'),
        ("a: [1\n", "f.yaml:2:1: not valid YAML: did not find expected ',' or ']'"),
        ("a: *b\n", "f.yaml:1:4: not valid YAML: unknown anchor 'b'"),
        ("a: b: c\n", "f.yaml:1:5: not valid YAML: mapping values are not allowed"),
        ("? [a]\n: b\n", "f.yaml:1:3: not valid YAML: a key must be text"),
        ("a: !!int x\n", "f.yaml:1:4: not valid YAML: cannot read 'x' as"),
        ("<<: 5\n", "f.yaml:1:1: not valid YAML: map merge requires map"),
        ("a:\n\t- b\n", "YAML is indented with spaces, not with tabs"),
        ("a: \x00\n", "not valid YAML"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_place(text: str, message: str) -> None:
    """Line, column, and what the parser did not like."""
    assert message in problem(text)


def test_a_text_that_is_nested_without_end_is_refused() -> None:
    """A hostile text is an error, not a crash."""
    said = problem("[" * 5000 + "]" * 5000)
    assert said.startswith("f.yaml")
    assert "nested too deeply" in said


def test_positions_are_found_by_path() -> None:
    """Values, keys, what is in a list, what was merged, and what is missing."""
    (document,) = read_text(
        "---\nspec:\n  base: &b\n    x: 1\n  items:\n  - name: a\n    <<: *b\n  empty:\n"
    )

    assert (2, 1) == document.locate(("spec",), key=True)
    assert (3, 3) == document.locate(("spec",))
    assert (6, 11) == document.locate(("spec", "items", 0, "name"))
    assert (6, 5) == document.locate(("spec", "items", 0, "name"), key=True)
    assert (4, 8) == document.locate(("spec", "items", 0, "x"))
    assert (6, 5) == document.locate(("spec", "items", 0, "image"))
    assert (8, 3) == document.locate(("spec", "empty"))
    assert (6, 3) == document.locate(("spec", "items", 7, "name"), key=True)


def test_positions_count_from_the_top_of_the_file() -> None:
    """The second document's lines follow the first one's, also with text after the marker."""
    documents = read_text("a: 1\n--- {b: [ü, 2]}\n---\nc:\n  d: 3\n")

    assert (2, 13) == documents[1].locate(("b", 1))
    assert (5, 6) == documents[2].locate(("c", "d"))


def test_folders_are_read_in_the_order_of_their_names() -> None:
    """YAML and JSON files of a folder, nothing else."""
    documents = read_paths([DATA / "folder"])

    assert ["a", "b", "c"] == [document.data["metadata"]["name"] for document in documents]
    assert str(DATA / "folder" / "a.yaml") == documents[0].source.name


def test_all_bad_files_are_reported_at_once(tmp_path: Path) -> None:
    """Missing, empty, binary and broken files each get their message."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "broken.yaml").write_text("a: [")
    paths = [tmp_path / name for name in ("none.yaml", "empty", "binary.yaml", "broken.yaml")]

    with pytest.raises(InputError) as caught:
        read_paths(paths)

    assert [
        "no such file or folder",
        "no .yaml, .yml or .json file in it",
        "not a text file in UTF-8",
        "not valid YAML: did not find expected node content",
    ] == [item.message.partition(" while")[0] for item in caught.value.problems]


# JSON writes what lies beyond as two escapes, which YAML does not put together again.
TEXT = st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@given(st.dictionaries(TEXT, JSON, min_size=1))
def test_json_is_read_as_json(data: dict) -> None:
    """JSON is YAML: whatever can be said in JSON is read as it is."""
    assert data == one(json.dumps(data))
