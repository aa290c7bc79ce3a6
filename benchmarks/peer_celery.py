# SPDX-License-Identifier: MIT
"""The peer of claim_load.c: a Celery application with one task that does nothing, as its documentation begins."""

from __future__ import annotations

import os

from celery import Celery

app = Celery("peer", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_RESULT_BACKEND"])
app.conf.task_acks_late = True  # as ours: acknowledged when done


@app.task(name="noop")
def noop() -> None:
    """Nothing: what is left is the queue."""
