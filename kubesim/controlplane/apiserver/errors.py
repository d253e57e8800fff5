"""What the API server answers when it does not do what it was asked.

Mirrors: staging/src/k8s.io/apimachinery/pkg/api/errors/errors.go; wording as clients see it.
"""

from __future__ import annotations

from typing import NamedTuple

from typing_extensions import override


class StatusCause(NamedTuple):
    """One of the causes in the details of an error."""

    reason: str
    message: str


class StatusError(Exception):
    """An API error: an HTTP code, a machine-readable reason and a message.

    Attributes:
        message: What is wrong, for people.
        causes: The details, if there are any.
        retry_after_seconds: When the server says that it is worth another try.
    """

    code = 500
    reason = "InternalError"

    def __init__(
        self,
        message: str,
        *,
        causes: tuple[StatusCause, ...] = (),
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.causes = causes
        self.retry_after_seconds = retry_after_seconds

    def has_cause(self, reason: str) -> bool:
        """Whether one of the causes has that reason."""
        return any(cause.reason == reason for cause in self.causes)

    @override
    def __str__(self) -> str:
        return f"Error from server ({self.reason}): {self.message}"


class NotFound(StatusError):  # noqa: N818  # the field's own names
    """The object does not exist."""

    code = 404
    reason = "NotFound"


class AlreadyExists(StatusError):  # noqa: N818
    """An object of that name exists."""

    code = 409
    reason = "AlreadyExists"


class Conflict(StatusError):  # noqa: N818
    """The object changed since it was read, or is not in a state that allows this."""

    code = 409
    reason = "Conflict"


class Forbidden(StatusError):  # noqa: N818
    """Admission refused the object."""

    code = 403
    reason = "Forbidden"


class Invalid(StatusError):  # noqa: N818
    """The object does not satisfy the validation of its kind."""

    code = 422
    reason = "Invalid"


class TooManyRequests(StatusError):  # noqa: N818
    """Not now; for an eviction: the disruption budget does not allow it."""

    code = 429
    reason = "TooManyRequests"


class SeveralBudgets(StatusError):  # noqa: N818
    """More than one disruption budget covers the pod: a failure without a reason."""

    code = 500
    reason = ""


def not_found(resource: str, name: str) -> NotFound:
    """``pods "web-0" not found``."""
    return NotFound(f'{resource} "{name}" not found')


def already_exists(resource: str, name: str) -> AlreadyExists:
    """``pods "web-0" already exists``."""
    return AlreadyExists(f'{resource} "{name}" already exists')


def forbidden(resource: str, name: str, why: str) -> Forbidden:
    """``pods "web-0" is forbidden: …``."""
    return Forbidden(f'{resource} "{name}" is forbidden: {why}')


def namespace_terminating(resource: str, name: str, why: str) -> Forbidden:
    """The refusal of anything new in a namespace that is on its way out."""
    refusal = forbidden(resource, name, why)
    refusal.causes = (StatusCause("NamespaceTerminating", why),)
    return refusal


def conflict(resource: str, name: str, why: str) -> Conflict:
    """``Operation cannot be fulfilled on pods "web-0": …``."""
    return Conflict(f'Operation cannot be fulfilled on {resource} "{name}": {why}')


def modified(resource: str, name: str) -> Conflict:
    """The optimistic lock was lost."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(resource, name, why)
