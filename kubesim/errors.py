"""What can go wrong outside the simulated world.

Two kinds only. ``InputError`` is the user's: it carries every problem found, each with a place and,
where there is one, a suggestion; the command line prints them and exits with 2. Anything else that
escapes is a bug of ours (exit code 3). Errors *inside* the simulated world are not exceptions of this
module: the API server's ``NotFound``, ``Conflict`` and friends live with the API server, a
scheduler's refusal is a ``Status``, a container's death is an exit code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from typing_extensions import override

EXIT_PASSED = 0
EXIT_EXPECTATION_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_BUG = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with the input.

    Attributes:
        message: What is wrong, in one sentence.
        file: The file it was found in, as the user named it; ``None`` when there is no file.
        line: Line number, from 1; 0 when the whole file is meant.
        column: Column number, from 1; 0 when the whole line is meant.
        path: Where in the document, such as ``spec.containers[0].image``.
        suggestion: What the user probably meant, as a sentence; empty when there is none.
    """

    message: str
    file: str | None = None
    line: int = 0
    column: int = 0
    path: str = ""
    suggestion: str = ""

    @property
    def place(self) -> str:
        """``file:line:column``, as far as it is known."""
        if self.file is None:
            return ""
        parts = [self.file]
        if self.line:
            parts.append(str(self.line))
            if self.column:
                parts.append(str(self.column))
        return ":".join(parts)

    @override
    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        path = f"{self.path}: " if self.path else ""
        hint = f" ({self.suggestion})" if self.suggestion else ""
        return f"{place}{path}{self.message}{hint}"


class KubesimError(Exception):
    """The base of everything that kubesim raises on purpose."""


class InputError(KubesimError):
    """The input is not acceptable; says everything that is wrong with it at once.

    Args:
        problems: The problems in the order in which a reader meets them; at least one.
    """

    def __init__(self, problems: Problem | str | Iterable[Problem]) -> None:
        if isinstance(problems, str):
            problems = Problem(message=problems)
        if isinstance(problems, Problem):
            problems = (problems,)
        self.problems: tuple[Problem, ...] = tuple(problems)
        assert self.problems, "an InputError needs a problem"
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SimulationError(KubesimError):
    """An invariant of the simulator is broken: a bug of ours, never the user's fault."""
