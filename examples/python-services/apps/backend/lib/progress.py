# SPDX-License-Identifier: MIT
"""Re-exports: `from lib.progress import ProgressStream`."""

from shared.progress import ProgressPublisher, ProgressStream

__all__ = ["ProgressPublisher", "ProgressStream"]
