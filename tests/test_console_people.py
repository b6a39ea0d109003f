"""What each of a care team sees, in a real browser over the real server: Lily, her mother, her doctor, her school nurse.

Set GEMEL_SHOTS to a folder to keep a picture of each screen.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect  # noqa: E402
from post import Post  # noqa: E402
from serving import listening  # noqa: E402
from test_console import SCHEMES, SIZES, browser, built, complaints, keep  # noqa: E402, F401

from gemel.bank import Bank  # noqa: E402
from gemel.bank.catalogue import roles  # noqa: E402
from gemel.bank.companion import TALKED, wake  # noqa: E402
from gemel.bank.team import join  # noqa: E402
from gemel.bank.tools import named, offered  # noqa: E402
from gemel.facts import DAY, HOUR, MINUTE, Draft, Fact, Time  # noqa: E402
from gemel.loop import Loop  # noqa: E402
from gemel.loop.pushing import Pusher  # noqa: E402
from gemel.packs.diabetes import Person  # noqa: E402
from gemel.server.app import Access, create_app  # noqa: E402
from gemel.streams import Item, Place  # noqa: E402
from gemel.streams.push import Carriers  # noqa: E402
from gemel.testing.live import FakeClock  # noqa: E402
from gemel.thread import MemoryThread  # noqa: E402

TUESDAY: Time = 20_605 * DAY + 10 * HOUR
SELF, CARE = "self-management", "care"
OTHERS = {"lily": SELF, "dr-lee": CARE, "dina": CARE, "nora": CARE}
SMALL = replace(Person, members=16)
PATIENCE_MS = 120_000
"""A sentence to a companion may have to wait where the machine is busy."""

Open = Callable[..., Page]


class Family:
    """Lily's twin, her team, a morning of readings, a care plan with one change that waits; nobody is asked to log in."""

    def __init__(self) -> None:
        self.clock = FakeClock(TUESDAY)
        self.bank = Bank(MemoryThread(), self.clock, {SMALL.name: SMALL})
        self.lily = self.bank.create(SMALL, "lily", by="sarah")
        for who, role in {"lily": "child", "dr-lee": "doctor", "dina": "dietitian"}.items():
            join(self.lily, roles(SMALL.name), who, role)
        join(self.lily, roles(SMALL.name), "nora", "nurse", hours="08:00-15:00 UTC")
        self.lily.alert_to("sarah", severity="warning", purpose=SELF)
        self.lily.record([self._read(TUESDAY - k * 5 * MINUTE) for k in range(48, 0, -1)])
        doctor = self.bank.find("lily", by="dr-lee", purpose=CARE)
        first = doctor.propose_plan(
            {"basal": [0.4] * 24, "ratio": 25}, {"school": "juice in the red box"}, "first plan"
        )
        self.lily.decide_plan(first.seq, True)
        self.post = Post()
        self.loop = Loop(self.bank, [], pusher=Pusher(self.bank, Carriers((self.post.host,))))
        self.loop.attend("lily", [])
        self.app = create_app(self.bank, self.loop, Access(open_as=("sarah", SELF), others=OTHERS))

    @staticmethod
    def _read(at: Time) -> Item:
        return Item("glucose", round(125 + 30 * math.sin(at / HOUR)), "mg/dL", at, None, Place("family"))

    def wait(self, ratio: float, why: str) -> int:
        """Let the doctor propose a ratio."""
        return self.bank.find("lily", by="dr-lee", purpose=CARE).propose_plan({"ratio": ratio}, {}, why).seq

    def alert(self, text: str, active: bool = True) -> Fact:
        """Raise an alert, and tell whom the rules name."""
        body = {"name": "low", "severity": "urgent", "text": text, "active": active}
        self.clock.now += MINUTE
        fact = self.bank.append([Draft("lily", "alert/1", body, self.clock(), "loop:alarms")]).facts[0]
        self.loop.attend("lily", [])
        return fact


@pytest.fixture(scope="module")
def family() -> Family:
    """Return the family, on a Tuesday morning."""
    return Family()


@pytest.fixture(scope="module")
def home(family: Family, built: None) -> Iterator[str]:  # noqa: F811
    """Return the address of the real server, whose companion is awake."""
    wake([SMALL.name])
    with listening(family.app) as address:
        yield address


