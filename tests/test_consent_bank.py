"""Who may do what with a twin, in a bank: keys, hand-over, giving on, broken glass, policies; and what withdrawal ends."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import tank

from gemel.bank import Bank, Twin, house
from gemel.bank import memory as notes
from gemel.bank.rights import Book
from gemel.dynamics import Dose
from gemel.errors import BadInput, NotFound, Refused
from gemel.facts import DAY, HOUR, HOUSE, MINUTE, Draft, Fact
from gemel.intervention import Intervention, Scenario
from gemel.loop import Loop
from gemel.streams import Item, Place

NOW = tank.BORN
DOCTORS = 'forbid(principal, action, resource) unless { principal in Role::"doctor" };'


@pytest.fixture
def bank() -> Bank:
    """Return a bank with Lily's twin, whose keys sarah holds."""
    made = tank.bank()
    made.create(tank.Tank, "lily", by="sarah")
    return made


def as_(bank: Bank, who: str, purpose: str = "care") -> Twin:
    """Return Lily's twin in the hands of somebody."""
    return bank.as_writer("lily", who, purpose)


def created(id: str, by: str) -> Draft:
    """Return what says that a twin is made."""
    body = {"type": "tank", "hash": tank.Tank.hash, "holder": by, "attributes": {}}
    return Draft(id, "created/1", body, NOW, by, key="created")


def may(bank: Bank, who: str, verb: str = "read", signal: str = "gauge", purpose: str = "care", **more: Any) -> bool:
    """Return what the gate says."""
    return bank.gate.decide(who, verb, "lily", signal, purpose, **more).allowed


def pass_time(bank: Bank, length: int) -> None:
    """Let time go by, as the loop notices it."""
    bank.now.now += length  # type: ignore[attr-defined]  # the clock of tank.bank
    bank.gate.tick()


def lived(bank: Bank, twin: str = "lily", hours: float = 6) -> None:
    """Let a twin have a past, which ends now."""
    plan, readings = tank.lived(hours)
    bank.append(tank.drafts(plan, readings, twin))
    bank.now.now = max(bank.now(), tank.BORN + round(hours * HOUR))  # type: ignore[attr-defined]  # as above


# keys


def test_each_of_several_holders_suffices(bank: Bank) -> None:
    """Whom sarah entrusts grants, revokes and entrusts on; others cannot."""
    as_(bank, "sarah").entrust("tom", "guardian")
    given = as_(bank, "tom").grant(to="dr-lee", purpose="care", read="gauge")

    assert bank.holders("lily") == ("sarah", "tom")
    assert may(bank, "dr-lee")
    as_(bank, "sarah").revoke(given[0].id)
    assert not may(bank, "dr-lee")
    with pytest.raises(Refused, match="mallory may not entrust anybody on lily: only its holder may"):
        as_(bank, "mallory").entrust("mallory")


def test_keys_end_and_nobody_entrusts_them_for_longer(bank: Bank) -> None:
    """Tom's keys end with the month; what he granted stands, and he cannot have a friend stay."""
    as_(bank, "sarah").entrust("tom", until=NOW + DAY)
    with pytest.raises(Refused, match="tom may not entrust the keys of lily beyond"):
        as_(bank, "tom").entrust("friend", until=NOW + 2 * DAY)
    as_(bank, "tom").entrust("friend")
    as_(bank, "tom").grant(to="dr-lee", purpose="care", read="gauge")

    pass_time(bank, DAY)

    assert bank.holders("lily") == ("sarah",)
    assert may(bank, "dr-lee")


def test_somebody_always_stays_who_holds_the_keys(bank: Bank) -> None:
    """The last holder cannot go; of two, only who entrusted the other can send them away."""
    with pytest.raises(Refused, match="somebody must be left"):
        as_(bank, "sarah").dismiss("sarah")
    as_(bank, "sarah").entrust("tom")
    with pytest.raises(Refused, match="sarah still holds the keys"):
        as_(bank, "tom").dismiss("sarah")

    as_(bank, "sarah").dismiss("tom")

    assert bank.holders("lily") == ("sarah",)


