"""What must be so."""

from __future__ import annotations

from pydantic import model_validator

from kubesim.scenario.format.values import ScenarioModel, Span


class Expectation(ScenarioModel):
    """What must be so: a CEL expression over the run.

    Attributes:
        name: What it is called when it fails.
        expr: Must be true when the run ends, or at some time until ``by``.
        never: Must not be true at any time (looked at once a second).
        by: Until when ``expr`` must have become true.
    """

    name: str
    expr: str | None = None
    never: str | None = None
    by: Span | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Expectation:
        if (self.expr is None) == (self.never is None):
            raise ValueError("give either expr or never")
        if self.by is not None and self.expr is None:
            raise ValueError("by goes with expr")
        return self

    @property
    def source(self) -> str:
        """The CEL expression."""
        return self.expr if self.expr is not None else (self.never or "")
