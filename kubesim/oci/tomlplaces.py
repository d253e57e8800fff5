"""Where in a TOML text its keys stand.

The standard library reads TOML and forgets the places. When an error has to be shown, and not
otherwise, the text is gone through once more and every key is noted with its line and column. The
text is known to be good TOML by then, so this has no opinion on errors.

Mirrors: nothing upstream; what toml::Spanned does for Spin.
Departs: -
"""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]*")
_TRIPLE = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}', re.DOTALL)
_SINGLE = re.compile(r'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'')
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}


class TomlPlaces:
    """The places of a text's keys.

    Args:
        text: Good TOML.
    """

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._offsets: dict[Path, int] = {}
        self._arrays: dict[Path, int] = {}
        self._at = 0
        self._read()

    def locate(self, path: Path) -> tuple[int, int]:
        """Line and column, from 1, of a key; of the nearest one above it when it is not there."""
        while path and path not in self._offsets:
            path = path[:-1]
        offset = self._offsets.get(path, 0)
        before = self._text[:offset]
        return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1

    def _read(self) -> None:
        table: Path = ()
        self._skip()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip()

    def _header(self) -> Path:
        is_array = self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        self._skip()
        offset = self._at
        path: Path = ()
        keys = self._keys()
        for number, key in enumerate(keys):
            path = (*path, key)
            self._offsets.setdefault(path, offset)
            if is_array and number == len(keys) - 1:
                self._arrays[path] = self._arrays.get(path, -1) + 1
            if path in self._arrays:
                path = (*path, self._arrays[path])
                self._offsets.setdefault(path, offset)
        self._skip()
        self._at += 2 if is_array else 1
        return path

    def _pair(self, table: Path) -> None:
        offset = self._at
        path = table
        for key in self._keys():
            path = (*path, key)
            self._offsets.setdefault(path, offset)
        self._at += 1  # the equals sign
        self._value(path)

    def _keys(self) -> list[str]:
        """The parts of a dotted key."""
        keys = [self._key()]
        self._skip()
        while self._text.startswith(".", self._at):
            self._at += 1
            self._skip()
            keys.append(self._key())
            self._skip()
        return keys

    def _key(self) -> str:
        bare = _BARE.match(self._text, self._at)
        match = bare or _SINGLE.match(self._text, self._at)
        assert match is not None, self._at
        self._at = match.end()
        if bare:
            return match[0]
        inside = match[0][1:-1]
        return inside if match[0][0] == "'" else _ESCAPE.sub(_unescape, inside)

    def _value(self, path: Path) -> None:
        self._skip()
        self._offsets.setdefault(path, self._at)
        opening = self._text[self._at]
        if opening == "[":
            self._items(path)
        elif opening == "{":
            self._members(path)
        else:
            match = (
                _TRIPLE.match(self._text, self._at)
                or _SINGLE.match(self._text, self._at)
                or _SCALAR.match(self._text, self._at)
            )
            assert match is not None, self._at
            self._at = match.end()

    def _items(self, path: Path) -> None:
        self._open()
        number = 0
        while self._text[self._at] != "]":
            self._value((*path, number))
            number += 1
            self._comma()
        self._at += 1

    def _members(self, path: Path) -> None:
        self._open()
        while self._text[self._at] != "}":
            self._pair(path)
            self._comma()
        self._at += 1

    def _open(self) -> None:
        self._at += 1
        self._skip()

    def _comma(self) -> None:
        self._skip()
        if self._text[self._at] == ",":
            self._open()

    def _skip(self) -> None:
        match = _SPACE.match(self._text, self._at)
        assert match is not None, self._at
        self._at = match.end()


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "uU":
        return chr(int(code[1:], 16))
    return _ESCAPED.get(code, code)