def test_at_the_hand_over_the_subject_alone_holds_the_keys(bank: Bank) -> None:
    """Guardians hold until the day, and from it the child, who grants; the guardians read nothing any more."""
    sarah = as_(bank, "sarah", "self-management")
    sarah.entrust("tom", "guardian")
    sarah.hand_over(NOW + 10 * DAY)
    with pytest.raises(Refused, match="lily may not grant on lily"):
        as_(bank, "lily").grant(to="dr-lee", purpose="care", read="gauge")

    pass_time(bank, 10 * DAY)

    assert bank.holders("lily") == ("lily",)
    assert bank.holders("lily", NOW) == ("sarah", "tom")
    assert not may(bank, "tom")
    with pytest.raises(Refused):
        sarah.grant(to="sarah", purpose="care", read="*")
    as_(bank, "lily").grant(to="dr-lee", purpose="care", read="gauge")
    assert may(bank, "dr-lee")


def test_a_guardian_cannot_put_off_the_hand_over(bank: Bank) -> None:
    """The day may come earlier, never later, and nobody entrusted meanwhile stays beyond it."""
    sarah = as_(bank, "sarah")
    sarah.hand_over(NOW + 10 * DAY)
    with pytest.raises(Refused, match="can come earlier, and not later"):
        sarah.hand_over(NOW + 20 * DAY)
    with pytest.raises(Refused, match="beyond"):
        sarah.entrust("aunt", "guardian", until=NOW + 30 * DAY)
    sarah.entrust("aunt", "guardian")

    sarah.hand_over(NOW + 5 * DAY)
    pass_time(bank, 5 * DAY)

    assert bank.holders("lily") == ("lily",)


def test_what_guardians_granted_ends_at_the_hand_over_unless_renewed(bank: Bank) -> None:
    """Of two grants she renews one; what she says before, to hold from that day, holds from it."""
    sarah, lily = as_(bank, "sarah"), as_(bank, "lily")
    kept = sarah.grant(to="dr-lee", purpose="care", read="gauge", until=NOW + 99 * DAY)[0]
    sarah.grant(to="school", purpose="care", read="gauge")
    sarah.hand_over(NOW + 10 * DAY)
    lily.grant(to="friend", purpose="care", since=NOW + 10 * DAY, read="gauge")
    assert may(bank, "dr-lee")
    assert not may(bank, "friend")

    pass_time(bank, 10 * DAY)

    assert [may(bank, who) for who in ("dr-lee", "school", "friend")] == [False, False, True]
    assert (
        "when lily took the keys, and was not renewed"
        in bank.gate.decide("school", "read", "lily", "gauge", "care").reason
    )
    assert lily.renew(kept.id).by == "lily"
    assert may(bank, "dr-lee")


# giving on


def test_a_grant_is_given_on_within_itself_and_ends_with_what_it_came_from(bank: Bank) -> None:
    """Narrower than what was given, once; revoking the first ends the second."""
    first = as_(bank, "sarah").grant(to="dr-lee", purpose="care", read="gauge", onward=1)[0]
    lee = as_(bank, "dr-lee")
    second = lee.grant(to="nurse", purpose="care", read="gauge", until=NOW + 9 * DAY)[0]

    assert second.via == first.id
    assert may(bank, "nurse")
    for wider in (
        {"purpose": "research", "read": "gauge"},
        {"purpose": "care", "read": "*"},
        {"purpose": "care", "act": "tap"},
    ):
        with pytest.raises(Refused, match="no grant lets them give this on"):
            lee.grant(to="nurse", **wider)
    with pytest.raises(Refused, match="no grant lets them give this on"):
        as_(bank, "nurse").grant(to="friend", purpose="care", read="gauge")

    as_(bank, "sarah").revoke(first.id)

    assert not may(bank, "nurse")
    assert "was given on, and grant" in bank.gate.decide("nurse", "read", "lily", "gauge", "care").reason


def test_bounds_of_what_was_given_hold_for_what_is_given_on(bank: Bank) -> None:
    """A larger bound in the second grant opens nothing that the first does not; who gave it on takes it back."""
    as_(bank, "sarah").grant(to="dr-lee", purpose="care", act="tap", bounds={"tap": 2}, onward=1)
    second = as_(bank, "dr-lee").grant(to="nurse", purpose="care", act="tap", bounds={"tap": 9})[0]

    assert may(bank, "nurse", "act", "tap", amount=2.0)
    assert not may(bank, "nurse", "act", "tap", amount=3.0)
    with pytest.raises(Refused, match="only its holder may"):
        as_(bank, "nurse").revoke(second.id)
    as_(bank, "dr-lee").revoke(second.id)
    assert not may(bank, "nurse", "act", "tap", amount=2.0)