@pytest.fixture
def show(home: str, browser: Browser) -> Iterator[Open]:  # noqa: F811
    """Return a function that opens a screen as one of the people; afterwards nothing may have gone wrong or left the machine."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_page(
        actor: str, screen: str = "", size: tuple[int, int] = (1280, 900), scheme: str = "light", twin: str = "#lily/"
    ) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, timezone_id="UTC", locale="en-GB",
            reduced_motion="reduce", bypass_csp=True,  # so that axe can be put into the page
        )  # fmt: skip
        contexts.append(context)
        context.add_init_script(f"if (self === top) sessionStorage.setItem('gemel-as', '{actor}')")
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        ours = urlsplit(home).netloc
        page.on("request", lambda asked: wrong.append(asked.url) if urlsplit(asked.url).netloc not in (ours, "") else 0)
        page.goto(f"{home}/{twin}{screen}" if twin else home)
        expect(page.get_by_test_id("connection")).to_have_text("live")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def panel(page: Page, name: str) -> Locator:
    """Return the panel of that name, whatever it counts."""
    return page.get_by_role("region", name=re.compile(rf"^{name} ?\d*$"))


SCREENS = [
    ("lily", "own", "What comes next"), ("sarah", "plan", "Care plan"), ("sarah", "team", "Who is told of alerts"),
    ("sarah", "day", "Alerts"), ("dr-lee", "review", "Figures"), ("nora", "", None),
]  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_each_screen_fits_and_reads(family: Family, show: Open, size: tuple[int, int], scheme: str) -> None:
    """At both widths and in both themes: each person's screen is there, nothing is cut off, WCAG AA."""
    if not family.lily.plan().open:
        family.wait(23, "mornings run high")
    for actor, screen, title in SCREENS:
        page = show(actor, screen, size, scheme)
        shown = page.get_by_test_id("watch") if title is None else panel(page, title)
        expect(shown).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (actor, screen)
        assert complaints(page) == [], (actor, screen)
        keep(page, f"people-{actor}-{screen or 'alerts'}-{size[0]}-{scheme}")
        page.context.close()


