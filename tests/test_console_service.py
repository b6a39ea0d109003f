"""The page of a service in a real browser, over the real server: what is lit, what moves, what a customer sees.

Set GEMEL_SHOTS to a folder to keep a picture of the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
from clinic import CARE, NOW, Clinic, drafts  # noqa: E402
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect  # noqa: E402
from serving import listening  # noqa: E402
from test_console import SCHEMES, SIZES, browser, built, complaints, keep  # noqa: E402, F401

from gemel.dynamics import Dose, Event  # noqa: E402
from gemel.facts import MINUTE  # noqa: E402
from gemel.intervention import Intervention  # noqa: E402
from gemel.server.app import Access  # noqa: E402

Open = Callable[..., Page]
PANELS = ("Journey map", "Queue forecast", "Proposals", "Alerts", "Staff and equipment", "The day, hour by hour",
          "Customers inside", "Proposals tried on copies")  # fmt: skip


@pytest.fixture(scope="module")
def clinic() -> Clinic:
    """Return a clinic that has been open for a while, with a proposal."""
    made = Clinic(days=0.25, seed=11)
    made.weekly()
    doses = Dose("staff.nurses", 1.0, NOW + 10 * MINUTE), Dose("staff.nurses", 0.0, NOW + 130 * MINUTE)
    made.twin.propose(Intervention("one more nurse for two hours", doses), "triage is about to break its promise")
    own = made.inside()[0]
    made.twin.grant(to="cleo", purpose=CARE, read=f"case:{own}")
    return made


@pytest.fixture(scope="module")
def home(clinic: Clinic, built: None) -> Iterator[str]:  # noqa: F811
    """Return the address at which ann is let in."""
    with listening(clinic.app(Access(open_as=("ann", CARE)))) as address:
        yield address


@pytest.fixture
def show(home: str, browser: Browser) -> Iterator[Open]:  # noqa: F811
    """Return a function that opens the page; afterwards nothing may have gone wrong or left the machine."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_page(
        path: str = "/",
        size: tuple[int, int] = (1280, 900),
        scheme: str = "light",
        at: str = home,
        motion: str = "reduce",
    ) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, timezone_id="UTC", locale="en-GB",
            reduced_motion=motion, bypass_csp=True,  # so that axe can be put into the page
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request", lambda asked: wrong.append(asked.url) if urlsplit(asked.url).netloc != urlsplit(at).netloc else 0
        )
        page.goto(at + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def panel_of(page: Page, name: str) -> Locator:
    """Return the panel of that name, whatever it counts."""
    return page.get_by_role("region", name=re.compile(rf"^{name} ?\d*$"))


def ready(page: Page) -> Page:
    """Return the page once the map and who is inside are there."""
    expect(panel_of(page, "Customers inside")).to_be_visible()
    return page


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_the_page_of_a_service_fits_and_reads(show: Open, size: tuple[int, int], scheme: str) -> None:
    """At both widths and in both themes: every panel, no sideways scroll, WCAG AA, nothing that is said by colour alone."""
    page = ready(show(size=size, scheme=scheme))
    for name in PANELS:
        expect(panel_of(page, name)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert complaints(page) == []
    keep(page, f"service-{size[0]}-{scheme}")


def test_trouble_is_lit_before_it_happens_and_said_in_words(show: Open) -> None:
    """A station whose promise will likely be broken says when, beside its ring and to who cannot see it."""
    page = ready(show())
    triage = page.locator("[data-station=triage]")
    expect(triage).to_have_class(re.compile(r"\blikely\b"))
    expect(triage.get_by_role("button")).to_have_attribute(
        "aria-label", re.compile(r"chance that the promise is broken within the hour, in \d+ min")
    )
    expect(triage.locator(".flag text")).to_have_text(re.compile(r"^in \d+ min$"))
    trouble = page.get_by_role("list", name="Trouble ahead")
    expect(trouble).to_contain_text("triage")
    assert 0.5 < float(triage.locator("[data-risk]").get_attribute("data-risk") or 0) <= 1


def test_a_station_is_chosen_from_the_keyboard(show: Open) -> None:
    """Enter on a place of the map shows its forecast."""
    page = ready(show())
    page.locator("[data-station=doctors]").get_by_role("button").focus()
    page.keyboard.press("Enter")
    panel = page.get_by_role("region", name="Queue forecast")
    expect(panel.get_by_label("Station")).to_have_value("doctors")
    expect(panel.get_by_role("img", name=re.compile("Longest wait now .* Promised: 15 min"))).to_be_visible()
    expect(panel.locator("path.fan")).to_have_count(6)


def test_a_customer_is_found_and_her_ways_on_are_told(show: Open) -> None:
    """Filter, choose, read: where she is, how long she stays, what may come next."""
    page = ready(show())
    panel = panel_of(page, "Customers inside")
    panel.get_by_label("Find").fill("triage waiting")
    panel.get_by_role("button", name=re.compile("triage waiting")).first.click()
    journey = panel.get_by_role("article")
    expect(journey).to_contain_text("Still to stay")
    expect(journey).to_contain_text("Ways on")
    expect(journey.get_by_role("row", name=re.compile("^see doctor"))).to_be_visible()
    expect(journey).to_contain_text("register: began to wait")


def test_events_move_customers_along_the_map(clinic: Clinic, show: Open) -> None:
    """Somebody who comes in is a dot on her way; where motion is not wanted, there is none."""
    page, still = ready(show(motion="no-preference")), ready(show())
    who = f"new-{clinic.clock.now}"
    clinic.clock.now += MINUTE
    told = [Event(who, "arrived", clinic.clock.now - 20_000, attributes={"customers": "walk-in"}),
            Event(who, "queued", clinic.clock.now - 19_000, "register")]  # fmt: skip
    clinic.bank.append(drafts(told, "clinic", who))
    expect(page.locator("[data-dot]").first).to_be_attached()
    expect(panel_of(still, "Customers inside")).to_contain_text(who)
    assert still.locator("[data-dot]").count() == 0


def test_nothing_shifts_when_numbers_change(clinic: Clinic, show: Open) -> None:
    """Places on the map stay where they are as time goes on."""
    page = ready(show())
    box = page.locator("[data-station=doctors] .disc").bounding_box()
    before = page.get_by_test_id("inside").inner_text()
    clinic.clock.now += 2 * MINUTE
    told = [
        Event(f"more-{k}", "arrived", clinic.clock.now - 90_000 + k, attributes={"customers": "booked"})
        for k in range(5)
    ]
    clinic.bank.append(drafts(told, "clinic", f"more-{clinic.clock.now}"))
    expect(page.get_by_test_id("inside")).not_to_have_text(before)
    assert page.locator("[data-station=doctors] .disc").bounding_box() == box


def test_a_customer_sees_her_own_journey_and_nothing_else(clinic: Clinic, show: Open) -> None:
    """Who was granted one case is shown that one; the rest of the service is not there."""
    with listening(clinic.app(Access(open_as=("cleo", CARE)))) as address:
        page = show(at=address)
        panel = page.get_by_role("region", name="Your journey")
        expect(panel).to_be_visible()
        expect(panel.get_by_role("article")).to_have_count(1)
        assert page.get_by_role("region", name="Journey map").count() == 0
        assert complaints(page) == []
        keep(page, "service-own")
