"""What the console says is so: nothing is calm, better, open to a reader or told to somebody that is not.

Set GEMEL_SHOTS to a folder to keep a picture of what each test looks at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
from playwright.sync_api import Browser, Locator, Page, expect  # noqa: E402
from serving import listening  # noqa: E402
from test_console import SCHEMES, browser, built, complaints, keep  # noqa: E402, F401
from test_console_people import CARE, SELF, SMALL, TUESDAY, Family, Open, panel, show  # noqa: E402, F401

from gemel.bank import Proposal  # noqa: E402
from gemel.bank.catalogue import roles  # noqa: E402
from gemel.bank.team import join  # noqa: E402
from gemel.dynamics import Dose  # noqa: E402
from gemel.facts import DAY, MINUTE  # noqa: E402
from gemel.intervention import Intervention  # noqa: E402
from gemel.server.app import Access, create_app  # noqa: E402

SIZES = [pytest.param((1280, 900), id="1280"), pytest.param((360, 780), id="360")]
OTHERS = {"lily": SELF, "dr-lee": CARE, "dina": CARE, "eddie": CARE, "nora": CARE}
AGENT = "agent:closed-loop"


class Household(Family):
    """The family, with an educator, and an agent that proposes."""

    def __init__(self) -> None:
        super().__init__()
        join(self.lily, roles(SMALL.name), "eddie", "educator")
        self.lily.record([self._read(TUESDAY - k * 5 * MINUTE) for k in range(120, 48, -1)])
        self.lily.grant(to=AGENT, purpose=CARE, read="*", propose="basal")
        self.app = create_app(self.bank, self.loop, Access(open_as=("sarah", SELF), others=OTHERS))

    def ask(self) -> Proposal:
        """Let the agent propose a pause of basal, which waits for a person."""
        pause = Intervention("no basal for a while", (Dose("basal", 0.0, self.clock()),))
        made = self.bank.find("lily", by=AGENT, purpose=CARE).propose(pause, "glucose is falling")
        assert made.status == "open"
        return made


@pytest.fixture(scope="module")
def family() -> Household:
    """Return the household, on a Tuesday morning."""
    return Household()


@pytest.fixture(scope="module")
def home(family: Household, built: None) -> Iterator[str]:  # noqa: F811
    """Return the address of its server."""
    with listening(family.app) as address:
        yield address


def tried(page: Page) -> Locator:
    """Return the panel in which something is supposed."""
    return page.get_by_role("region", name="What if?")


def fits(page: Page) -> bool:
    """Return whether nothing is cut off at the right, and axe has nothing to say."""
    assert complaints(page) == []
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("who", ["dina", "eddie"])
def test_who_may_not_read_alerts_or_proposals_is_never_told_that_there_is_nothing(
    family: Household, show: Open, who: str  # noqa: F811
) -> None:  # fmt: skip
    """With an urgent low on and a proposal open, the page says that they are not shown, and not that all is calm."""
    family.alert("glucose is 48 mg/dL")
    family.ask()
    page = show(who, "day")
    expect(panel(page, "Alerts")).to_contain_text("Alerts are not shown to you")
    expect(panel(page, "Proposals")).to_contain_text("Proposals are not shown to you")
    expect(panel(page, "How well past forecasts came true")).to_contain_text("Not shown to you")
    body = page.locator("main")
    for calm in ("Nothing needs attention", "Nothing to decide", "No forecast has come due"):
        expect(body).not_to_contain_text(calm)
    assert fits(page)
    keep(page, f"truths-{who}")
    expect(panel(show("sarah", "day"), "Alerts")).to_contain_text("Glucose is 48 mg/dL")
    family.alert("glucose is 48 mg/dL", active=False)


def test_only_who_may_decide_on_a_proposal_is_offered_to(family: Household, show: Open) -> None:  # noqa: F811
    """Lily reads who decides, and has no button; her doctor has, and the gate lets her."""
    made = family.ask()
    hers = show("lily", "day").locator(f"[data-seq='{made.seq}']")
    expect(hers.get_by_test_id("deciders")).to_have_text("You may not decide on it: sarah or dr-lee may.")
    assert hers.get_by_role("button", name=re.compile("Approve|Reject")).count() == 0
    expect(hers.get_by_role("button", name="Why?")).to_be_visible()
    page = show("dr-lee", "day")
    page.locator(f"[data-seq='{made.seq}']").get_by_role("button", name="Approve…").click()
    page.get_by_role("button", name="Approve now").click()
    expect(page.locator(f"[data-seq='{made.seq}']")).to_contain_text("approved by dr-lee")
    found = family.bank.proposal("lily", made.seq)
    assert (found.status, found.decided_by) == ("approved", "dr-lee")


def test_advice_is_not_offered_for_approval(family: Household, show: Open) -> None:  # noqa: F811
    """What the bank would refuse to approve has no such button."""
    what = Intervention("rest a little", (Dose("basal", 0.3, family.clock()),))
    made = family.bank.find("lily", by=AGENT, purpose=CARE).propose(what, "to be read", advice=True)
    card = show("sarah", "day").locator(f"[data-seq='{made.seq}']")
    expect(card).to_contain_text("This is advice, to be read")
    expect(card.get_by_role("button", name="Reject…")).to_be_visible()
    assert card.get_by_role("button", name="Approve…").count() == 0
    family.lily.decide(made.seq, False)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_what_brings_lows_is_nowhere_called_better(
    family: Household, show: Open, size: tuple[int, int], scheme: str  # noqa: F811
) -> None:  # fmt: skip
    """Eight units: mean and time above fall, time below rises; no figure is green, and the page says why."""
    page = show("sarah", "day", size, scheme)
    supposed = tried(page)
    supposed.get_by_label("Suppose").select_option("Give insulin now")
    supposed.get_by_role("spinbutton", name="Bolus, U").fill("8")
    supposed.get_by_role("button", name="Try it").click()
    fork = supposed.get_by_role("article")
    expect(fork.get_by_role("row", name=re.compile("^Time below range"))).to_contain_text("(worse)")
    expect(fork).not_to_contain_text("(better)")
    expect(fork.locator(".good")).to_have_count(0)
    expect(fork).to_contain_text("More of “Time below range, %”: nothing else here counts as better.")
    assert fits(page)
    keep(page, f"truths-8u-{size[0]}-{scheme}")
    fork.get_by_role("button", name=re.compile("^Remove")).click()
    expect(fork).to_have_count(0)


def test_a_slider_and_its_number_are_one_and_what_was_tried_follows_by_keyboard(
    family: Household, show: Open  # noqa: F811
) -> None:  # fmt: skip
    """30 g now and 2 U in 10 min are tried together; an arrow key moves the number, and the fork is tried anew in its place."""
    page = show("sarah", "day")
    supposed = tried(page)
    supposed.get_by_label("Suppose").select_option("Eat and give insulin")
    slider = supposed.get_by_role("slider", name="Carbohydrate, g")
    expect(slider).to_have_value("30")
    supposed.get_by_role("spinbutton", name="Bolus, U").fill("2")
    expect(supposed.get_by_role("slider", name="Bolus, U")).to_have_value("2")
    expect(supposed.get_by_role("slider", name="Bolus in, min")).to_have_attribute(
        "aria-valuetext", re.compile("^10 min, at ")
    )
    supposed.get_by_role("button", name="Try it").click()
    drawn = page.locator("[data-fork]")
    name = "Eat and give insulin, 30 g, now, 2 U, in 10 min"
    expect(drawn).to_have_attribute("data-fork", name)
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(supposed.get_by_role("spinbutton", name="Carbohydrate, g")).to_have_value("31")
    expect(drawn).to_have_attribute("data-fork", name.replace("30 g", "31 g"))
    expect(supposed.get_by_role("article")).to_have_count(1)
    supposed.get_by_label("What was tried last follows the sliders").uncheck()
    slider.focus()
    page.keyboard.press("ArrowRight")
    supposed.get_by_role("button", name="Try it").click()
    expect(supposed.get_by_role("article")).to_have_count(2)
    for left in (1, 0):
        supposed.get_by_role("button", name=re.compile("^Remove")).first.click()
        expect(supposed.get_by_role("article")).to_have_count(left)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_advice_on_a_meal_shows_reasons_and_guard_and_is_not_for_a_child(
    family: Household, show: Open, size: tuple[int, int], scheme: str  # noqa: F811
) -> None:  # fmt: skip
    """A parent and a doctor ask; options come with numbers, least risk first; the child and who may not see all have no panel."""
    page = show("sarah", "day", size, scheme)
    advice = panel(page, "Options for a meal")
    expect(advice).to_contain_text("Gemel is not a medical device.")
    advice.get_by_role("slider", name="Carbohydrate, g").focus()
    page.keyboard.press("ArrowRight")
    advice.get_by_role("button", name="Show options").click()
    options = advice.get_by_role("list", name="Options, least risk first")
    expect(options).to_contain_text("of the next", timeout=120_000)
    advice.get_by_text("more options").click()
    expect(advice).to_contain_text("no bolus")
    expect(advice).to_contain_text("For 31 g now")
    week = panel(page, "The last days again, with other doses")
    week.get_by_role("button", name="Replay").click()
    expect(week.get_by_role("row", name=re.compile("^70–180 mg"))).to_contain_text("100", timeout=120_000)
    expect(week).to_contain_text("Gemel is not a medical device.")
    assert fits(page)
    keep(page, f"truths-advice-{size[0]}-{scheme}")
    expect(panel(show("dr-lee", "day"), "Options for a meal")).to_be_visible()
    for who in ("lily", "eddie"):
        other = show(who, "day")
        expect(tried(other)).to_be_visible()
        assert panel(other, "Options for a meal").count() == 0
        assert panel(other, "The last days again, with other doses").count() == (who == "eddie")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_after_the_hand_over_the_team_page_names_nobody_who_is_told_of_nothing(
    built: None, browser: Browser, size: tuple[int, int], scheme: str  # noqa: F811
) -> None:  # fmt: skip
    """Lily holds the keys alone: the page lists her, who ended, which rules tell nobody, and that she is the only one told."""
    house = Household()
    house.lily.hand_over(house.clock.now + DAY)
    house.clock.now += 2 * DAY
    house.loop.attend("lily", [])
    with listening(house.app) as address:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, timezone_id="UTC", locale="en-GB",
            bypass_csp=True,
        )  # fmt: skip
        context.add_init_script("if (self === top) sessionStorage.setItem('gemel-as', 'lily')")
        page = context.new_page()
        page.goto(f"{address}/#lily/team")
        team, rules = panel(page, "Team"), panel(page, "Who is told of alerts")
        expect(team.get_by_role("listitem")).to_have_count(1)
        expect(team.get_by_role("listitem")).to_contain_text("Holder of the keys")
        expect(team).not_to_contain_text("Parent or guardian")
        expect(team.get_by_test_id("handed")).to_contain_text("Lily holds the keys alone since")
        expect(team.get_by_test_id("handed")).to_contain_text("sarah, dr-lee, dina, nora, eddie may see nothing")
        expect(rules.get_by_test_id("alone")).to_have_text("Nobody but you is told of an alert.")
        expect(rules).to_contain_text("Tells nobody: dr-lee may not read alerts any more.")
        assert fits(page)
        keep(page, f"truths-handed-{size[0]}-{scheme}")
        form = panel(page, "Take somebody in")
        form.get_by_label("Who").fill("dr-lee")
        form.get_by_label("Role").select_option("Doctor")
        form.get_by_role("button", name="Take in").click()
        expect(team.get_by_role("listitem").filter(has_text="dr-lee")).to_contain_text("Doctor")
        expect(rules.get_by_test_id("alone")).to_have_count(0)
        expect(rules).not_to_contain_text("Tells nobody: dr-lee")
        context.close()
