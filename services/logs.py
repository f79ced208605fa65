"""Logs of the services: one JSON object a line on standard output, with the correlation id of what is being done."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import structlog
from structlog.typing import Processor

Logger = structlog.stdlib.BoundLogger


def configure(service: str, *, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Say how this process logs. Lines of other libraries (uvicorn, SQLAlchemy) come in the same shape."""

    def name_service(logger: object, method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        line.setdefault("service", service)
        return line

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_service,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.EventRenamer("message"),
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Tells of every request, with its address: sinks' addresses are secrets.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True


def logger(name: str) -> Logger:
    """The logger of a module: `logger(__name__).info("event-stored", event_id=...)`."""
    found: Logger = structlog.stdlib.get_logger(name)
    return found


def origin(error: BaseException) -> str:
    """Where an exception came from, call by call; not what it says, which may be a secret."""
    return "".join(traceback.format_tb(error.__traceback__))


@contextmanager
def correlated(correlation_id: str) -> Iterator[None]:
    """Every line that is logged within, by whichever module, carries `correlation_id`."""
    with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
        yield
