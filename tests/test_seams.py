"""Seams: what each part of the trust core keeps to itself stays so where two of them meet."""

from __future__ import annotations

from pathlib import Path

import pytest
import tank

from gemel.bank import Bank, retention
from gemel.bank.bundle_out import send
from gemel.bank.cohort import Question
from gemel.bank.takeout import takeout
from gemel.bank.tokens import Tokens
from gemel.dynamics import Dose
from gemel.errors import BadInput, NotFound, Refused, Unavailable
from gemel.facts import DAY, HOUR, MINUTE, Draft
from gemel.intervention import Intervention
from gemel.server.sessions import Sessions


def _filled(where: str = "memory:", hours: float = 4) -> Bank:
    """Return a bank in which sarah holds lily, a tank that lived for some hours."""
    made = tank.bank(where)
    made.create("tank", "lily", by="sarah")
    made.append(tank.drafts(*tank.lived(hours), "lily"))
    made.now.now = tank.BORN + round(hours * HOUR)  # type: ignore[attr-defined]  # tank's clock can be set
    return made


# names that are no twins


@pytest.mark.parametrize("try_it", ["break the glass", "give on", "read"])
def test_asking_for_a_twin_that_is_not_there_does_not_make_one(try_it: str) -> None:
    with _filled() as bank:
        nobody = bank.as_writer("ghost", "eve", "emergency")
        with pytest.raises((NotFound, Refused), match="ghost"):
            if try_it == "break the glass":
                nobody.break_glass("found unconscious")
            elif try_it == "give on":
                nobody.grant(to="tom", purpose="care", read="*")
            else:
                nobody.readings("gauge")
        assert bank.twins() == ["lily"]
        assert bank.studied(bank.type_of("lily"), "eve") == []


def test_a_stranger_who_guesses_a_name_is_not_told_those_of_others() -> None:
    with _filled() as bank, pytest.raises(NotFound) as told:
        bank.find("ghost", by="eve", purpose="care")
    assert "lily" not in str(told.value)


# why


def test_who_may_read_one_signal_is_not_told_who_else_looked_at_it() -> None:
    with _filled() as bank:
        bank.find("lily", by="sarah", purpose="care").grant(to="guest", purpose="care", read="gauge")
        with pytest.raises(Refused):
            bank.as_writer("lily", "dr-lee", "care").readings("gauge")
        guest = bank.find("lily", by="guest", purpose="care")
        for fact in list(bank.thread.read("lily", kinds=["accessed/1"])):
            with pytest.raises(Refused):
                guest.why(fact.seq)


# the record of who looked


def test_what_could_not_be_put_on_record_is_not_shown_at_the_second_try_either(monkeypatch: pytest.MonkeyPatch) -> None:
    with _filled() as bank:
        lily = bank.find("lily", by="sarah", purpose="care")

        def full(*_: object) -> None:
            raise Unavailable("no space left on the disk")

        with monkeypatch.context() as faulty:
            faulty.setattr(bank.thread, "append", full)
            for _ in range(2):
                with pytest.raises(Unavailable):
                    lily.readings("gauge")
        assert lily.readings("gauge")
        assert len(list(bank.thread.read("lily", kinds=["accessed/1"]))) == 1


# clocks


def test_a_clock_that_jumps_back_opens_no_token_and_no_login_that_has_ended() -> None:
    with _filled() as bank:
        clock, secret = bank.now, "x" * 40
        began = clock()
        for restarted in (False, True):
            tokens, sessions = Tokens(bank), Sessions(bank)
            if not restarted:
                tokens.create(secret, "sarah", ["care"], by="op", until=began + HOUR)
                login = sessions.begin("sarah", ("care",), ("read",), "link")
                clock.now = began + 13 * HOUR  # type: ignore[attr-defined]
                assert tokens.find(secret) is None and not sessions.stands(login)
                sessions.begin("tom", ("care",), ("read",), "link")
            clock.now = began + MINUTE  # type: ignore[attr-defined]
            assert tokens.find(secret) is None and not sessions.stands(login)
            assert sessions.stands(sessions.begin("sarah", ("care",), ("read",), "link"))


# erasure and what was taken away


def test_what_the_holder_took_away_into_the_store_s_own_folder_is_erased_too(tmp_path: Path) -> None:
    with _filled(str(tmp_path / "store")) as bank:
        lily = bank.find("lily", by="sarah", purpose="self-management")
        inside, outside = tmp_path / "store" / "lily.zip", tmp_path / "lily.zip"
        takeout(lily, inside)
        takeout(lily, outside)
        with pytest.raises(BadInput, match="no such folder"):
            takeout(lily, tmp_path / "nowhere" / "lily.zip")
        receipt = bank.erase("lily", by="sarah", reason="she asked for it")
        assert not inside.exists()
        assert [one["path"] for one in receipt.body["exports_elsewhere"]] == [str(outside)]