# broken glass


def test_a_broken_glass_opens_reading_tells_the_subject_and_ends(bank: Bank) -> None:
    """With the right given in advance: read alone, with a reason, for a while, and the notice ends with it."""
    as_(bank, "sarah").grant(to="dr-night", purpose="emergency", emergency="*")
    night = as_(bank, "dr-night", "emergency")
    assert not may(bank, "dr-night", purpose="emergency")

    glass = night.break_glass("found unconscious", minutes=30)

    assert may(bank, "dr-night", purpose="emergency")
    assert not may(bank, "dr-night", "act", "tap", "emergency", amount=0.1)
    told = bank.alerts("lily")[-1].body
    assert (told["severity"], told["active"]) == ("urgent", True)
    assert "dr-night broke the glass for emergency until" in told["text"]
    assert told["text"].endswith("found unconscious")
    assert [found.id for found in bank.gate.rights("lily").glasses] == [glass.id]
    assert bank.find("lily", by="dr-night", purpose="emergency").readings("gauge") == []
    pass_time(bank, 30 * MINUTE)
    assert not may(bank, "dr-night", purpose="emergency")
    assert bank.alerts("lily")[-1].body["active"] is False


@pytest.mark.parametrize(
    ("reason", "minutes", "error"),
    [("", 30, BadInput), ("  ", 30, BadInput), ("help", 0.5, BadInput), ("help", 24 * 60 + 1, BadInput)],
)
def test_a_glass_is_not_broken_without_reason_or_for_long(
    bank: Bank, reason: str, minutes: float, error: type[Exception]
) -> None:
    """A reason, and up to a day."""
    as_(bank, "sarah").grant(to="dr-night", purpose="emergency", emergency="*")

    with pytest.raises(error):
        as_(bank, "dr-night", "emergency").break_glass(reason, minutes)


def test_nobody_breaks_the_glass_without_that_right(bank: Bank) -> None:
    """A grant to read is none, and the attempt is on record."""
    as_(bank, "sarah").grant(to="dr-lee", purpose="emergency", read="gauge")

    with pytest.raises(Refused, match="dr-lee may not emergency"):
        as_(bank, "dr-lee", "emergency").break_glass("curious")

    assert [f.body["allowed"] for f in bank.thread.read("lily", kinds=["accessed/1"])] == [False]


def test_a_glass_acts_within_bounds_that_were_named_in_advance_and_closes_with_its_right(bank: Bank) -> None:
    """Up to the amount, on that lever; taking the right back closes what it opened, and any holder can close one."""
    right = as_(bank, "sarah").grant(to="dr-night", purpose="emergency", emergency="*", bounds={"tap": 0.5})[0]
    as_(bank, "dr-night", "emergency").break_glass("found unconscious")

    acts = [
        may(bank, "dr-night", "act", lever, "emergency", amount=a)
        for lever, a in (("tap", 0.5), ("tap", 0.6), ("bucket", 0.1))
    ]
    assert acts == [True, False, False]
    as_(bank, "sarah").revoke(right.id)
    assert not may(bank, "dr-night", purpose="emergency")


# policies


def test_forbid_beats_permit_and_permit_opens_nothing(bank: Bank) -> None:
    """What the subject has not granted stays closed; what she has is closed by a policy, which the reason names."""
    as_(bank, "sarah").grant(to="dr-lee", purpose="care", read="gauge")
    house.add_policy(bank, "open", "permit(principal, action, resource);", "boss")
    assert not may(bank, "nurse")
    assert bank.gate.decide("dr-lee", "read", "lily", "gauge", "care").policies == ("open@1",)

    house.add_policy(bank, "staff", DOCTORS, "boss")

    decision = bank.gate.decide("dr-lee", "read", "lily", "gauge", "care")
    assert decision.reason == "dr-lee may not read gauge of lily: policy staff@1 forbids it"
    assert decision.policies == ("staff@1",)
    house.name_role(bank, "dr-lee", ["doctor"], "boss")
    assert may(bank, "dr-lee")
    house.remove_policy(bank, "staff", "boss")
    house.name_role(bank, "dr-lee", [], "boss")
    assert may(bank, "dr-lee")


