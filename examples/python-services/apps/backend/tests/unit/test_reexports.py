# SPDX-License-Identifier: MIT
"""Old names go on working, and are the shared ones."""

from __future__ import annotations

import app.config
import app.database
import app.models
import shared.config
import shared.database
import shared.models
from lib.progress import ProgressStream
from shared.progress import ProgressStream as SharedStream


def test_models_are_the_shared_ones() -> None:
    assert app.models.Document is shared.models.Document
    assert app.models.Case is shared.models.Case
    assert app.models.DocumentChunk is shared.models.DocumentChunk


def test_session_settings_and_streams_are_the_shared_ones() -> None:
    assert app.database.async_session is shared.database.async_session
    assert app.config.settings is shared.config.settings
    assert ProgressStream is SharedStream
