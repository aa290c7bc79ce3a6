# SPDX-License-Identifier: MIT
"""Re-exports: `from app.config import settings` goes on working."""

from shared.config import settings

__all__ = ["settings"]