def test_no_policy_keeps_a_holder_from_reading(bank: Bank) -> None:
    """From acting it does."""
    house.add_policy(bank, "shut", "forbid(principal, action, resource);", "boss")

    assert may(bank, "sarah", purpose="self-management")
    assert not may(bank, "sarah", "act", "tap", "self-management", amount=1.0)


def test_a_policy_lets_its_people_break_the_glass(bank: Bank) -> None:
    """The one thing a permission opens: for a while, with notice; it closes when the policy goes."""
    text = 'permit(principal in Role::"night", action == Action::"emergency", resource);'
    house.add_policy(bank, "night", text, "boss")
    house.name_role(bank, "dr-night", ["night"], "boss", department="ward 3", attributes={"level": 2})
    as_(bank, "dr-night", "emergency").break_glass("found unconscious")

    assert may(bank, "dr-night", purpose="emergency")
    assert bank.alerts("lily")[-1].body["active"]
    house.remove_policy(bank, "night", "boss")
    assert not may(bank, "dr-night", purpose="emergency")


def test_a_prohibition_that_cannot_be_evaluated_forbids(bank: Bank) -> None:
    """Cedar would pass it over; a permission that cannot be evaluated permits nothing."""
    as_(bank, "sarah").grant(to="dr-lee", purpose="care", read="gauge")
    house.add_policy(bank, "level", "forbid(principal, action, resource) when { principal.level < 3 };", "boss")

    reason = bank.gate.decide("dr-lee", "read", "lily", "gauge", "care").reason
    assert "policy level@1 forbids it (level@1:" in reason
    assert "level" in reason.split("(")[1]
    house.name_role(bank, "dr-lee", [], "boss", attributes={"level": 4})
    assert may(bank, "dr-lee")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("permit(principal, action, resource)\n  whn { true };", "line 2, column 3"),
        ("permit(principal, action, resource);\nforbid(principal, action,\n resource) when { contxt.x == 3 };",
         "line 3, column 19"),
        ("// a comment; with a semicolon\npermit(principal, action resource);", "line 2, column 26"),
        ("permit(principal, action, resource)", "line 1, column 36"),
        ('permit(principal == Actor::"x", action, resource) when { context.a = 3 };', "line 1, column 68"),
        ("nonsense", "line 1, column 9"),
    ],
)  # fmt: skip
def test_a_policy_that_cannot_be_read_is_refused_with_its_place(bank: Bank, text: str, place: str) -> None:
    """Line and column of where it goes wrong; nothing is put in force."""
    with pytest.raises(BadInput, match=place):
        house.add_policy(bank, "p", text, "boss")

    assert list(bank.thread.read(HOUSE)) == []


@pytest.mark.parametrize("text", ["", "// nothing", "permit(principal == ?principal, action, resource);"])
def test_a_policy_that_decides_nothing_is_refused(bank: Bank, text: str) -> None:
    """An empty one, and a template."""
    with pytest.raises(BadInput, match="policy"):
        house.add_policy(bank, "p", text, "boss")
    with pytest.raises(NotFound, match="unknown policy 'p'"):
        house.remove_policy(bank, "p", "boss")


def test_cedar_loads_only_where_there_is_a_policy() -> None:
    """Importing Gemel and deciding by grants do without it."""
    code = "import sys, gemel, gemel.consent, gemel.bank; sys.exit('cedarpy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# withdrawal


def test_watchers_hear_of_every_change_and_of_what_ends_by_itself(bank: Bank) -> None:
    """Facts at once, time at the next tick, policies for all; and nothing after they stopped."""
    heard: list[str] = []
    stop = bank.gate.watch(heard.append)
    as_(bank, "sarah").grant(to="dr-lee", purpose="care", read="gauge", until=NOW + HOUR)
    house.add_policy(bank, "p", "permit(principal, action, resource);", "boss")
    assert heard == ["lily", HOUSE]

    pass_time(bank, HOUR - 1)
    assert heard == ["lily", HOUSE]
    pass_time(bank, 1)
    assert heard == ["lily", HOUSE, "lily"]
    pass_time(bank, DAY)
    stop()
    as_(bank, "sarah").grant(to="dr-wu", purpose="care", read="gauge")
    assert heard == ["lily", HOUSE, "lily"]


