"""What every thread back end promises of thinning; `ThreadContract` brings it along."""

from __future__ import annotations

import pytest

from gemel.errors import BadInput, NotFound, Tampered
from gemel.facts import HOUSE, Draft
from gemel.thread import Thread, growth_holds, inclusion_holds
from gemel.thread.thinning import THINNED, covering


def reading(i: int, key: str | None = None) -> Draft:
    """Return a reading of one of three twins in turn."""
    return Draft(("lily", "max", "zoë")[i % 3], "observed/1", {"value": i + 0.5}, i * 1_000, "cgm", key=key)


class ThinningContract:
    """The promises; the fixture `thread` is an empty thread."""

    def test_what_was_thinned_cannot_be_read_and_every_proof_holds(self, thread: Thread) -> None:
        """Its hash stays: the tree, older proofs, idempotency and the other facts are as before; thinning again is nothing."""
        thread.append([reading(i, f"k{i}") for i in range(12)], now=1)
        proof, signed = thread.prove(1), thread.checkpoint(now=2)
        rows = [row for row in thread.rows("lily") if row.seq != 1]
        cover = thread.append([Draft(HOUSE, THINNED, covering(rows), 3, "keeper")], now=3).facts[0].seq

        assert (thread.thin(cover), thread.thin(cover)) == (3, 0)

        assert [fact.seq for fact in thread.read("lily")] == [1]
        assert [fact.seq for fact in thread.read(limit=4)] == [1, 2, 3, 5]
        assert [fact.seq for fact in thread.read("lily", true_from=0, reverse=True)] == [1]
        assert [seq for _, seq, _ in thread.bodies(dict, "lily", "observed/1")] == [1]
        for ask in (thread.get, thread.prove):
            with pytest.raises(NotFound, match=r"fact 4 .* was thinned"):
                ask(4)
        assert [row.seq for row in thread.rows("lily") if not row.sealed] == [4, 7, 10]
        assert thread.append([reading(3, "k3")], now=4).duplicates == 1
        assert inclusion_holds(proof, signed.root)
        assert growth_holds(signed, thread.checkpoint(now=5), thread.prove_growth(signed.size))
        assert thread.verify().problems == ()
        thread.erase("lily")
        assert thread.verify().problems == ()

    def test_only_what_the_house_covers_is_thinned(self, thread: Thread) -> None:
        """Not by another kind or subject, not the house itself, not another twin's, and not what is not as it was."""
        thread.append([reading(i) for i in range(6)], now=1)
        body = covering(list(thread.rows("lily"))[1:])
        others = [
            Draft(HOUSE, "noted/1", body, 1, "k"), Draft("lily", THINNED, body, 1, "k"),
            Draft(HOUSE, THINNED, {**body, "twin": HOUSE}, 1, "k"), Draft(HOUSE, THINNED, {**body, "facts": [[1, 9]]}, 1, "k"),
            Draft(HOUSE, THINNED, {"twin": "lily"}, 1, "k"),
            Draft(HOUSE, THINNED, covering(list(thread.rows("lily"))), 1, "k"),
        ]  # fmt: skip
        wrong = [
            Draft(HOUSE, THINNED, {**body, "twin": "max"}, 1, "k"),
            Draft(HOUSE, THINNED, {**body, "facts": [[2, 2]]}, 1, "k"),
        ]

        for error, drafts in ((BadInput, others), (Tampered, wrong)):
            for fact in thread.append(drafts, now=1).facts:
                with pytest.raises(error):
                    thread.thin(fact.seq)

        assert [bool(row.sealed) for row in thread.rows()] == [True] * 14
