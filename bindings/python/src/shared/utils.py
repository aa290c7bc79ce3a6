# SPDX-License-Identifier: MIT
"""``get_logger(__name__)``: a logger of Python's logging whose lines have the form and the levels of LOG_FORMAT,
LOG_LEVEL and LOG_LEVELS, as those of the C programs have."""

from __future__ import annotations

import logging
import traceback

from . import native

__all__ = ["LineHandler", "get_logger"]

_RESERVED = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LineHandler(logging.Handler):
    """Writes through the library: one line a message, context from ``extra=``, an exception as one more pair."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            pairs = {name: str(value) for name, value in vars(record).items() if name not in _RESERVED}
            if record.exc_info and record.exc_info[0]:
                pairs["exception"] = "".join(traceback.format_exception(*record.exc_info)).strip()
            native.log_pairs_of(record.name, record.levelno, record.getMessage(), pairs)
        except Exception:
            self.handleError(record)


def get_logger(name: str) -> logging.Logger:
    """The logger of that name, with one handler of ours at the root of ours."""
    logger = logging.getLogger(name)
    if not any(isinstance(handler, LineHandler) for handler in logger.handlers):
        native.log_configure(native.config_from_env())
        logger.addHandler(LineHandler())
        logger.propagate = False
        logger.setLevel(logging.DEBUG)  # the library's table of levels decides
    return logger