def test_twins_that_are_made_disturb_nobody_but_who_asked_about_them(bank: Bank) -> None:
    """Making many twins ends nothing, so nobody is told; whoever had asked about one of them is."""
    heard: list[str] = []
    bank.gate.watch(heard.append)
    bank.gate.rights("max")

    made = [created(name, "ann") for name in ("max", *(f"twin-{i}" for i in range(20)))]
    bank.append(made)
    assert heard == ["max"]

    Twin(bank, "twin-3", "ann", "care").grant(to="dr-lee", purpose="care", read="gauge")
    assert heard == ["max", "twin-3"]


def test_rights_read_of_many_twins_at_once_are_those_of_each(bank: Bank) -> None:
    """Read together or one by one, first or again after more was said, the rights are the same."""
    names = [f"twin-{i}" for i in range(6)]
    bank.append([created(name, "ann") for name in names])
    for turn, some in enumerate((names[:3], names, names[1:5], ["nobody", *names])):
        for name in names[turn:]:
            Twin(bank, name, "ann", "care").grant(to=f"dr-{turn}", purpose="care", read="gauge")
        bank.rights.warm(some)
        assert [bank.rights.of(name) for name in names] == [Book(bank.thread).of(name) for name in names]
        bank.rights.warm(names)
        assert [bank.rights.of(name) for name in names] == [Book(bank.thread).of(name) for name in names]


def test_hours_open_and_close_and_watchers_hear_it(bank: Bank) -> None:
    """A school reads on school days, from eight to three in its own time zone."""
    as_(bank, "sarah").grant(to="school", purpose="care", read="gauge", hours="08:00-15:00 Europe/Paris Mon-Fri")
    heard: list[str] = []
    bank.gate.watch(heard.append)
    seen = []
    for _ in range(48):
        pass_time(bank, HOUR)
        seen.append(may(bank, "school"))

    assert sum(seen) == 14
    assert len(heard) == 4
    assert [len(list(same)) for open_, same in itertools.groupby(seen) if open_] == [7, 7]


def proposed(bank: Bank, who: str, lever: str = "tap") -> int:
    """Let somebody propose something, and return its number."""
    intervention = Intervention("more water", (Dose(lever, 1.0, bank.now() + 10 * MINUTE),))
    return as_(bank, who).propose(intervention, "it runs dry").seq


@pytest.mark.parametrize("how", ["revoked", "expired", "forbidden", "handed over"])
def test_open_proposals_of_whoever_may_not_propose_any_more_are_withdrawn(bank: Bank, how: str) -> None:
    """However it ends; those of others stay open."""
    lived(bank)
    sarah = as_(bank, "sarah")
    given = sarah.grant(to="agent:a", purpose="care", propose="tap", until=bank.now() + HOUR)
    sarah.grant(to="agent:b", purpose="care", propose="tap", since=bank.now())
    gone, stays = proposed(bank, "agent:a"), proposed(bank, "agent:b")
    ways: dict[str, Callable[[], Any]] = {
        "revoked": lambda: sarah.revoke(given[1].id),
        "expired": lambda: pass_time(bank, HOUR),
        "forbidden": lambda: house.add_policy(
            bank, "p", 'forbid(principal == Actor::"agent:a", action, resource);', "boss"
        ),
        "handed over": lambda: (sarah.hand_over(bank.now() + MINUTE), pass_time(bank, MINUTE)),
    }

    ways[how]()

    assert bank.proposal("lily", gone).status == "refused" if how != "expired" else "expired"
    if how != "expired":
        assert bank.proposal("lily", gone).reason.startswith("withdrawn: agent:a may not propose tap of lily")
    if how in ("revoked", "forbidden"):
        assert bank.proposal("lily", stays).status == "open"


def test_a_proposal_that_could_not_be_withdrawn_is_not_approved_either(bank: Bank) -> None:
    """The check stands at the approval too, where the withdrawal could not be written."""
    lived(bank)
    sarah = as_(bank, "sarah", "self-management")
    given = sarah.grant(to="agent:a", purpose="care", propose="tap")
    seq = proposed(bank, "agent:a")
    bank.gate._watchers.clear()  # as on a full disk
    sarah.revoke(given[1].id)

    with pytest.raises(Refused, match="is withdrawn: agent:a may not propose tap of lily"):
        sarah.decide(seq, approve=True)


