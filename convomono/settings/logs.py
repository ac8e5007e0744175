"""How logs look: one event a line, in JSON for machines or aligned for people."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def _name_outages(_logger: Any, _name: str, event: EventDict) -> EventDict:
    """Say in a sentence that the database is away, whoever logs it: the traceback says nothing more."""
    from convomono.lib.db import outage  # noqa: PLC0415 # the settings are read before Django's database

    info = event.get("exc_info")
    exc = info[1] if isinstance(info, tuple) else info
    exc = sys.exc_info()[1] if exc is True else exc
    if isinstance(exc, BaseException) and (problem := outage(exc)):
        del event["exc_info"]
        event["problem"] = problem
    return event


def logging_config(*, as_json: bool, level: str) -> dict[str, Any]:
    """Configure structlog and return the standard library's LOGGING, which prints both alike."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "event": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    _name_outages,
                    structlog.processors.format_exc_info,
                    renderer,
                ],
                "foreign_pre_chain": _SHARED,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "event"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django gave it handlers of its own, which would print each line a second time.
            "django": {"handlers": [], "propagate": True},
            "django.server": {"level": "WARNING", "propagate": True},
            "httpx": {"level": "WARNING"},
            "rq": {"level": "WARNING"},
            "weasyprint": {"level": "ERROR"},
            "fontTools": {"level": "ERROR"},
        },
    }
