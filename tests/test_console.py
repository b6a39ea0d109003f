"""The console in a real browser, against the fake server: what a person sees, hears and can do from the keyboard.

Set GEMEL_SHOTS to a folder to keep a picture of the page and of every panel in the gallery.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
from playwright.sync_api import Browser, BrowserContext, Page, expect  # noqa: E402
from serving import CARE, Works, listening  # noqa: E402

from gemel.facts import HOUR  # noqa: E402
from gemel.server.app import Access  # noqa: E402

ROOT = Path(__file__).parents[1]
CONSOLE = ROOT / "console"
STATIC = ROOT / "src/gemel/server/static"
CHROMIUM = Path("/usr/bin/chromium")
AXE = CONSOLE / "node_modules/axe-core/axe.min.js"
SIZES = [pytest.param((1280, 900), id="1280"), pytest.param((390, 844), id="390")]
SCHEMES = ["light", "dark"]
Open = Callable[..., Page]
SOMETHING = re.compile(".+")


def run(*command: str) -> str:
    """Return what *command* prints, run in the console's folder."""
    return subprocess.run(command, cwd=CONSOLE, check=True, capture_output=True, text=True).stdout


def stale() -> bool:
    """Return whether a source is newer than the built page, or there is none."""
    built = STATIC / "index.html"
    sources = [*CONSOLE.glob("src/**/*.*"), *CONSOLE.glob("*.html"), *CONSOLE.glob("*.ts"), CONSOLE / "package.json"]
    return not built.exists() or max(path.stat().st_mtime for path in sources) > built.stat().st_mtime


@pytest.fixture(scope="module")
def built() -> None:
    """Build the console where that is needed and possible."""
    if not stale():
        return
    if shutil.which("npm") is None:
        pytest.skip("the console is not built and there is no npm")
    if not (CONSOLE / "node_modules").is_dir():
        run("npm", "ci", "--no-audit", "--no-fund")
    run("npm", "run", "build")


