# SPDX-License-Identifier: MIT
"""Alembic's environment, on libshared's connections. `alembic upgrade head` and `lex-intel migrate upgrade head` take
turns: the same scripts, the same numbers in alembic_version, the same lock."""

from __future__ import annotations

from shared.alembic_env import run

run()
