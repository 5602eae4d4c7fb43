"""Workers that race against each other: all warm, and stopped but for the one that is measured.

An idle thread pool may spin for a while before it sleeps, and steals a processor from whoever is
measured then; SIGSTOP ends that. On a GPU nothing is stopped: what was queued there would go on.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from bench.client import Worker

Name = TypeVar("Name", bound=Hashable)


class Lineup(Generic[Name]):
    """A context manager that ends its workers. `stops`: whether idle ones are stopped."""

    def __init__(self, stops: bool) -> None:
        self.stops = stops
        self.workers: dict[Name, Worker] = {}

    def __enter__(self) -> Lineup[Name]:
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.workers):
            self.leave(name)

    def enter(self, name: Name, worker: Worker) -> None:
        """Take a worker in; it runs until its first turn ends."""
        self.workers[name] = worker

    def leave(self, name: Name) -> None:
        """End a worker."""
        if worker := self.workers.pop(name, None):
            worker.kill()

    @contextmanager
    def turn(self, name: Name) -> Iterator[Worker]:
        """The worker, going while the others stand; one that died in its turn leaves."""
        worker = self.workers[name]
        worker.resume()
        try:
            yield worker
        finally:
            if worker.process.poll() is not None:
                self.leave(name)
            elif self.stops:
                worker.pause()
