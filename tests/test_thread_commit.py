"""Group commit: everyone who waits is dealt with once, in order, whoever is interrupted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from gemel.thread.commit import GroupCommit, Ticket


class Committed:
    """What was committed; the first commit waits until `go` is set."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.busy, self.go = threading.Event(), threading.Event()
        self.commits = GroupCommit(self._commit)

    def _commit(self, tickets: Sequence[Ticket]) -> None:
        if not self.busy.is_set():
            self.busy.set()
            assert self.go.wait(10)
        self.batches.append([ticket.now for ticket in tickets])

    def start(self, number: int) -> threading.Thread:
        """Submit a ticket on a thread of its own, and return once it leads or waits."""
        thread = threading.Thread(target=lambda: self.commits.submit(Ticket((), number)))
        waiting, leads = len(self.commits._pending), not self.busy.is_set()
        thread.start()
        self._until(self.busy.is_set if leads else lambda: len(self.commits._pending) > waiting)
        return thread

    def _until(self, met: Callable[[], bool]) -> None:
        while not met():
            threading.Event().wait(0.001)


def test_all_who_wait_are_committed_once_and_return() -> None:
    """One leads, those who came meanwhile go together, led by the first of them."""
    store = Committed()
    threads = [store.start(number) for number in range(20)]
    store.go.set()
    for thread in threads:
        thread.join(10)

    assert not any(thread.is_alive() for thread in threads)
    assert store.batches == [[0], list(range(1, 20))]


class _Interrupted:
    """A lock whose wait is interrupted once, after *meanwhile* was called."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self._lock, self._waits, self._meanwhile = threading.Lock(), 0, meanwhile

    def acquire(self) -> None:
        """Take it, or be interrupted."""
        self._waits += 1
        if self._waits == 2:
            self._meanwhile()
            raise KeyboardInterrupt
        self._lock.acquire()

    def release(self) -> None:
        """Let go."""
        self._lock.release()


def _submit_interrupted(store: Committed, patch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> Any:
    once = iter([_Interrupted(meanwhile)])
    with patch.context() as broken:
        locks = SimpleNamespace(Lock=lambda: next(once, None) or threading.Lock())
        broken.setattr("gemel.thread.commit.threading", locks)
        with pytest.raises(KeyboardInterrupt):
            store.commits.submit(Ticket((), 99))


def test_who_is_interrupted_before_its_turn_takes_its_append_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is stored; those before and after it are."""
    store = Committed()
    threads = [store.start(0), store.start(1)]
    _submit_interrupted(store, monkeypatch, lambda: None)
    threads.append(store.start(2))
    store.go.set()
    for thread in threads:
        thread.join(10)

    assert not any(thread.is_alive() for thread in threads)
    assert store.batches == [[0], [1, 2]]


def test_who_is_interrupted_in_its_turn_is_committed_and_calls_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken by a commit already, it is stored, and nobody behind it waits for ever."""
    store = Committed()
    threads = [store.start(0), store.start(1)]

    def later() -> None:
        threads.append(store.start(2))
        store.go.set()
        store._until(lambda: not store.commits._pending)

    _submit_interrupted(store, monkeypatch, later)
    for thread in threads:
        thread.join(10)

    assert not any(thread.is_alive() for thread in threads)
    assert store.batches == [[0], [1, 99, 2]]
