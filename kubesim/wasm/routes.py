"""Routes of HTTP triggers: which one a path takes, and what it leaves for the component. Pure.

A route is a path of segments. A segment is a word, ``:name`` for any one segment, or, at the end,
``...`` for the rest, nothing included. When several routes fit, segment by segment a word beats a name
and a name beats the rest: so an exact route beats a wildcard and a longer prefix a shorter one.

Mirrors: Spin crates/http/src/routes.rs (Router, RouteMatch); the crate routefinder (RouteSpec's order).
Departs: a dot is no separator, so ``:file.:extension`` is not taken apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

WILDCARD = "/..."
DEFAULT_ROUTE = WILDCARD
WELL_KNOWN = "/.well-known/spin/"

_REST = "..."
_WORD, _NAME, _END, _TAIL = range(4)  # what beats what


@dataclass(frozen=True, slots=True)
class Matched:
    """A route and what a path has where it says nothing definite.

    Attributes:
        route: The route as the manifest has it.
        path_info: What the wildcard stands for; empty on a route without.
        parameters: Names and what stands at their places.
    """

    route: str
    path_info: str = ""
    parameters: tuple[tuple[str, str], ...] = ()

    @property
    def based(self) -> str:
        """The route with a slash before it and none behind it."""
        return based_route(self.route)

    @property
    def prefix(self) -> str:
        """The route without its wildcard, as the manifest has it."""
        return self.route.removesuffix(WILDCARD)

    @property
    def based_prefix(self) -> str:
        """The based route without its wildcard."""
        return self.based.removesuffix(WILDCARD)


class Router:
    """Finds the route of a path.

    Args:
        routes: All of them. Of equal ones the last is the one that counts.
    """

    def __init__(self, routes: Iterable[str]) -> None:
        known: dict[str, str] = {}
        for route in routes:
            known.pop(based_route(route), None)
            known[based_route(route)] = route
        self._routes = sorted(known.values(), key=lambda route: _rank(_segments(route)))

    def match(self, path: str) -> Matched | None:
        """The best route for a path; ``None`` when there is none."""
        fitting = (match_route(route, path) for route in self._routes)
        return next((found for found in fitting if found is not None), None)


def match_route(route: str, path: str) -> Matched | None:
    """What is left of a path on one route; ``None`` when it does not fit."""
    if route == DEFAULT_ROUTE:
        return Matched(route, path)
    pattern = _segments(route)
    given = _split(path)
    has_rest = bool(pattern) and pattern[-1] == _REST
    fixed = len(pattern) - has_rest
    if len(given) < fixed or (len(given) > fixed and not has_rest):
        return None
    parameters = []
    for wanted, found in zip(pattern[:fixed], given, strict=False):
        if wanted.startswith(":"):
            parameters.append((wanted[1:], found))
        elif wanted != found:
            return None
    rest = "".join(f"/{segment}" for segment in given[fixed:]) if has_rest else ""
    if has_rest and path.endswith("/"):
        rest += "/"
    return Matched(route, rest, tuple(parameters))


def based_route(route: str) -> str:
    """A route with a slash before it and none behind it; empty for the root."""
    absolute = route if route.startswith("/") else f"/{route}"
    return absolute.removesuffix("/")


@lru_cache(maxsize=1024)
def _segments(route: str) -> tuple[str, ...]:
    return tuple(_split(based_route(route)))


def _split(path: str) -> list[str]:
    trimmed = path.strip("/")
    return trimmed.split("/") if trimmed else []


def _rank(segments: tuple[str, ...]) -> tuple[tuple[int, str], ...]:
    """What sorts routes so that the first that fits is the best."""
    ranks = []
    for segment in segments:
        kind = _TAIL if segment == _REST else _NAME if segment.startswith(":") else _WORD
        ranks.append((kind, segment))
    return (*ranks, (_END, ""))
