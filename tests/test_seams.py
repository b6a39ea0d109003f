"""Seams: what each part of the trust core keeps to itself stays so where two of them meet."""

from __future__ import annotations

import pytest
import tank

from gemel.bank import Bank
from gemel.errors import NotFound, Refused, Unavailable
from gemel.facts import HOUR


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
