# SPDX-License-Identifier: MIT
"""Re-exports: `from app.database import async_session` goes on working."""

from shared.database import AsyncSession, async_session, select, text

__all__ = ["AsyncSession", "async_session", "select", "text"]
