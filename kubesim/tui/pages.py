"""Pages: what takes the place of the table when one looks closer at an object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kubesim.api.corev1 import Pod
from kubesim.tui.describe import describe, log_lines, yaml_lines
from kubesim.tui.ink import Line
from kubesim.tui.scene import Ref, Scene

Build = Callable[[Scene, Ref, int], list[Line]]


@dataclass(frozen=True, slots=True)
class Page:
    """A page about an object; it is made anew while time passes.

    Attributes:
        what: What it shows: ``describe``, ``logs``, ``yaml``.
        ref: The object.
        build: Makes its lines, for a width.
        follow: Whether new lines come at the end.
    """

    what: str
    ref: Ref
    build: Build
    follow: bool = False

    @property
    def title(self) -> str:
        """What stands in the frame."""
        return f"{self.what} {self.ref.label}"


def description(ref: Ref) -> Page:
    """Everything about an object."""
    return Page("describe", ref, describe)


def logs(ref: Ref) -> Page:
    """What a pod wrote."""
    return Page("logs", ref, _logs, follow=True)


def yaml(ref: Ref) -> Page:
    """An object as YAML."""
    return Page("yaml", ref, _yaml)


def _logs(scene: Scene, ref: Ref, _width: int) -> list[Line]:
    pod = scene.find(ref)
    if not isinstance(pod, Pod):
        return [((f"{ref.label} is gone", "warn"),)]
    return log_lines(scene.pod_totals(pod))


def _yaml(scene: Scene, ref: Ref, _width: int) -> list[Line]:
    obj = scene.find(ref)
    return [((f"{ref.label} is gone", "warn"),)] if obj is None else yaml_lines(obj)
