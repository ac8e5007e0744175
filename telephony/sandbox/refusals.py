"""How the sandbox says no: Retell's status codes and texts."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - a dataclass field


class Refused(Exception):
    """An answer with an error status; headers may carry retry-after."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def bad_request(message: str) -> Refused:
    return Refused(400, message)


def not_found() -> Refused:
    """Retell answers 422, not 404, for an unknown agent, prompt, call, number or base."""
    return Refused(422, "Cannot find requested asset under given api key.")


def rate_limited(wait_seconds: float | None = None) -> Refused:
    headers = {} if wait_seconds is None else {"retry-after": f"{wait_seconds:g}"}
    return Refused(429, "Account rate limited, please throttle your requests.", headers)