def test_a_fork_made_before_is_barred(bank: Bank) -> None:
    """It can neither suppose nor run once its grant is gone."""
    lived(bank)
    given = as_(bank, "sarah").grant(to="dr-lee", purpose="care", fork="*")[0]
    fork = as_(bank, "dr-lee").fork("copy", bank.now())
    fork.run("gauge", 0.5)

    as_(bank, "sarah").revoke(given.id)

    for what in (
        lambda: fork.suppose(Scenario("more")),
        lambda: fork.run("gauge", 0.5),
        lambda: fork.forecast("gauge", 0.5),
    ):
        with pytest.raises(Refused, match="was revoked"):
            what()


@pytest.fixture(scope="module")
def learned() -> Bank:
    """Return a bank in which Lily's twin has learned from Max's, as sarah was allowed."""
    made = tank.bank()
    made.create(tank.Tank, "lily", by="sarah")
    made.create(tank.Tank, "max", by="mo")
    lived(made, "lily", 14)
    lived(made, "max", 14)
    made.as_writer("max", "mo", "research").grant(to="sarah", purpose="research", study="*", until=made.now() + DAY)
    made.learn("lily", "gauge", "sarah", made.now())
    return made


def test_what_was_learned_from_a_twin_is_dropped_and_marked_when_it_may_not_be_studied(learned: Bank) -> None:
    """At once: the forecast is as before learning, and both records say so; it was on record who learned."""
    bank = learned
    assert [(f.by, f.body["twin"], f.body["model"]) for f in bank.studies("max")] == [
        ("sarah", "lily", "foresight-gauge")
    ]
    assert notes.learned_from(bank.thread.kept("lily", "foresight-gauge")) == ("max",)
    mended = bank.forecast("lily", "gauge", 1, bank.now())
    given = bank.grants("max")[0]

    bank.as_writer("max", "mo", "research").revoke(given.id)

    marks = list(bank.thread.read("lily", kinds=["marked/1"]))
    assert [fact.body["model"] for fact in marks] == ["foresight-gauge"]
    assert "learned from max: sarah may not study * of max: grant" in marks[0].body["why"]
    assert len(list(bank.thread.read("max", kinds=["marked/1"]))) == 1
    assert notes.learned_from(bank.thread.kept("lily", "foresight-gauge")) == ()
    assert (bank.forecast("lily", "gauge", 1, bank.now()).quantiles != mended.quantiles).any()


def test_what_ended_by_itself_is_dropped_at_the_next_forecast(learned: Bank) -> None:
    """Nobody need have ticked."""
    bank = learned
    given = bank.as_writer("max", "mo", "research").grant(
        to="sarah", purpose="research", study="*", until=bank.now() + HOUR
    )
    assert given
    bank.learn("lily", "gauge", "sarah", bank.now())
    before = len(list(bank.thread.read("lily", kinds=["marked/1"])))
    bank.now.now += HOUR  # type: ignore[attr-defined]  # the clock of tank.bank

    bank.forecast("lily", "gauge", 1, bank.now())

    marks: list[Fact] = list(bank.thread.read("lily", kinds=["marked/1"]))
    assert len(marks) == before + 1
    assert "expired" in marks[-1].body["why"]


@dataclass
class Tap:
    """A source that says one reading whenever it is let."""

    bank: Bank
    name: str = "gauge"
    turns: asyncio.Queue[int] = field(default_factory=asyncio.Queue)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def items(self) -> AsyncIterator[Item]:
        """Yield a reading for each turn."""
        try:
            while True:
                at = await self.turns.get()
                yield Item("gauge", 50.0, "L", at, None, Place("here"))
        finally:
            self.ended.set()


