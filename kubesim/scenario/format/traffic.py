"""The users: what they send, to whom, when."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kubesim.scenario.format.values import Rate, ScenarioModel, Span


class RequestSpec(ScenarioModel):
    """What is sent; ``{i}`` in path and query is the request's number."""

    method: str = Field(default="GET", pattern=r"^[A-Z]+$")
    path: str = Field(default="/", pattern=r"^/")
    query: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    body: str = ""


class TrafficSpec(ScenarioModel):
    """Users of one Service.

    Attributes:
        name: Its name in the report.
        service: ``name`` or ``namespace/name``.
        port: The Service's port.
        begin: When the first request may come (``from`` on the wire).
        until: When the last may come; by default when the run ends.
        rate: How many, such as ``50/s``.
        arrival: Exponential gaps (``poisson``) or equal ones (``constant``).
        request: What is sent.
    """

    name: str
    service: str
    port: int = Field(default=80, gt=0, le=65535)
    begin: Span = Field(default=0, alias="from")
    until: Span | None = None
    rate: Rate
    arrival: Literal["poisson", "constant"] = "poisson"
    request: RequestSpec = RequestSpec()