def test_each_comes_to_their_own_screen_and_finds_the_others_by_their_tabs(show: Open) -> None:
    """Lily to hers, the doctor to the review, the mother to the day; an address of a screen one has not leads to the first."""
    first = {"lily": "Lily’s page", "sarah": "Now and ahead", "dr-lee": "Review", "dina": "Review"}
    for actor, name in first.items():
        page = show(actor, twin="")
        expect(page.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")
        page.get_by_role("link", name="Care plan").click()
        expect(panel(page, "Care plan")).to_contain_text("juice in the red box")
    page = show("lily", "team")
    expect(page.get_by_test_id("child")).to_be_visible()
    expect(page.get_by_role("link", name="Team and alerts")).to_have_count(0)


def test_a_school_nurse_sees_alerts_and_nothing_else(family: Family, show: Open) -> None:
    """Calm at first; then an alert, which she takes care of with a note; no number, no plan, no team."""
    page = show("nora", twin="")
    watch = page.get_by_test_id("watch")
    expect(watch).to_contain_text("Nothing needs you now")
    alert = family.alert("glucose is 61 mg/dL and falling")
    article = watch.get_by_role("article")
    expect(article).to_contain_text("Glucose is 61 mg/dL and falling")
    assert page.get_by_role("navigation", name="Screens").count() == 0
    assert page.get_by_role("region", name="Past, now and future").count() == 0
    article.get_by_role("button", name=re.compile("^Add a note")).click()
    page.keyboard.type("she has her juice")
    page.keyboard.press("Enter")
    expect(article).to_contain_text("nora takes care of it: she has her juice")
    told = family.bank.told("lily").acknowledged[alert.seq]
    assert (told.by, told.body["note"]) == ("nora", "she has her juice")
    family.alert("glucose is 61 mg/dL and falling", active=False)
    expect(watch).to_contain_text("Nothing needs you now")


def test_a_parent_takes_care_of_an_alert_from_the_bell(family: Family, show: Open) -> None:
    """The bell counts what waits; one press says who takes care, and the child's own page says so too."""
    family.alert("glucose is 58 mg/dL")
    page, hers = show("sarah"), show("lily")
    bell = page.get_by_test_id("bell")
    expect(bell).to_have_accessible_name("Notices: 1 waiting")
    bell.click()
    dialog = page.get_by_role("dialog", name="Notices")
    assert complaints(page) == []
    dialog.get_by_role("button", name=re.compile("^I take care of it")).click()
    expect(dialog).to_contain_text("sarah takes care of it")
    page.keyboard.press("Escape")
    expect(bell).to_have_accessible_name("Notices: none waiting")
    expect(hers.get_by_test_id("child").get_by_role("alert")).to_contain_text("sarah knows and is looking after it")


def test_a_child_cannot_silence_an_alert_about_herself(family: Family, show: Open) -> None:
    """Whoever takes care stops the telling, so neither her page, nor the day, nor her bell offers it to her."""
    family.alert("glucose is 49 mg/dL")
    page = show("lily")
    expect(page.get_by_test_id("child").get_by_role("alert")).to_contain_text("Tell a grown-up now.")
    page.get_by_test_id("bell").click()
    expect(page.get_by_role("dialog", name="Notices")).to_contain_text("Glucose is 49 mg/dL")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Now and ahead").click()
    expect(panel(page, "Alerts")).to_contain_text("Glucose is 49 mg/dL")
    assert page.get_by_role("button", name=re.compile("take care")).count() == 0
    family.alert("glucose is 49 mg/dL", active=False)


def test_a_doctor_proposes_hours_of_a_setting_and_a_parent_approves_it(family: Family, show: Open) -> None:
    """The difference is said before it is sent and where it is decided; then it is in force."""
    page = show("dr-lee", "review")
    form = panel(page, "Propose a change")
    form.get_by_label("What").select_option("Carbohydrate ratio")
    form.get_by_label("When").select_option("Some hours")
    form.get_by_label("New value").fill("21")
    form.get_by_label("Why").fill("lunch runs high")
    expect(form.get_by_test_id("difference")).to_have_text("11:00–14:00: 25 → 21 g/U")
    form.get_by_role("button", name="Propose").click()
    expect(form.get_by_role("status")).to_contain_text("Proposed.")
    seq = family.lily.plan().open[-1].seq
    hers = show("sarah", "plan")
    change = hers.locator(f"[data-change='{seq}']")
    expect(change).to_contain_text("11:00–14:00: 25 → 21 g/U")
    change.get_by_label("Note (optional)").fill("let us try")
    change.get_by_role("button", name="Approve the change").click()
    expect(hers.locator(f"[data-change='{seq}']")).to_have_count(0)
    found = family.lily.plan()
    assert found.settings["ratio"] == (*[25.0] * 11, *[21.0] * 3, *[25.0] * 10)
    assert (found.changes[-1].decided_by, found.changes[-1].note) == ("sarah", "let us try")


def test_a_doctor_reviews_with_the_paper_in_view(family: Family, show: Open) -> None:
    """Figures, the AGP report inside the page, and a review that is on record."""
    page = show("dr-lee", "review")
    expect(panel(page, "Figures").get_by_role("row", name=re.compile("^Time in range"))).to_contain_text("100.0")
    expect(page.frame_locator("iframe").get_by_role("heading", name=re.compile("AGP report"))).to_be_visible()
    form = panel(page, "Reviews")
    form.get_by_label("Review", exact=True).fill("Mornings are steady.")
    form.get_by_role("button", name="Put on record").click()
    expect(form.get_by_role("listitem").filter(has_text="Mornings are steady.")).to_be_visible()
    assert family.lily.plan().reviews[-1].by == "dr-lee"


def test_a_dietitian_proposes_and_does_not_decide(family: Family, show: Open) -> None:
    """What waits is shown, with who decides, and no button."""
    family.wait(24, "to see")
    page = show("dina", "plan")
    expect(panel(page, "Changes to decide")).to_contain_text("A parent or the doctor decides.")
    expect(panel(page, "Propose a change")).to_be_visible()
    assert page.get_by_role("button", name="Approve the change").count() == 0


def test_a_parent_takes_somebody_in_and_out(family: Family, show: Open) -> None:
    """A nurse needs hours; who may not decide about the team has no form."""
    page = show("sarah", "team")
    form = panel(page, "Take somebody in")
    form.get_by_label("Who").fill("nils")
    form.get_by_label("Role").select_option("School nurse")
    expect(form.get_by_role("button", name="Take in")).to_be_disabled()
    form.get_by_label("Hours", exact=True).fill("whenever")
    form.get_by_role("button", name="Take in").click()
    expect(form.get_by_role("alert")).to_contain_text("'whenever' is no window of hours")
    form.get_by_label("Hours", exact=True).fill("08:00-15:00 UTC Mon-Fri")
    form.get_by_role("button", name="Take in").click()
    expect(panel(page, "Team")).to_contain_text("nils")
    expect(panel(page, "Who is told of alerts")).to_contain_text("nils is told of what is urgent")
    assert "nils" in {grant.to for grant in family.bank.grants("lily") if grant.revoked is None}
    panel(page, "Team").get_by_role("button", name="Take out… nils").click()
    page.get_by_role("button", name="Yes, take nils out").click()
    expect(panel(page, "Team")).not_to_contain_text("nils")
    assert "nils" not in {grant.to for grant in family.bank.grants("lily") if grant.revoked is None}
    doctor = show("dr-lee", "team")
    expect(panel(doctor, "Team")).to_contain_text("sarah")
    assert panel(doctor, "Take somebody in").count() == 0


def test_a_parent_changes_a_rule_and_the_old_one_stays_on_record(family: Family, show: Open) -> None:
    """The form holds the rule as it is; what is changed stands in its place, with who said so; a mistake is refused in words."""
    page = show("sarah", "team")
    rules = panel(page, "Who is told of alerts")
    before = family.lily.alert_rules()
    nurse = next(rule for rule in before if rule.to == "nora")
    rules.get_by_role("button", name=re.compile("^Change: nora")).click()
    expect(rules.get_by_label("Who").first).to_have_value("nora")
    expect(rules.get_by_label("Only at these hours (any, if empty)").first).to_have_value(str(nurse.hours))
    rules.get_by_label("Only at these hours (any, if empty)").first.fill("mornings")
    rules.get_by_role("button", name="Change the rule").click()
    expect(rules.get_by_role("alert")).to_contain_text("'mornings' is no window of hours")
    assert complaints(page) == []
    keep(page, "people-rule-edit")
    rules.get_by_label("Only at these hours (any, if empty)").first.fill("08:00-14:00 UTC")
    rules.get_by_label("Again every").first.fill("15")
    rules.get_by_role("button", name="Change the rule").click()
    expect(rules.get_by_text("Changed. The rule as it was stays on record.")).to_be_visible()
    expect(rules).to_contain_text("again every 15 min; only 08:00-14:00 UTC")
    after = family.lily.alert_rules()
    assert [rule.to for rule in after] == [rule.to for rule in before] and nurse not in after
    assert nurse.id in {fact.body["rule"]["id"] for fact in family.bank.thread.read("lily", kinds=["alerting/1"])}
    doctor = show("dr-lee", "team")
    expect(panel(doctor, "Who is told of alerts")).to_contain_text("nora")
    assert doctor.get_by_role("button", name=re.compile("^Change: ")).count() == 0


def test_a_parent_says_how_sunny_is_and_words_leave_only_after_one_more_question(family: Family, show: Open) -> None:
    """Unit and time zone at once; a large model only after a yes to what that means; the child reads what holds."""
    page = show("sarah", "team")
    form = panel(page, "How Sunny is")
    expect(form.get_by_role("button", name="Save")).to_be_enabled()  # nobody has set a time zone: this one is offered
    form.get_by_label("Numbers are in").select_option("mmol/L")
    form.get_by_label("Time zone").fill("Europe/Oslo")
    box = form.get_by_label("A large model elsewhere may answer")
    box.click()
    dialog = page.get_by_role("dialog", name="May words leave this machine?")
    expect(dialog).to_contain_text("would be sent to the large model")
    assert complaints(page) == []
    keep(page, "people-large-model")
    dialog.get_by_role("button", name="No, keep them here").click()
    expect(box).not_to_be_checked()
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("status")).to_have_text("Saved.")
    said = named(offered(SMALL.name), "companion").call(family.lily, {})
    assert (said["unit"], said["timezone"], said["large_model"]) == ("mmol/L", "Europe/Oslo", False)
    expect(form.get_by_role("button", name="Save")).to_be_disabled()
    box.click()
    dialog.get_by_role("button", name="Yes, words may leave").click()
    expect(box).to_be_checked()
    assert not named(offered(SMALL.name), "companion").call(family.lily, {})["large_model"]
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("button", name="Save")).to_be_disabled()
    expect(form.get_by_role("status")).to_have_text("Saved.")
    assert named(offered(SMALL.name), "companion").call(family.lily, {})["large_model"]
    hers = show("lily")
    expect(panel(hers, "How Sunny is")).to_contain_text("Europe/Oslo")
    expect(panel(hers, "How Sunny is")).to_contain_text("a large model would be allowed, and none is named here")
    assert panel(hers, "How Sunny is").get_by_role("button").count() == 0
    named(offered(SMALL.name), "set_companion").call(family.lily, {"large_model": False, "unit": "mg/dL"})


