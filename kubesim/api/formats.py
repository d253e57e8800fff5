"""The syntax of names, labels, ports and keys: what is wrong with a text, as sentences.

Every function returns the complaints about a value; an empty list means that it is fine.

Mirrors: staging/src/k8s.io/apimachinery/pkg/{util/validation,api/validate/content}.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = [
    "config_map_key",
    "dns1035_label",
    "dns1123_label",
    "dns1123_subdomain",
    "env_var_name",
    "label_value",
    "percent",
    "port_name",
    "port_number",
    "qualified_name",
    "range_complaint",
]

_LABEL_RE = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN_RE = rf"{_LABEL_RE}(\.{_LABEL_RE})*"
_DNS1035_RE = "[a-z]([-a-z0-9]*[a-z0-9])?"
_NAME_RE = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE_RE = f"({_NAME_RE})?"
_CONFIG_KEY_RE = "[-._a-zA-Z0-9]+"
_PERCENT_RE = "[0-9]+%"

_LABEL_MAX = 63
_SUBDOMAIN_MAX = 253

_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
    "'-' or '.', and must start and end with an alphanumeric character"
)
_DNS1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character"
)
_NAME_TEXT = (
    "must consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character"
)
_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character"
)
_ENV_VAR_TEXT = (
    "a valid environment variable name must consist only of printable ASCII characters "
    "other than '='"
)


@lru_cache(maxsize=2**14)
def dns1123_label(value: str) -> tuple[str, ...]:
    """A name of one part, such as that of a container or a namespace."""
    return _check(value, _LABEL_RE, _LABEL_MAX, _LABEL_TEXT, "my-name", "123-abc")


@lru_cache(maxsize=2**14)
def dns1123_subdomain(value: str) -> tuple[str, ...]:
    """A name with dots, such as that of most objects."""
    return _check(value, _SUBDOMAIN_RE, _SUBDOMAIN_MAX, _SUBDOMAIN_TEXT, "example.com")


@lru_cache(maxsize=2**14)
def dns1035_label(value: str) -> tuple[str, ...]:
    """A name of one part that starts with a letter, such as that of a service."""
    return _check(value, _DNS1035_RE, _LABEL_MAX, _DNS1035_TEXT, "my-name", "abc-123")


@lru_cache(maxsize=2**14)
def qualified_name(value: str) -> tuple[str, ...]:
    """The key of a label, with or without a prefix: ``app``, ``example.com/app``."""
    prefix, slash, name = value.rpartition("/")
    example = _regex_hint(_NAME_TEXT, _NAME_RE, "MyName", "my.name", "123-abc")
    if "/" in prefix:
        hint = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return (f"a valid label key {example} {hint}",)
    complaints: list[str] = []
    if slash and not prefix:
        complaints.append("prefix part must be non-empty")
    elif slash:
        complaints.extend(f"prefix part {text}" for text in dns1123_subdomain(prefix))
    if not name:
        complaints.append("name part must be non-empty")
    elif len(name) > _LABEL_MAX:
        complaints.append(f"name part {_length(_LABEL_MAX)}")
    if not re.fullmatch(_NAME_RE, name, re.ASCII):
        complaints.append(f"name part {example}")
    return tuple(complaints)


@lru_cache(maxsize=2**14)
def label_value(value: str) -> tuple[str, ...]:
    """The value of a label."""
    return _check(value, _VALUE_RE, _LABEL_MAX, _VALUE_TEXT, "MyValue", "my_value", "12345")


def config_map_key(value: str) -> tuple[str, ...]:
    """A key of a ConfigMap or a Secret."""
    text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
    examples = ("key.name", "KEY_NAME", "key-name")
    complaints = _check(value, _CONFIG_KEY_RE, _SUBDOMAIN_MAX, text, *examples)
    if value == ".":
        return (*complaints, "must not be '.'")
    if value == "..":
        return (*complaints, "must not be '..'")
    if value.startswith(".."):
        return (*complaints, "must not start with '..'")
    return complaints


def env_var_name(value: str) -> tuple[str, ...]:
    """The name of an environment variable: printable ASCII without ``=``."""
    if value and all(" " <= char <= "~" and char != "=" for char in value):
        return ()
    return (_ENV_VAR_TEXT,)


def percent(value: str) -> tuple[str, ...]:
    """A percentage such as ``25%``."""
    text = "a valid percent string must be a numeric string followed by an ending '%'"
    return _check(value, _PERCENT_RE, 2**31, text, "1%", "93%")


def port_number(value: int) -> tuple[str, ...]:
    """The number of a port."""
    return () if 1 <= value <= 65535 else (range_complaint(1, 65535),)


def port_name(value: str) -> tuple[str, ...]:
    """The name of a container's port."""
    complaints = []
    if len(value) > 15:
        complaints.append(_length(15))
    if not re.fullmatch("[-a-z0-9]+", value):
        complaints.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        complaints.append("must contain at least one letter (a-z)")
    if "--" in value:
        complaints.append("must not contain consecutive hyphens")
    if value and (value[0] == "-" or value[-1] == "-"):
        complaints.append("must not begin or end with a hyphen")
    return tuple(complaints)


def range_complaint(low: int, high: int) -> str:
    """The sentence about a number outside of its range."""
    return f"must be between {low} and {high}, inclusive"


def _check(value: str, regex: str, max_length: int, text: str, *examples: str) -> tuple[str, ...]:
    complaints = []
    if len(value) > max_length:
        complaints.append(_length(max_length))
    if not re.fullmatch(regex, value, re.ASCII):
        complaints.append(_regex_hint(text, regex, *examples))
    return tuple(complaints)


def _length(limit: int) -> str:
    return f"must be no more than {limit} characters"


def _regex_hint(text: str, regex: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{text} (e.g. {shown}regex used for validation is '{regex}')"
