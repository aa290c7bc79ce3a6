# SPDX-License-Identifier: MIT
"""All of SQLAlchemy's suite for dialects."""

from __future__ import annotations

from typing import Any

from sqlalchemy.testing.suite import *  # noqa: F403
from sqlalchemy.testing.suite import ServerSideCursorsTest as _ServerSideCursorsTest


class ServerSideCursorsTest(_ServerSideCursorsTest):
    def _is_server_side(self, cursor: Any) -> bool:
        """The suite knows by name only the drivers that come with SQLAlchemy."""
        return bool(cursor.server_side)
