"""A Celery application whose one task says when it began: for the broker's hop alone, without any run."""

from __future__ import annotations

import importlib
import os
import time
from typing import Any

# Celery is no dependency of the studio: whoever measures its hop has it installed.
_celery: Any = importlib.import_module("celery")

app: Any = _celery.Celery("celery_echo", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
app.conf.update(worker_prefetch_multiplier=1, task_acks_late=True, broker_connection_retry_on_startup=True)


@app.task(name="echo")  # type: ignore[untyped-decorator]
def echo() -> float:
    """Return the moment at which a worker has the task, as Unix seconds."""
    return time.time()