@pytest.fixture(scope="module")
def server(built: None) -> Iterator[str]:
    """Return the address of a fake server whose clock stands still."""
    command = [sys.executable, str(CONSOLE / "dev/fake_server.py"), "--port", "0", "--hold"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return Debian's chromium."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}")
    with playwright.sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def show(server: str, browser: Browser) -> Iterator[Open]:
    """Return a function that opens the page; afterwards nothing may have gone wrong or left the machine."""
    tell(server, "reset")
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def open_page(
        path: str = "/", size: tuple[int, int] = (1280, 900), scheme: str = "light", dropped: bool = False
    ) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, timezone_id="UTC", locale="en-GB",
            reduced_motion="reduce",
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        if not dropped:
            page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        home = urlsplit(server).netloc
        page.on("request", lambda asked: wrong.append(asked.url) if urlsplit(asked.url).netloc not in (home, "") else 0)
        page.goto(server + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def tell(server: str, what: str) -> None:
    """Move the fake world."""
    httpx.post(f"{server}/dev/{what}").raise_for_status()


def ready(page: Page) -> Page:
    """Return the page once it shows a live twin."""
    expect(page.get_by_test_id("connection")).to_have_text("live")
    expect(page.locator("[data-dots=within]")).to_have_attribute("d", SOMETHING)
    return page


def keep(page: Page, name: str) -> None:
    """Keep a picture, where someone wants it."""
    if folder := os.environ.get("GEMEL_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def tab_to(page: Page, label: str) -> None:
    """Press Tab until the focus is on the button of that *label*."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText") == label:
            return
    pytest.fail(f"Tab never reaches {label!r}")


def complaints(page: Page) -> list[str]:
    """Return what axe finds against WCAG 2.2 A and AA, contrast included."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in console/")
    page.add_script_tag(path=AXE)
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = page.evaluate("tags => axe.run(document, {runOnly: tags})", tags)
    assert found["passes"]
    return [f"{one['id']}: {node['html'][:120]}" for one in found["violations"] for node in one["nodes"]]


def test_the_console_speaks_the_servers_schema() -> None:
    """The OpenAPI document and the gallery's fixture are what schema.py and the fake server emit today."""
    emitted = run(sys.executable, "dev/openapi.py")
    assert (CONSOLE / "src/api/openapi.json").read_text() == emitted, "see console/README.md"
    fixture = run(sys.executable, "dev/fake_server.py", "--fixture")
    assert (CONSOLE / "src/gallery/fixture.json").read_text() == fixture, "see console/README.md"


def test_the_types_are_those_of_the_document(tmp_path: Path) -> None:
    """openapi-typescript makes of openapi.json what is checked in."""
    tool = CONSOLE / "node_modules/.bin/openapi-typescript"
    if not tool.exists():
        pytest.skip("npm ci in console/ first")
    run(str(tool), "src/api/openapi.json", "-o", str(tmp_path / "schema.d.ts"))
    assert (CONSOLE / "src/api/schema.d.ts").read_text() == (tmp_path / "schema.d.ts").read_text()


def test_no_file_names_a_registry() -> None:
    """The lock file holds versions and digests only."""
    assert '"resolved"' not in (CONSOLE / "package-lock.json").read_text()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_the_page_fits_and_reads(show: Open, size: tuple[int, int], scheme: str) -> None:
    """At both widths and in both themes: past, now, future, all panels, no sideways scroll, WCAG AA."""
    page = ready(show(size=size, scheme=scheme))
    for title in ("Past, now and future", "Proposals", "Alerts", "What if?", "How well past forecasts came true"):
        expect(page.get_by_role("region", name=title)).to_be_visible()
    expect(page.locator(".caption")).to_contain_text("past")
    expect(page.locator(".caption")).to_contain_text("now 14:00")
    expect(page.locator(".caption")).to_contain_text("future")
    expect(page.locator("path.fan")).to_have_count(3)
    expect(page.get_by_text("Not a medical device", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert complaints(page) == []
    keep(page, f"page-{size[0]}-{scheme}")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_every_panel_stands_in_the_gallery(show: Open, size: tuple[int, int], scheme: str) -> None:
    """Each entry shows something, stays inside the page and is readable."""
    page = show("/gallery.html", size, scheme)
    entries = page.locator("[data-entry]")
    expect(entries.last).to_be_visible()
    for entry in entries.all():
        box = entry.bounding_box()
        assert box is not None
        assert box["height"] > 40
        assert box["x"] + box["width"] <= size[0]
        if folder := os.environ.get("GEMEL_SHOTS"):
            entry.screenshot(path=Path(folder) / f"{entry.get_attribute('data-entry')}-{size[0]}-{scheme}.png")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert complaints(page) == []


def test_a_proposal_is_approved_from_the_keyboard_alone(server: str, show: Open) -> None:
    """Tab, Enter, a question whose way out has the focus, Tab, Enter; then the status follows what is done."""
    page = ready(show())
    tab_to(page, "Approve…")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Meals: 12 g at 14:05")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    expect(dialog.get_by_role("button", name="Approve now")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    card = page.locator("[data-seq='412']")
    expect(card.get_by_role("heading")).to_be_focused()
    expect(card.locator(".chip")).to_have_text("approved")
    expect(page.get_by_text("12 g carbs now: approved")).to_have_attribute("role", "status")
    tell(server, "deliver")
    expect(card.locator(".chip")).to_have_text("delivered")


def test_a_decision_that_comes_too_late_says_so(server: str, show: Open) -> None:
    """The server's refusal is shown where the decision was made."""
    page = ready(show(dropped=True))
    page.get_by_role("button", name="Reject…").click()
    tell(server, "expire")
    page.get_by_role("button", name="Reject now").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("can no longer be decided")


def test_why_shows_the_chain_down_to_readings_and_esc_gives_the_focus_back(show: Open) -> None:
    """A proposal follows from a forecast, which follows from what was read."""
    page = ready(show())
    tab_to(page, "Why?")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Why?")
    for text in ("12 g carbs now", "Glucose 4 hours ahead", "Bolus insulin 5 U", "Glucose 124 mg/dL"):
        expect(dialog.get_by_text(text).first).to_be_visible()
    assert complaints(page) == []
    for _ in range(20):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator("[data-seq='412']").get_by_role("button", name="Why?")).to_be_focused()


def test_a_pushed_view_moves_the_axis(server: str, show: Open) -> None:
    """A reading that arrives is drawn without a reload."""
    page = ready(show())
    dots, axis = page.locator("[data-dots=within]"), page.locator("svg[data-now]")
    before, then = dots.get_attribute("d"), axis.get_attribute("data-now")
    assert before
    assert then
    tell(server, "step")
    expect(axis).to_have_attribute("data-now", str(int(then) + 300_000))
    expect(dots).not_to_have_attribute("d", before)
    expect(page.locator(".caption")).to_contain_text("now 14:05")


def test_a_dropped_socket_is_said_and_mended(server: str, show: Open) -> None:
    """Reconnecting is visible, what was known stays, and the page catches up by itself."""
    page = ready(show(dropped=True))
    tell(server, "drop")
    expect(page.get_by_test_id("connection")).to_have_text("reconnecting…")
    expect(page.locator("[data-dots=within]")).to_have_attribute("d", SOMETHING)
    assert page.evaluate("document.getAnimations().length") == 0, "reduced motion is respected"
    tell(server, "step")
    tell(server, "restore")
    expect(page.get_by_test_id("connection")).to_have_text("live")
    expect(page.locator(".caption")).to_contain_text("now 14:05")


def test_the_cursor_speaks_past_and_future(show: Open) -> None:
    """Arrow keys move along time and a live region says what is there."""
    page = ready(show())
    page.get_by_role("application").focus()
    spoken = page.get_by_test_id("spoken")
    page.keyboard.press("n")
    expect(spoken).to_contain_text("14:00, Glucose 124 mg/dL")
    page.keyboard.press("ArrowLeft")
    expect(spoken).to_contain_text("13:55, Glucose")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(spoken).to_contain_text("14:10, Forecast")
    expect(spoken).to_contain_text("80 % range")
    page.keyboard.press("Escape")
    expect(spoken).to_be_empty()


def test_the_axis_is_a_table_too(show: Open) -> None:
    """Everything drawn can be read as rows."""
    page = ready(show())
    page.get_by_text("Show as table").click()
    table = page.get_by_role("region", name="Glucose as a table")
    expect(table.get_by_role("row", name="14:00 124")).to_have_count(1)
    expect(table.locator("tr.future")).to_have_count(48)


def test_what_if_lays_a_fork_over_the_forecast_and_takes_it_away(show: Open) -> None:
    """Supposing draws a fork and shows its metrics beside as usual; removing leaves no trace."""
    page = ready(show())
    panel = page.get_by_role("region", name="What if?")
    panel.get_by_label("Suppose").select_option("sport")
    panel.get_by_label("Effort").select_option("hard")
    panel.get_by_role("button", name="Try it").click()
    fork = page.locator("[data-fork^='Sport, hard']")
    expect(fork).to_have_count(1)
    expect(panel.get_by_role("row", name="Time below target, %")).to_contain_text("worse")
    panel.get_by_role("button", name="Remove Sport, hard").click()
    expect(fork).to_have_count(0)


def test_a_silent_sensor_is_not_passed_off_as_now(server: str, show: Open) -> None:
    """The fallback is said, the old value is struck through and nothing is forecast."""
    tell(server, "scene/stale")
    page = ready(show())
    expect(page.get_by_role("alert")).to_contain_text("check the sensor")
    expect(page.get_by_text("Fallen back.")).to_be_visible()
    expect(page.get_by_text("40 min ago")).to_be_visible()
    expect(page.locator("path.fan")).to_have_count(0)
    assert complaints(page) == []


def test_a_twin_without_readings_says_so(server: str, show: Open) -> None:
    """The empty page explains itself."""
    tell(server, "scene/empty")
    page = show()
    expect(page.get_by_test_id("connection")).to_have_text("live")
    expect(page.get_by_text("No reading yet")).to_be_visible()
    expect(page.get_by_text("Nothing to decide.")).to_be_visible()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_one_logs_in_and_out(server: str, show: Open, size: tuple[int, int], scheme: str) -> None:
    """A page that asks who one is, says when a token is wrong, shows who one is then, and forgets it at the end."""
    tell(server, "lock")
    page = show(size=size, scheme=scheme, dropped=True)
    expect(page.get_by_role("heading", name="Log in to Gemel")).to_be_visible()
    expect(page.get_by_role("link", name="Log in with your organisation")).to_have_attribute("href", "login/provider")
    assert complaints(page) == []
    keep(page, f"login-{size[0]}-{scheme}")
    token = page.get_by_label("Or with a token")
    token.fill("gemel_wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("this token opens nothing")
    token.fill("gemel_right")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(ready(page).get_by_text("sarah, for care")).to_be_visible()
    keep(page, f"logged-in-{size[0]}-{scheme}")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in to Gemel")).to_be_visible()
    expect(page.get_by_text("sarah")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_login_that_ends_asks_again(server: str, show: Open) -> None:
    """A session that is over takes what was shown away, and offers the way back in; a used link says so."""
    page = ready(show(dropped=True))
    tell(server, "lock")
    tell(server, "drop")
    expect(page.get_by_role("heading", name="Log in to Gemel")).to_be_visible()
    page = show("/#login=used", dropped=True)
    expect(page.get_by_role("alert")).to_contain_text("used already")


def test_the_link_opens_the_console_at_once(built: None, browser: Browser) -> None:
    """Against the real server, its headers included: link, live view, a supposition, log out; the page stays whole."""
    works = Works()
    works.pass_time(HOUR)
    app = works.app(Access(holder=("ann", CARE)))
    with listening(app) as home, browser.new_context() as context:
        page = context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if "Content Security" in said.text else None)
        page.goto(f"{home}/login?token={app.state.porter.ticket.now}")
        expect(page.get_by_test_id("connection")).to_have_text("live")
        expect(page.get_by_text("ann, for care")).to_be_visible()
        page.get_by_role("button", name="Try it").click()
        expect(page.locator("[data-fork]")).to_have_count(1)
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", name="Log in to Gemel")).to_be_visible()
    assert wrong == []


def test_a_demonstration_says_that_it_asks_nobody(show: Open) -> None:
    """On the page, beside who one is taken for."""
    expect(ready(show()).get_by_test_id("open")).to_have_text("demo: no login, this machine only")


def test_an_unknown_twin_offers_those_there_are(show: Open) -> None:
    """The one shape of an error ends in a way on."""
    page = show("/#nobody", dropped=True)
    expect(page.get_by_role("alert")).to_contain_text("unknown twin 'nobody'")
    page.get_by_role("link", name="lily", exact=True).click()
    expect(page.get_by_role("heading", name="Lily")).to_be_visible()


def test_the_theme_is_the_systems_until_chosen(show: Open) -> None:
    """The toggle overrides the system and is remembered."""
    page = ready(show(scheme="light"))
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Switch to dark colours").click()
    page.reload()
    expect(page.get_by_role("button", name="Switch to light colours")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
