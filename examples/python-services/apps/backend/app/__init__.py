# SPDX-License-Identifier: MIT
"""The backend in FastAPI."""
