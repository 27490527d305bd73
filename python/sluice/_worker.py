# SPDX-License-Identifier: BSD-2-Clause
"""One thread that runs one call at a time for an event loop."""
from __future__ import annotations

import queue
import threading
from typing import Any, Callable


def _work(jobs: queue.SimpleQueue[Callable[[], Any] | None]) -> None:
    while (job := jobs.get()) is not None:
        job()
        del job  # or what it belongs to would live until the next one


class Worker:
    """A thread of one's own, since a job may wait for its source for as long as that likes: in the
    loop's shared pool, a few silent sources would stop everybody else. A daemon, so that one which
    never wakes up does not keep the process from ending."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        threading.Thread(target=_work, args=(self._jobs,), name="sluice", daemon=True).start()

    def submit(self, job: Callable[[], Any]) -> None:
        self._jobs.put(job)

    def stop(self) -> None:
        """After the job that is running, if any."""
        self._jobs.put(None)
