# SPDX-License-Identifier: MIT
"""Tasks of a real Celery worker, for test_celery.py: `celery -A celery_tasks worker -Q python`."""

from __future__ import annotations

import os
import time
from typing import Any

import celery

app = celery.Celery(
    "celery_tasks", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_RESULT_BACKEND"]
)
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": int(os.environ.get("PYTHON_VISIBILITY_TIMEOUT", "3600"))},
)


@app.task(name="python.echo")
def echo(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return {"args": list(args), "kwargs": kwargs}


@app.task(name="python.request", bind=True)
def request(self: celery.Task, *args: Any) -> dict[str, Any]:
    """What the worker was told of this run beside its arguments."""
    asked = self.request
    return {"eta": asked.eta, "expires": asked.expires, "timelimit": asked.timelimit, "now": time.time(),
            "priority": asked.delivery_info.get("priority"), "args": list(args)}


@app.task(name="python.fail")
def fail(message: str) -> None:
    raise ValueError(message)


@app.task(name="peer.twice", bind=True)
def twice(self: celery.Task, *args: Any) -> dict[str, Any]:
    """What our peer left for a retry, a Python worker may run."""
    return {"args": list(args), "attempt": self.request.retries, "parent": self.request.parent_id}
