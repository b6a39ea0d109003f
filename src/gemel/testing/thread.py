"""What every thread back end promises: subclass `ThreadContract`, say how to make one, and pytest holds it to it."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import BadInput, NotFound, Refused, Tampered, Unavailable
from gemel.facts import Draft, Fact
from gemel.testing.skimming import SkimmingContract
from gemel.testing.thinning import ThinningContract
from gemel.thread import Checkpoint, Thread, checkpoint_holds, growth_holds, inclusion_holds, signature_holds
from gemel.thread.codec import unseal
from gemel.thread.keys import SubjectKey

TWINS = ("lily", "max", "zoë")
KINDS = ("observed/1", "acted/1", "forecast/1")


def draft(i: int = 0, **changed: Any) -> Draft:
    """Return one of many drafts, with some fields changed."""
    plain = Draft(TWINS[i % 3], KINDS[i % 2], {"value": i + 0.5, "unit": "mg/dL"}, i * 1_000, "cgm")
    return replace(plain, **changed)


class ThreadContract(SkimmingContract, ThinningContract, ABC):
    """The promises; `make` returns an empty thread."""

    @abstractmethod
    def make(self) -> Thread:
        """Return an empty thread; it is closed after the test."""

    @pytest.fixture
    def thread(self) -> Iterator[Thread]:
        """Yield an empty thread."""
        made = self.make()
        yield made
        made.close()

    # appending in a place agreed beforehand

    def test_drafts_of_one_append_may_follow_from_each_other(self, thread: Thread) -> None:
        """Where their place is agreed, their seqs are known, and earlier ones may be causes."""
        thread.append([draft()], now=1)
        made = thread.append([draft(), draft(cause=(1, 2)), draft(cause=(3,))], now=2, after=1).facts
        assert [(fact.seq, fact.cause) for fact in made] == [(2, ()), (3, (1, 2)), (4, (3,))]
        with pytest.raises(BadInput, match="cause 6 is not stored"):
            thread.append([draft(), draft(cause=(6,))], now=2, after=4)

    def test_a_place_that_is_taken_is_not_written_to(self, thread: Thread) -> None:
        """Somebody else was faster: nothing is stored."""
        thread.append([draft(), draft(1)], now=1)
        with pytest.raises(Unavailable, match="after fact 2 by now, not after 1"):
            thread.append([draft()], now=1, after=1)
        assert len(list(thread.read())) == 2

    def test_the_keys_of_a_subject_open_its_rows_and_no_others(self, thread: Thread) -> None:
        """They can be handed over; of an erased subject there are none."""
        thread.append([draft(0), draft(1)], now=1)
        key = SubjectKey(*thread.secrets("lily"))
        lily, max_ = thread.rows()
        assert unseal(lily, key) == thread.get(1)
        with pytest.raises(Tampered):
            unseal(max_, key)
        thread.erase("lily")
        with pytest.raises(NotFound, match="lily has no key here"):
            thread.secrets("lily")

    # append and read

    def test_what_was_appended_is_read_back(self, thread: Thread) -> None:
        """Facts come back whole, in order, numbered from 1."""
        drafts = [draft(i, cause=(), key=f"k{i}") for i in range(20)]

        appended = thread.append(drafts, now=5)

        expected = [Fact(d.twin, d.kind, d.body, d.true_at, 5, d.by, d.cause, i + 1) for i, d in enumerate(drafts)]
        assert expected == list(appended.facts)
        assert expected == list(thread.read())
        assert expected == [thread.get(seq) for seq in range(1, 21)]

    def test_reading_answers_as_a_plain_list_would(self, thread: Thread) -> None:
        """Every combination of conditions gives what filtering all facts gives."""
        everything: list[Fact] = []
        for i in range(60):
            one = draft(i % 7, kind=KINDS[i % 3], true_at=(i * 37) % 50, body={"i": i})
            everything += thread.append([one], now=100 + i // 4).facts

        @settings(max_examples=150, deadline=None)
        @given(
            twin=st.none() | st.sampled_from([*TWINS, "nobody"]),
            kinds=st.none() | st.sets(st.sampled_from([*KINDS, "none/1"])),
            after=st.integers(0, 70),
            since=st.none() | st.integers(-5, 55),
            until=st.none() | st.integers(-5, 55),
            known=st.none() | st.integers(95, 120),
            reverse=st.booleans(),
            limit=st.none() | st.integers(0, 70),
        )
        def answers(
            twin: str | None, kinds: set[str] | None, after: int, since: int | None, until: int | None,
            known: int | None, reverse: bool, limit: int | None,
        ) -> None:  # fmt: skip
            expected = [
                fact
                for fact in (reversed(everything) if reverse else everything)
                if fact.seq > after
                and (twin is None or fact.twin == twin)
                and (kinds is None or fact.kind in kinds)
                and (since is None or fact.true_at >= since)
                and (until is None or fact.true_at < until)
                and (known is None or fact.known_at <= known)
            ][:limit]

            actual = thread.read(
                twin, kinds=kinds, after_seq=after, true_from=since, true_until=until,
                known_by=known, reverse=reverse, limit=limit,
            )  # fmt: skip

            assert expected == list(actual)

        answers()

    def test_long_reads_are_whole_and_in_order(self, thread: Thread) -> None:
        """A read that takes many pages gives each fact once, whichever way it is found."""
        thread.append([draft(i) for i in range(3_000)], now=1)

        everything = list(range(1, 3_001))
        assert everything == [fact.seq for fact in thread.read()]
        assert everything[::-1] == [fact.seq for fact in thread.read(reverse=True)]
        assert everything[::3] == [fact.seq for fact in thread.read("lily")]
        assert everything[::3][::-1] == [fact.seq for fact in thread.read("lily", true_from=0, reverse=True)]
        assert everything[::2] == [fact.seq for fact in thread.read(kinds=["observed/1"])]

    def test_a_read_begun_ends_where_the_thread_ended_then(self, thread: Thread) -> None:
        """Facts appended while reading are not read."""
        thread.append([draft(i) for i in range(3)], now=1)

        reading = thread.read()
        thread.append([draft(4)], now=1)

        assert [fact.seq for fact in reading] == [1, 2, 3]

    def test_an_empty_append_does_nothing(self, thread: Thread) -> None:
        """No drafts, no facts."""
        assert (thread.append([], now=1).facts, thread.append([], now=1).duplicates) == ((), 0)
        assert list(thread.read()) == []

    def test_known_at_never_decreases(self, thread: Thread) -> None:
        """A clock that jumps back does not change what was known when."""
        for now in (10, 4, 12, 11):
            thread.append([draft()], now)

        assert [fact.known_at for fact in thread.read()] == [10, 10, 12, 12]

    def test_twins_are_listed_in_order(self, thread: Thread) -> None:
        """Each twin once."""
        thread.append([draft(i) for i in (2, 1, 0, 2)], now=1)

        assert thread.twins() == ["lily", "max", "zoë"]

    # what may be stored

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", {1: 2}, {"a": {3}}, "\ud800", object()])
    def test_what_json_cannot_hold_is_refused_and_nothing_is_stored(self, thread: Thread, value: object) -> None:
        """The error names the place; the other drafts of the append are not stored either."""
        with pytest.raises(BadInput, match=r"body\.value"):
            thread.append([draft(0), draft(1, body={"value": value})], now=1)

        assert list(thread.read()) == []

    @pytest.mark.parametrize(
        "changed",
        [{"twin": ""}, {"by": ""}, {"kind": "observed"}, {"kind": "a.b:C"}, {"true_at": 1.5}, {"true_at": 1 << 63},
         {"cause": (7,)}, {"cause": (0,)}, {"twin": "x" * 2_000}],
    )  # fmt: skip
    def test_a_draft_that_cannot_be_a_fact_is_refused(self, thread: Thread, changed: dict[str, Any]) -> None:
        """Names, kinds, times and causes are checked before anything is stored."""
        with pytest.raises(BadInput):
            thread.append([draft(0), draft(1, **changed)], now=1)

        assert list(thread.read()) == []

    def test_bodies_come_back_as_json(self, thread: Thread) -> None:
        """All JSON types survive; tuples become lists; a body changed after the append is not."""
        body: dict[str, Any] = {"a": None, "b": [1, -2.5, True, "ü", {"c": 1 << 70}], "t": (1, 2)}
        returned = thread.append([draft(0, body=body)], now=1).facts[0].body
        body["a"] = "changed"

        expected = {"a": None, "b": [1, -2.5, True, "ü", {"c": 1 << 70}], "t": [1, 2]}
        assert expected == thread.get(1).body == returned

    def test_causes_are_kept(self, thread: Thread) -> None:
        """A fact says what it follows from."""
        thread.append([draft(0), draft(1)], now=1)
        thread.append([draft(2, cause=(1, 2))], now=1)

        assert thread.get(3).cause == (1, 2)

    # keys

    def test_a_twin_holds_each_key_once(self, thread: Thread) -> None:
        """Within one append and across appends; other twins may hold the same key."""
        first = thread.append([draft(0, key="a"), draft(0, key="a"), draft(0, key="b")], now=1)
        second = thread.append([draft(0, key="b"), draft(0, key="c"), draft(1, key="a"), draft(0)], now=2)

        assert (len(first.facts), first.duplicates) == (2, 1)
        assert (len(second.facts), second.duplicates) == (3, 1)
        assert list(range(1, 6)) == [fact.seq for fact in thread.read()]

    def test_many_writers_of_one_key_store_it_once(self, thread: Thread) -> None:
        """Whoever comes first stores it, and all others hear so."""
        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(lambda i: thread.append([draft(0, key=f"k{i % 10}")], now=i), range(80)))

        assert (sum(len(each.facts) for each in done), sum(each.duplicates for each in done)) == (10, 70)
        assert len(list(thread.read())) == 10

    # erasure

    def test_an_erased_subject_cannot_be_read(self, thread: Thread) -> None:
        """Not by reading, not by seq, not in the list; the others are as before."""
        thread.append([draft(i) for i in range(6)], now=1)

        thread.erase("lily")

        assert thread.erased("lily") and not thread.erased("max") and not thread.erased("nobody")
        assert thread.twins() == ["max", "zoë"]
        assert [fact.seq for fact in thread.read()] == [2, 3, 5, 6]
        assert list(thread.read("lily")) == []
        assert [fact.seq for fact in thread.read(limit=2)] == [2, 3]
        with pytest.raises(NotFound, match="erased"):
            thread.get(1)

    def test_an_erased_subject_takes_no_more_facts(self, thread: Thread) -> None:
        """Its name does not come to life again; erasing again changes nothing."""
        thread.append([draft(0)], now=1)
        thread.erase("lily")
        thread.erase("lily")

        with pytest.raises(Refused, match="lily was erased"):
            thread.append([draft(1), draft(0)], now=2)
        assert list(thread.read()) == []

    def test_erasing_a_stranger_is_an_error(self, thread: Thread) -> None:
        """A name misspelt is not taken for erased."""
        thread.append([draft(0)], now=1)

        with pytest.raises(NotFound, match="unknown twin 'lilly'; possible: lily"):
            thread.erase("lilly")

    def test_old_proofs_still_verify_after_erasure(self, thread: Thread) -> None:
        """The tree is over what was sealed, so that it does not change; no new key is made for an old fact."""
        thread.append([draft(i) for i in range(9)], now=1)
        signed, proof = thread.checkpoint(now=2), thread.prove(1)

        thread.erase("lily")

        assert inclusion_holds(proof, signed.root)
        assert proof == thread.prove(1, signed.size)
        assert thread.verify().problems == ()

    # proof

    def test_rows_are_what_the_tree_hashes_erased_ones_too(self, thread: Thread) -> None:
        thread.append([draft(i, twin=twin) for i in range(20) for twin in ("lily", "max")], 5)
        thread.erase("max")
        rows = list(thread.rows())
        assert [row.seq for row in rows] == list(range(1, 41))
        assert all(thread.prove(row.seq).record == row.record.hex() for row in rows)
        assert [row.seq for row in thread.rows("max", after_seq=20)] == list(range(22, 41, 2))

    def test_an_untouched_thread_is_intact(self, thread: Thread) -> None:
        """Empty, small, and over many kept subtrees."""
        for count in (0, 1, 5, 1_200):
            thread.append([draft(i) for i in range(count)], now=1)
            thread.checkpoint(now=2)

            verdict = thread.verify()

            assert (verdict.problems, verdict.intact) == ((), True)
            assert thread.checkpoints()[-1] == replace(thread.checkpoints()[-1], size=verdict.size, root=verdict.root)

    def test_every_fact_can_be_proven_in_every_tree(self, thread: Thread) -> None:
        """From an export alone: record, path, signed root; a changed record proves nothing."""
        thread.append([draft(i) for i in range(600)], now=1)
        signed = []
        for _ in range(3):
            thread.append([draft()], now=1)
            signed.append(thread.checkpoint(now=2))

        for checkpoint in signed:
            assert checkpoint_holds(checkpoint, thread.public_key)
            for seq in (1, 256, 257, 511, 600, checkpoint.size):
                proof = thread.prove(seq, checkpoint.size)
                assert inclusion_holds(proof, checkpoint.root)
                assert not inclusion_holds(replace(proof, record="00" + proof.record[2:]), checkpoint.root)
                assert not inclusion_holds(replace(proof, seq=seq + 1), checkpoint.root)

    def test_growth_can_be_proven(self, thread: Thread) -> None:
        """An older checkpoint is shown to be the beginning of a newer one; a forged one is not."""
        signed: list[Checkpoint] = [thread.checkpoint(now=0)]
        for count in (1, 2, 5, 300, 700):
            thread.append([draft(i) for i in range(count)], now=1)
            signed.append(thread.checkpoint(now=2))

        for i, first in enumerate(signed):
            for second in signed[i:]:
                path = thread.prove_growth(first.size, second.size)
                assert growth_holds(first, second, path)
                assert first.size == 0 or not growth_holds(replace(first, root="00" * 32), second, path)

    def test_proofs_of_what_is_not_there_are_errors(self, thread: Thread) -> None:
        """Beyond the end, before the beginning, in a tree to come."""
        thread.append([draft(i) for i in range(3)], now=1)

        for ask in (lambda: thread.prove(4), lambda: thread.prove(0), lambda: thread.prove(3, 2),
                    lambda: thread.prove(1, 4), lambda: thread.prove_growth(2, 1), lambda: thread.get(4)):  # fmt: skip
            with pytest.raises(NotFound):
                ask()

    def test_the_store_signs(self, thread: Thread) -> None:
        """Receipts can be checked with the public key."""
        signature = thread.sign(b"lily was erased")

        assert signature_holds(thread.public_key, b"lily was erased", signature)
        assert not signature_holds(thread.public_key, b"lily was not erased", signature)

    # subscribers and many writers

    def test_listeners_hear_every_fact_in_order_until_they_stop(self, thread: Thread) -> None:
        """A lone writer's listeners have been called when its append returns."""
        heard: list[int] = []
        stop = thread.subscribe(_noting(heard))

        thread.append([draft(0), draft(1)], now=1)
        thread.append([draft(2)], now=1)
        stop()
        thread.append([draft(3)], now=1)

        assert heard == [1, 2, 3]

    def test_a_listener_that_fails_breaks_nothing(self, thread: Thread, caplog: pytest.LogCaptureFixture) -> None:
        """The append succeeds, other listeners hear, and the failure is logged."""
        heard: list[int] = []

        def fail(facts: Sequence[Fact]) -> None:
            raise RuntimeError("no")

        thread.subscribe(fail)
        thread.subscribe(_noting(heard))
        with caplog.at_level(logging.ERROR, "gemel.thread"):
            thread.append([draft()], now=1)

        assert heard == [1]
        assert [each.getMessage() for each in caplog.records] == ["a listener failed on facts 1 to 1; they are stored"]

    def test_a_listener_may_append(self, thread: Thread) -> None:
        """What it appends is heard after what it heard."""
        heard: list[int] = []

        def echo(facts: Sequence[Fact]) -> None:
            heard.extend(fact.seq for fact in facts)
            if facts[0].kind == "observed/1":
                thread.append([draft(1, cause=(facts[0].seq,))], now=1)

        thread.subscribe(echo)
        thread.append([draft(0)], now=1)

        assert heard == [1, 2]

    def test_a_slow_listener_does_not_hold_up_commits(self, thread: Thread) -> None:
        """Others go on appending while one listener is still at work."""
        busy, go_on = threading.Event(), threading.Event()

        def wait(facts: Sequence[Fact]) -> None:
            busy.set()
            assert go_on.wait(30)

        thread.subscribe(wait)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(thread.append, [draft(0)], 1)
            assert busy.wait(30)
            second = thread.append([draft(1)], now=1)
            go_on.set()

        assert [fact.seq for fact in second.facts] == [2]
        assert [fact.seq for fact in first.result().facts] == [1]

    def test_many_writers_lose_nothing_and_are_heard_in_order(self, thread: Thread) -> None:
        """Each fact is stored once, each append is one run of seqs, and listeners hear seqs in order."""
        heard: list[int] = []
        thread.subscribe(_noting(heard))

        def write(worker: int) -> list[Sequence[Fact]]:
            return [
                thread.append([draft(worker), draft(i, body={"w": worker, "i": i})], now=i).facts for i in range(25)
            ]

        with ThreadPoolExecutor(12) as pool:
            done = [facts for each in pool.map(write, range(12)) for facts in each]

        assert list(range(1, 601)) == heard
        assert all(facts[0].seq + 1 == facts[1].seq for facts in done)
        assert sorted((fact for facts in done for fact in facts), key=lambda fact: fact.seq) == list(thread.read())
        assert thread.verify().intact

    def test_a_bad_append_among_many_concerns_nobody_else(self, thread: Thread) -> None:
        """Group commit does not share refusals."""
        thread.append([draft(0)], now=1)
        thread.erase("lily")

        def write(i: int) -> str:
            try:
                thread.append([draft(i)], now=1)
            except Refused:
                return "refused"
            return "stored"

        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(write, range(60)))

        assert done == ["refused", "stored", "stored"] * 20
        assert len(list(thread.read())) == 40

    def test_a_closed_thread_says_so(self, thread: Thread) -> None:
        """Closing twice is harmless; using it then is an error of the environment."""
        thread.append([draft()], now=1)
        thread.close()
        thread.close()

        for use in (lambda: thread.append([draft()], 1), lambda: thread.read(), lambda: thread.get(1)):
            with pytest.raises(Unavailable, match="closed"):
                use()


def _noting(heard: list[int]) -> Callable[[Sequence[Fact]], None]:
    return lambda facts: heard.extend(fact.seq for fact in facts)
