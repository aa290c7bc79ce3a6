# SPDX-License-Identifier: MIT
"""The worker's application: `celery -A src.celery_app worker` in apps/workers."""

import sys
from pathlib import Path

from shared.celery import Celery

# `from lib.progress import ProgressPublisher`, as the guide has it: src/ is where lib and workers are found.
sys.path[:0] = [folder for folder in [str(Path(__file__).parent)] if folder not in sys.path]

celery_app = Celery("lex-intel", include=["workers.document_extraction"])