@pytest.mark.parametrize("how", ["revoked", "handed over"])
def test_a_live_stream_stops_when_its_actor_may_not_write_any_more(bank: Bank, how: str) -> None:
    """The source is let go of, nothing more is taken from it, and an alert says why."""

    async def life() -> None:
        source, stop, written = Tap(bank), asyncio.Event(), asyncio.Event()
        home, sarah = asyncio.get_running_loop(), as_(bank, "sarah", "self-management")
        sarah.listen(source)
        bank.thread.subscribe(
            lambda facts: [home.call_soon_threadsafe(written.set) for f in facts if f.kind == "observed/1"] and None
        )
        running = asyncio.create_task(Loop(bank, []).run(stop, every_s=0.02))
        await source.turns.put(bank.now())
        await asyncio.wait_for(written.wait(), 20)
        if how == "revoked":
            await asyncio.to_thread(sarah.revoke, bank.grants("lily")[0].id)
        else:
            sarah.hand_over(bank.now() + MINUTE)
            bank.now.now += MINUTE  # type: ignore[attr-defined]  # the clock of tank.bank
        await asyncio.wait_for(source.ended.wait(), 20)
        stop.set()
        await running

    asyncio.run(life())

    assert bank.sources["lily"] == []
    assert "gauge is not listened to any more: stream:gauge may not write" in bank.alerts("lily")[-1].body["text"]


# the command line


def test_the_commands_of_consent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From a grant with bounds and hours to an explained refusal by a policy; exit codes are 0, 1 and 2."""
    from typer.testing import CliRunner

    from gemel.cli.main import app
    from gemel.packs.diabetes import Person

    where = str(tmp_path / "store")
    with Bank.open(where) as made:
        made.create(Person, "lily", by="sarah")
    monkeypatch.setenv("GEMEL_STORE", where)
    monkeypatch.setenv("GEMEL_ACTOR", "sarah")
    runner = CliRunner()

    def gemel(*words: str) -> tuple[int, str]:
        done = runner.invoke(app, words)
        wrong = getattr(done.exception, "exit_code", done.exit_code) if done.exception else done.exit_code
        return (wrong if isinstance(wrong, int) else 1), done.output + str(done.exception or "")

    assert gemel("grant", "lily", "--to", "dr-lee", "--verb", "act", "--signal", "basal", "--bound", "basal=1.5",
                 "--hours", "00:00-23:59 Europe/Paris", "--until", "2099-01-01", "--onward", "1")[0] == 0  # fmt: skip
    ask = ("may", "dr-lee", "act", "lily", "basal", "--purpose", "care", "--amount")
    assert gemel(*ask, "2")[0] == 1
    assert "beyond the bound 1.5" in gemel(*ask, "2")[1]
    assert gemel("grant", "lily", "--to", "x", "--verb", "act", "--bound", "basal")[0] == 2
    assert gemel("grant", "lily", "--to", "night", "--verb", "emergency", "--purpose", "emergency")[0] == 0
    broken = gemel("break-glass", "lily", "--reason", "found unconscious", "--minutes", "60", "--as", "night")
    assert (broken[0], "open until" in broken[1]) == (0, True)
    assert gemel("may", "night", "read", "lily", "glucose", "--purpose", "emergency")[0] == 0
    policy = tmp_path / "staff.cedar"
    policy.write_text(DOCTORS)
    trial = gemel("policy", "test", str(policy), "night", "read", "lily", "glucose", "--purpose", "emergency")
    assert (trial[0], "policy staff@0 forbids it" in trial[1]) == (1, True)
    assert gemel("policy", "add", "staff", str(policy))[0] == 0
    code, text = gemel("may", "night", "read", "lily", "glucose", "--purpose", "emergency", "--explain")
    assert (code, "policy staff@1: forbids" in text, "keys: held by sarah" in text) == (1, True, True)
    assert gemel("policy", "role", "night", "--role", "doctor", "--attribute", "level=3")[0] == 0
    assert gemel("may", "night", "read", "lily", "glucose", "--purpose", "emergency")[0] == 0
    assert "night: doctor" in gemel("policy", "list")[1]
    assert gemel("policy", "remove", "staff")[0] == 0
    policy.write_text("permit(")
    assert gemel("policy", "add", "staff", str(policy))[0] == 2
    assert gemel("entrust", "lily", "--to", "tom", "--role", "guardian")[0] == 0
    assert gemel("hand-over", "lily", "2099-01-01T00:00:00Z")[0] == 0
    assert gemel("dismiss", "lily", "tom")[0] == 0
    listed = gemel("rights", "lily")[1]
    assert "sarah holds the keys as holder" in listed
    assert "glass broken, found unconscious" in listed
    assert gemel("rights", "lily", "--as", "mallory")[0] == 1
    assert gemel("renew", "lily", "none")[0] == 2
