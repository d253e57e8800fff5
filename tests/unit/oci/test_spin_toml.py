"""``spin.toml``: what is read, and what is said about mistakes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kubesim.errors import InputError
from kubesim.oci.spinreading import read_spin
from kubesim.oci.tomlplaces import TomlPlaces

WriteSpin = Callable[..., Path]

EVERYTHING = """spin_manifest_version = 2
[application]
name = "all"
version = "1.0.0"
description = "Everything at once"
authors = ["a", "b"]
targets = ["spin-up:3.3", { registry = "r.io", id = "x:1" }, { path = "env.toml" }]
[application.trigger.redis]
address = "redis://localhost"
[application.tool.lint]
level = 3
[variables]
secret_one = { required = true, secret = true, description = "A secret" }
two = { default = "2" }
[[trigger.http]]
id = "front"
route = "/a/:id/..."
component = "one"
executor = { type = "wagi", argv = "${SCRIPT_NAME}", entrypoint = "_start" }
[[trigger.http]]
route = { private = true }
component = { source = "inline.wasm" }
[[trigger.http]]
route = "/static"
static_response = { status_code = 302, headers = { location = "/a" }, body = "moved" }
[[trigger.redis]]
channel = "orders"
address = "redis://other"
component = "one"
[[trigger.timer]]
interval_secs = 5
component = "one"
[component.one]
source = { registry = "ttl.sh", package = "a:b", version = "1.0.0" }
description = "One"
variables = { x = "{{ two }}" }
environment = { A = "b" }
files = ["a/*", { source = "b", destination = "/b" }]
exclude_files = ["a/c"]
allowed_outbound_hosts = ["*://*:*", "http://two.spin.internal", "{{ two }}", "pg://x:1..9"]
allowed_http_hosts = ["example.com"]
key_value_stores = ["default", "snake_case", "kebab-case"]
sqlite_databases = ["default"]
ai_models = ["llama2-chat"]
targets = ["spin-up:3.3"]
dependencies_inherit_configuration = true
[component.one.build]
command = ["make", "make install"]
workdir = "src"
watch = ["src/**"]
[component.one.tool.clean]
command = "rm"
[component.one.dependencies]
"a:b/c" = ">= 1.0"
"d:e/f" = { path = "f.wasm", export = "g" }
"h:i/j" = { version = "1", package = "k:l" }
"m:n/o" = { url = "https://example.com/m.wasm", digest = "sha256:00" }
"p:q/r" = { component = "two" }
[component.one.profile.debug]
source = "debug.wasm"
[component.two]
source = "two.wasm"
"""


HOST = "expected scheme://host[:port], such as https://example.com"
KEBAB = "an id is in kebab-case: words of letters and digits with hyphens between"


def problems(file: Path) -> list[tuple[int, str]]:
    """Line and text of everything that is wrong with a file."""
    with pytest.raises(InputError) as raised:
        read_spin(file)
    found = raised.value.problems
    return [(each.line, f"{each.message} {each.suggestion}".strip()) for each in found]


def test_every_field(tmp_path: Path) -> None:
    """A manifest that uses every field of version 2 is read."""
    file = tmp_path / "spin.toml"
    file.write_text(EVERYTHING)
    manifest = read_spin(file).manifest
    assert ["http", "redis", "timer"] == list(manifest.trigger.by_type())
    assert ["one", "two"] == list(manifest.component)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("key_value_stores", "key_value_store", 20,
         'unknown field "component.cart.key_value_store" did you mean "key_value_stores"?'),
        ('version = "1', 'versoin = "1', 5,
         'unknown field "application.versoin" did you mean "version"?'),
        ("executor = { type", "executor = { typ", 14,
         'unknown field "trigger.http[0].executor.typ" did you mean "type"?'),
        ("route = ", "path = ", 11, "trigger.http[0].route: Required value"),
        ('source = "cart.wasm"', "", 16, "component.cart: Required value: source"),
        ('component = "cart"', 'component = "card"', 13,
         'there is no component "card" did you mean "cart"?'),
        ("https://{{ host }}", "example.com", 19,
         "component.cart.allowed_outbound_hosts[0]: " + HOST),
        ('where = "{{ host }}"', 'where = "{{ hots }}"', 24,
         'component.cart.variables.where: there is no variable "hots" did you mean "host"?'),
        ('host = { default = "example.com" }', "host = {}", 9,
         "variables.host: give either default or required = true"),
        ("[component.cart]", "[component.Cart_]", 16,
         "component.Cart_: " + KEBAB),
        ("[[trigger.http]]", "[trigger.http]", 11,
         "trigger.http: expected a list write [[trigger.http]]"),
        ('"/cart/..."', '"/.../cart"', 12,
         'route "/.../cart": ... stands only at the end, after a slash'),
        ('type = "wagi"', 'type = "wasi"', 14,
         "trigger.http[0].executor.type: expected 'http', 'wagi' or 'spin'"),
        ('["default"]', '["b@d"]', 20,
         "component.cart.key_value_stores[0]: expected kebab-case or snake_case"),
        ("spin_manifest_version = 2", "", 1, 'needs "spin_manifest_version = 2"'),
        ("spin_manifest_version = 2", 'spin_version = "1"', 1,
         "manifest version 1 is not read spin doctor rewrites it as version 2"),
    ],
)  # fmt: skip
def test_mistakes(write_spin: WriteSpin, old: str, new: str, line: int, message: str) -> None:
    """A mistake is reported with its line and, where there is one, a suggestion."""
    assert (line, message) in problems(write_spin((old, new)))


def test_duplicate_routes(write_spin: WriteSpin) -> None:
    """Two triggers of one route are an error, however the slashes stand."""
    more = '[[trigger.http]]\nroute = "cart/.../"\ncomponent = "cart"\n\n[component.cart]'
    found = problems(write_spin(("[component.cart]", more)))
    assert [(17, 'duplicate route "cart/.../", first in line 12')] == found


def test_exact_and_wildcard_routes_are_two(write_spin: WriteSpin) -> None:
    """The same path with and without a wildcard is no duplicate."""
    more = '[[trigger.http]]\nroute = "/cart"\ncomponent = "cart"\n\n[component.cart]'
    assert 2 == len(read_spin(write_spin(("[component.cart]", more))).manifest.trigger.http)


def test_everything_wrong_is_said_at_once(write_spin: WriteSpin) -> None:
    """Several mistakes are reported together, in the order of the text."""
    spin = write_spin(('name = "shop"', 'nam = "shop"'), ("sqlite_databases", "sqlite_database"))
    assert [3, 4, 21] == [line for line, _ in problems(spin)]


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = \n", 1), ('a = "x\n', 1), ("a = 1\na = 2\n", 2), ("a = [1,\n", 2)],
)
def test_bad_toml(tmp_path: Path, text: str, line: int) -> None:
    """A syntax error has a line too."""
    file = tmp_path / "spin.toml"
    file.write_text(text)
    (found,) = problems(file)
    assert (True, True) == (found[0] in (line, line + 1), "not valid TOML" in found[1])


def test_places() -> None:
    """Keys are found in tables, arrays of tables, inline tables, lists and behind long texts."""
    text = (
        'a = """x\n[no]\nb = 1"""  # c = 2\n'
        "[t.u]\n'q.r' = [1, {k = '}'}, # ]\n  3]\n"
        "[[l]]\nx = 1\n[[l]]\ny.z = 2\n[l.sub]\nw = 1979-05-27T07:32:00Z\n"
    )
    places = TomlPlaces(text)
    expected = {
        ("a",): (1, 1), ("t", "u", "q.r"): (5, 1), ("t", "u", "q.r", 1, "k"): (5, 14),
        ("t", "u", "q.r", 2): (6, 3), ("l", 0, "x"): (8, 1), ("l", 1, "y", "z"): (10, 1),
        ("l", 1, "sub", "w"): (12, 1), ("l", 1, "none"): (9, 3), ("none",): (1, 1),
    }  # fmt: skip
    assert expected == {path: places.locate(path) for path in expected}
