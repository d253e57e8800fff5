"""A Spin application's variables filled into what its components are granted. Pure.

A component's own variables and the hosts it may call are templates: ``https://{{ host }}``. What they
are worth follows from the application's variables: the values that the environment gives them, or else
their defaults.

Mirrors: Spin crates/expressions (Resolver), crates/variables/src/env.rs (the environment's names).
Departs: a template with a variable that has no value grants nothing, where Spin's answer is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from kubesim.wire.image import SpinApp, SpinComponent, SpinGrants

VARIABLE_PREFIX = "SPIN_VARIABLE_"

_TEMPLATE = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_NOTHING: Mapping[str, str] = MappingProxyType({})


def resolved(
    app: SpinApp, component: str, environment: Mapping[str, str] = _NOTHING
) -> SpinGrants:
    """A component's grants with all templates filled in.

    Args:
        app: The application.
        component: The component's id.
        environment: The container's environment variables.
    """
    values = _values(app, environment)
    granted = component_of(app, component).grants
    variables = ((name, _filled(value, values)) for name, value in granted.variables)
    hosts = (_filled(host, values) for host in granted.allowed_outbound_hosts)
    return SpinGrants(
        key_value_stores=granted.key_value_stores,
        sqlite_databases=granted.sqlite_databases,
        variables=tuple((name, value) for name, value in variables if value is not None),
        allowed_outbound_hosts=tuple(host for host in hosts if host is not None),
    )


def component_of(app: SpinApp, component: str) -> SpinComponent:
    """A component by its id."""
    return next(each for each in app.components if each.id == component)


def _values(app: SpinApp, environment: Mapping[str, str]) -> dict[str, str]:
    """What the application's variables are; the shim takes also those without the prefix."""
    values = {}
    for name, default in app.variables:
        for variable in (name.upper(), f"{VARIABLE_PREFIX}{name.upper()}"):
            if variable in environment:
                values[name] = environment[variable]
                break
        else:
            if default is not None:
                values[name] = default
    return values


def _filled(template: str, values: Mapping[str, str]) -> str | None:
    """A template with its variables' values; ``None`` when one of them has none."""
    if any(name not in values for name in _TEMPLATE.findall(template)):
        return None
    return _TEMPLATE.sub(lambda match: values[match[1]], template)