# proposals


def test_who_may_not_act_is_not_told_how_a_proposal_was_decided() -> None:
    with _filled() as bank:
        lily = bank.find("lily", by="sarah", purpose="self-management")
        made = lily.propose(Intervention("more", (Dose("tap", 1.0, bank.now()),)), "it is low")
        lily.decide(made.seq, False)
        with pytest.raises(Refused, match="eve may not act"):
            bank.as_writer("lily", "eve", "care").decide(made.seq, True)


# what was thinned, in cohorts and searches


def test_who_was_thinned_still_counts_in_a_cohort() -> None:
    with _filled() as bank:
        bank.find("lily", by="sarah", purpose="research").grant(to="eve", purpose="research", study="*", read="*")
        cohort = bank.cohort("tank", by="eve", purpose="research")
        before = cohort.ask(Question("rows", "gauge")).value
        retention.keep(bank, "lily", "sarah", "gauge", {"raw": "1d", "1h": None})
        bank.now.now += 5 * DAY  # type: ignore[attr-defined]
        assert retention.thin(bank, "lily", "op")[0].facts
        assert cohort.ask(Question("rows", "gauge")).value == pytest.approx(before)


def test_a_search_of_the_past_finds_by_readings_that_were_thinned_since() -> None:
    with _filled() as bank:
        then = bank.now()
        retention.keep(bank, "lily", "sarah", "gauge", {"raw": "1d", "1h": None})
        bank.now.now += 5 * DAY  # type: ignore[attr-defined]
        retention.thin(bank, "lily", "op")
        for known_by, found in ((None, ["lily"]), (then, ["lily"])):
            page = bank.search("tank[gauge>0]", by="sarah", purpose="care", at=then, known_by=known_by)
            assert page.ids == found


def test_the_last_reading_is_found_by_after_it_was_thinned_and_the_bank_was_opened_again(tmp_path: Path) -> None:
    with _filled(str(tmp_path)) as bank:
        retention.keep(bank, "lily", "sarah", "gauge", {"raw": "1d", "1h": None})
        before = bank.search("tank[gauge>0]", by="sarah", purpose="care").found
        bank.now.now += 5 * DAY  # type: ignore[attr-defined]
        retention.thin(bank, "lily", "op")
    with tank.bank(str(tmp_path), tank.BORN + 6 * DAY) as bank:
        assert bank.search("tank[gauge>0]", by="sarah", purpose="care").found == before


# forks


def test_a_fork_made_before_the_right_to_it_ended_does_not_tell_what_would_be_done() -> None:
    with _filled() as bank:
        grants = bank.find("lily", by="sarah", purpose="care").grant(to="lee", purpose="care", read="*", fork="*")
        made = bank.find("lily", by="lee", purpose="care").fork("if")
        assert made.plan(HOUR) is not None
        for grant in grants:
            bank.find("lily", by="sarah", purpose="care").revoke(grant.id)
        for ask in (made.intervention, lambda: made.plan(HOUR)):
            with pytest.raises(Refused, match="revoked"):
                ask()


# bundles


def test_a_bundle_for_who_reads_one_signal_holds_no_version_fork_or_alert_that_bears_its_name(tmp_path: Path) -> None:
    with _filled() as bank:
        lily = bank.find("lily", by="sarah", purpose="care")
        lily.grant(to="lee", purpose="care", read="gauge")
        lily.name_version("gauge", "what she told me in confidence")
        lily.keep_fork("gauge")
        sent = send(bank, ["lily"], tmp_path / "lily.gemel", by="lee", purpose="care")
        left = sent.left_out["lily"]["facts"]
        assert left["named/1"] == left["forked/1"] == 1 and "observed/1" not in left


def test_a_clock_that_jumps_back_reopens_no_grant_that_ran_out() -> None:
    """Whatever became known last is the earliest that now can be, after a restart too."""
    bank = tank.bank()
    made = bank.create(tank.Tank, "tank", by="sarah")
    made.grant(to="dr-lee", purpose="care", read="*", until=bank.now() + MINUTE)
    bank.now.now += 2 * MINUTE  # type: ignore[attr-defined]  # the clock of tank.bank
    bank.append([Draft("tank", "observed/1", {"name": "gauge", "value": 1.0, "unit": "L", "key": "k"}, 0, "sarah")])
    bank.now.now -= 2 * MINUTE  # type: ignore[attr-defined]
    assert not bank.gate.decide("dr-lee", "read", "tank", "gauge", "care").allowed
    again = Bank(bank.thread, bank.now, {"tank": tank.Tank})
    assert not again.gate.decide("dr-lee", "read", "tank", "gauge", "care").allowed