def test_a_chat_outlives_a_reload_in_its_tab_and_only_there(family: Family, show: Open) -> None:
    """What nobody wanted kept stays in the tab: back after a reload, its open question too; in no other tab, and on no record."""
    page = show("lily")
    chat = page.get_by_role("region", name="Talk with Sunny")
    expect(chat.get_by_test_id("kept")).to_contain_text("it stays in this tab until you close it or log out")
    chat.get_by_label("Say something to Sunny").fill("I ate a zebra banana")
    page.keyboard.press("Enter")
    expect(chat.get_by_role("button", name="Yes", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    page.reload()
    expect(chat.get_by_role("log")).to_contain_text("zebra")
    chat.get_by_role("button", name="No", exact=True).click(timeout=PATIENCE_MS)
    expect(chat.locator("[data-who=them]")).to_have_count(3, timeout=PATIENCE_MS)
    assert "zebra" not in str([fact.body for fact in family.bank.thread.read("lily", kinds=[TALKED])])
    other = show("lily")
    expect(other.get_by_role("log")).not_to_contain_text("zebra")
    chat.get_by_role("button", name="Start anew").click()
    page.reload()
    expect(chat.get_by_test_id("kept")).to_be_visible()
    expect(chat.get_by_role("log")).not_to_contain_text("zebra")


def test_a_chat_that_a_holder_wants_kept_comes_back_from_the_record(family: Family, show: Open) -> None:
    """In any tab of hers, and the page says that it is kept; in her mother's chat her words are not."""
    settle = named(offered(SMALL.name), "set_companion")
    settle.call(family.lily, {"keep_words": True})
    page = show("lily")
    chat = page.get_by_role("region", name="Talk with Sunny")
    expect(chat.get_by_test_id("kept")).to_contain_text("is kept, because whoever looks after")
    chat.get_by_label("Say something to Sunny").fill("Hello giraffe")
    page.keyboard.press("Enter")
    expect(chat.locator("[data-who=them]")).to_have_count(2, timeout=PATIENCE_MS)
    assert "giraffe" not in str(page.evaluate("JSON.stringify(sessionStorage)"))
    other, hers = show("lily"), show("sarah", "own")
    expect(other.get_by_role("log")).to_contain_text("giraffe")
    expect(hers.get_by_test_id("kept")).to_be_visible()
    expect(hers.get_by_role("log")).not_to_contain_text("giraffe")
    assert complaints(other) == []
    settle.call(family.lily, {"keep_words": False})


@pytest.mark.parametrize("size", SIZES)
def test_a_nurse_asks_to_be_told_on_her_phone_and_says_the_code(
    family: Family, show: Open, size: tuple[int, int]
) -> None:
    """The code comes by the way itself; until it is said the way does not hold; the address is not shown again."""
    page = show("nora", size=size)
    way = panel(page, "Being told on your phone")
    expect(way).to_contain_text("You are told on this page only.")
    way.get_by_text("Be told on your phone").click()
    way.get_by_label("By").select_option("ntfy")
    way.get_by_label("Topic, as an address").fill(f"http://{family.post.host}/topic-{size[0]}")
    way.get_by_role("button", name="Send me a code").click()
    expect(way).to_contain_text("Waits for the code that was sent there.")
    assert complaints(page) == [] and page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    keep(page, f"people-reach-{size[0]}")
    way.get_by_label("Code", exact=True).fill("nonsense")
    way.get_by_role("button", name="Confirm").click()
    expect(way.get_by_role("alert")).to_contain_text("that is not the code")
    code = re.search(r"code is (\w+)\.", family.post.taken[-1][1]["message"])
    assert code is not None and family.post.taken[-1][1]["topic"] == f"topic-{size[0]}"
    way.get_by_label("Code", exact=True).fill(code[1])
    way.get_by_role("button", name="Confirm").click()
    expect(way).not_to_contain_text("Waits for the code")
    expect(way).not_to_contain_text("topic-")
    way.get_by_role("button", name="Stop: the ntfy app on a phone").click()
    expect(way).to_contain_text("You are told on this page only.")


def test_a_child_logs_food_in_words_and_earns_points(family: Family, show: Open) -> None:
    """She says what she ate, is asked, says yes; it stands in the thread in her name, and counts."""
    page = show("lily")
    before = int(page.get_by_test_id("points").inner_text())
    chat = page.get_by_role("region", name="Talk with Sunny")
    chat.get_by_role("button", name="I ate …").click()
    page.keyboard.type("a banana")
    page.keyboard.press("Enter")
    chat.get_by_role("button", name="Yes", exact=True).click(timeout=PATIENCE_MS)
    expect(chat.get_by_role("log")).to_contain_text("I wrote down")
    eaten = [fact for fact in family.bank.thread.read("lily", kinds=["acted/1"]) if fact.by == "lily"]
    assert [fact.body["name"] for fact in eaten] == ["carbs"]
    expect(page.get_by_test_id("points")).to_have_text(str(before + 10))
    expect(page.get_by_role("list", name="Badges")).to_contain_text("First meal written down")
    assert complaints(page) == []


def test_sunny_hands_over_and_the_page_says_so(family: Family, show: Open) -> None:
    """An amount of insulin is not told; a grown-up is asked, and the bubble says that in words."""
    page, hers = show("lily"), show("sarah")
    chat = page.get_by_role("region", name="Talk with Sunny")
    chat.get_by_label("Say something to Sunny").fill("Should I take two units?")
    page.keyboard.press("Enter")
    expect(chat.get_by_role("log")).to_contain_text("A grown-up is asked to help", timeout=PATIENCE_MS)
    expect(hers.get_by_test_id("bell")).to_have_accessible_name("Notices: 1 waiting")


def test_a_lesson_is_tried_again_without_loss_and_then_counts(show: Open) -> None:
    """A wrong answer takes nothing away; the right one earns what a lesson is worth."""
    page = show("lily")
    before = int(page.get_by_test_id("points").inner_text())
    lessons = page.get_by_role("region", name="Lessons")
    lessons.get_by_role("button", name="The arrow").click()
    lessons.get_by_role("button", name="rising").click()
    expect(lessons.get_by_role("status")).to_contain_text("Not that one.")
    expect(page.get_by_test_id("points")).to_have_text(str(before))
    lessons.get_by_role("button", name="falling").click()
    expect(lessons.get_by_role("status")).to_contain_text("Yes, that is right!")
    expect(page.get_by_test_id("points")).to_have_text(str(before + 20))


def test_a_parent_switches_points_off_and_on(show: Open) -> None:
    """Without points the child's page has none; with them all is there as before."""
    page = show("sarah", "team")
    points = panel(page, "Points and badges")
    points.get_by_label("There are points").uncheck()
    points.get_by_role("button", name="Save").click()
    expect(points.get_by_role("status")).to_contain_text("Saved.")
    hers = show("lily")
    expect(hers.get_by_role("region", name="Lessons")).to_be_visible()
    assert hers.get_by_test_id("points").count() == 0
    points.get_by_label("There are points").check()
    points.get_by_role("button", name="Save").click()
    hers.reload()
    expect(hers.get_by_test_id("points")).to_be_visible()


def test_a_demonstration_is_looked_at_as_its_people_and_nobody_else(home: str, show: Open) -> None:
    """The switch reloads the page as another; who is not of the demonstration is refused; no login is told of no others."""
    page = show("sarah")
    page.evaluate("sessionStorage.removeItem('gemel-as')")
    refused = httpx.get(f"{home}/api/twins", params={"as": "mallory"})
    assert refused.status_code == 403
    assert "not as mallory" in refused.json()["detail"]
    assert httpx.get(f"{home}/api/meta", params={"as": "nora"}).json()["purpose"] == CARE
    expect(page.get_by_label("Look as").locator("option")).to_have_text(["sarah", *OTHERS])
