"""Structured logs: one JSON object a line, silent on replay, never content or credentials.

`log = logs.get(__name__)`, then `log.info("turn finished", extra=fields(run_id=...))`. Only what
is passed through `fields` becomes a field, so a request or a model's text cannot slip in whole.
"""

import logging
import sys
import time
from functools import lru_cache
from typing import Any, Literal

from pydantic_core import to_json
from restate.server_context import restate_context_is_replaying

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

_FIELDS = "yocaso_fields"


def get(name: str) -> logging.Logger:
    """A logger that says nothing while Restate replays a journal."""
    logger = logging.getLogger(name)
    if _NOT_REPLAYING not in logger.filters:
        logger.addFilter(_NOT_REPLAYING)
    return logger


def fields(**values: str | int | float | bool | None) -> dict[str, Any]:
    """Named values for a log line, passed as `extra=`."""
    return {_FIELDS: {name: value for name, value in values.items() if value is not None}}


def set_up(level: Level = "INFO") -> None:
    """Send every log of this process to standard error as JSON lines. Called once, by `app`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLine())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # No line shows them, and they are costly to find out.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # pyright: ignore[reportPrivateUsage]  # as its documentation says
    # It would write a line for every call of a vendor, with the address.
    logging.getLogger("httpx").setLevel(logging.WARNING)


class _NotReplaying(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not restate_context_is_replaying.get()


_NOT_REPLAYING = _NotReplaying()


class _JsonLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": f"{_second(int(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return to_json(line).decode()


@lru_cache(maxsize=4)
def _second(unix: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(unix))
