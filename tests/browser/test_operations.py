"""A trace in a real browser: walked and zoomed by keys and pointer, all of a span at hand, live until it has ended."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from studio.database.connection import Database
from tests.support.postgres import TestServer
from tests.support.story import Story
from tests.support.traced_jobs import OVERLOADED, Fault, Traces, Work, crowd, phase0
from tests.support.web import StudioThread

CROWD = 400


@dataclass
class Scene:
    """A studio with traces of each kind, and a page of somebody who has signed in."""

    web: StudioThread
    traces: Traces
    context: BrowserContext
    page: Page
    ok: UUID
    failed: UUID
    crowd: UUID

    def open(self, trace: UUID, query: str = "") -> Page:
        """Show a trace from its beginning."""
        self.page.goto(f"{self.web.url}/traces/{trace.hex}{query}")
        expect(self.page.locator("#viewer .line[tabindex='0']")).to_have_count(1)
        return self.page


@pytest.fixture(scope="module")
def scene(
    browser: Browser, postgres: TestServer, database_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("operations") / "data"
    with postgres.temporary(database_template) as name, Database(postgres.url(name)) as database:
        web = StudioThread(database, folder)
        with web, contextlib.closing(web.sign_in("ada")) as client:
            traces = Traces(database, Story(database, web.settings, "ada").id)
            context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
            cookies = client.cookies.items()
            context.add_cookies([{"name": name, "value": value, "url": web.url} for name, value in cookies])
            context.grant_permissions(["clipboard-read", "clipboard-write"], origin=web.url)
            yield Scene(
                web,
                traces,
                context,
                context.new_page(),
                ok=traces.store(phase0()),
                failed=traces.store(phase0(fault=Fault())),
                crowd=traces.store(crowd(CROWD)),
            )
            context.close()


def line(page: Page, name: str) -> Locator:
    """Return the first line of a name."""
    return page.locator(f'#viewer .line[data-name="{name}"]').first


def width(page: Page, name: str) -> float:
    """Return how wide the bar of a line is drawn, in percent of the window."""
    return float((line(page, name).locator("rect.bar").get_attribute("width") or "").removesuffix("%"))


def fits(page: Page) -> None:
    """Check that all of the trace is looked at."""
    expect(page.locator("#viewer .ruler .window")).to_have_attribute("width", "0")


def test_the_waterfall_is_walked_by_keys(scene: Scene) -> None:
    page = scene.open(scene.ok)
    tree = page.get_by_role("tree")
    expect(tree.get_by_role("treeitem").first).to_have_attribute("data-name", "job:phase0.generate_packet")
    tree.get_by_role("treeitem").first.focus()
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    expect(line(page, "agent:research")).to_be_focused()
    assert line(page, "agent:research").evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
    page.keyboard.press("ArrowLeft")
    expect(line(page, "agent:research")).to_have_attribute("aria-expanded", "false")
    expect(line(page, "tool:web_search")).to_be_hidden()
    page.keyboard.press("ArrowDown")
    expect(line(page, "step:plan")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    expect(line(page, "tool:web_search")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(line(page, "step:research")).to_be_focused()


def test_it_is_zoomed_by_keys_and_fits_again(scene: Scene) -> None:
    page = scene.open(scene.ok)
    whole = width(page, "step:research")
    line(page, "step:research").focus()
    page.keyboard.press("+")
    expect(page.get_by_role("button", name="Fit").first).to_be_enabled()
    assert width(page, "step:research") > whole
    page.keyboard.press("z")
    expect(line(page, "step:research").locator("rect.bar")).to_have_attribute("width", "100%")
    # What is before the window is drawn nowhere in it.
    assert (line(page, "queue:wait").locator("rect.bar").get_attribute("x") or "").startswith("-")
    page.keyboard.press("Home")
    expect(page.get_by_role("button", name="Fit").first).to_be_disabled()
    assert width(page, "step:research") == pytest.approx(whole, abs=0.01)
    fits(page)


def test_it_is_zoomed_by_dragging_by_the_wheel_and_by_buttons(scene: Scene) -> None:
    page = scene.open(scene.ok)
    page.locator("#viewer .ruler").scroll_into_view_if_needed()
    box = page.locator("#viewer .ruler").bounding_box()
    assert box is not None
    whole = width(page, "job:phase0.generate_packet")
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 8, steps=3)
    page.mouse.up()
    expect(page.locator("#viewer .ruler .window")).to_have_attribute("x", re.compile(r"2[45]\.?\d*%"))
    page.get_by_role("button", name="Fit").first.click()
    fits(page)
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    expect(page.get_by_role("button", name="Fit").first).to_be_enabled()
    assert width(page, "job:phase0.generate_packet") > whole
    page.get_by_role("button", name="Fit").first.click()
    page.get_by_role("button", name="Nearer").first.click()
    expect(page.get_by_role("button", name="Fit").first).to_be_enabled()


def test_all_of_a_span_is_at_hand_and_goes_again(scene: Scene) -> None:
    page = scene.open(scene.ok)
    asked = line(page, "llm:anthropic")
    asked.focus()
    page.keyboard.press("Enter")
    drawer = page.get_by_role("complementary", name="One span")
    expect(drawer.get_by_role("heading", level=2)).to_be_focused()
    expect(drawer).to_contain_text("Who lends tools?")
    expect(drawer).to_contain_text("529")
    assert "span=" in page.url
    drawer.get_by_role("button", name="Copy").first.click()
    expect(drawer.get_by_role("button", name="Copied")).to_be_visible()
    assert "Who lends tools?" in page.evaluate("navigator.clipboard.readText()")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(asked).to_be_focused()
    assert "span=" not in page.url
    # What is opened from its address is there with the page.
    span = asked.get_attribute("data-span")
    scene.open(scene.ok, f"?span={span}")
    expect(drawer).to_contain_text("Who lends tools?")
    expect(line(page, "llm:anthropic")).to_have_attribute("aria-selected", "true")


def test_names_are_filtered_and_the_critical_path_is_shown(scene: Scene) -> None:
    page = scene.open(scene.ok)
    page.keyboard.press("/")
    expect(page.get_by_label("Filter spans by name")).to_be_focused()
    page.keyboard.type("web_search")
    expect(page.locator("[data-filtered]")).to_have_text(re.compile(r"5 of \d+ lines"))
    expect(line(page, "queue:wait")).to_be_hidden()
    # Where they are stays in sight.
    expect(line(page, "agent:research")).to_be_visible()
    page.keyboard.press("Escape")
    expect(line(page, "queue:wait")).to_be_visible()
    page.keyboard.press("c")
    expect(page.get_by_role("button", name="Critical path")).to_have_attribute("aria-pressed", "true")
    off = page.locator("#viewer .line:not(.critical)").first
    assert float(off.evaluate("node => getComputedStyle(node).opacity")) < 0.6
    page.keyboard.press("c")
    expect(page.get_by_role("button", name="Critical path")).to_have_attribute("aria-pressed", "false")


def test_the_flame_graph_is_walked_and_filled_with_a_box(scene: Scene) -> None:
    page = scene.open(scene.ok)
    root = page.locator('#flame a[data-name="job:phase0.generate_packet"]')
    root.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    research = page.locator('#flame a[data-name="step:research"]')
    expect(research).to_be_focused()
    expect(page.locator("[data-flame-told]")).to_contain_text("step:research: 21.0 s")
    page.keyboard.press("Enter")
    expect(research.locator("svg[data-a]")).to_have_attribute("width", "100%")
    page.keyboard.press("Home")
    expect(research.locator("svg[data-a]")).not_to_have_attribute("width", "100%")
    research.click()
    expect(research.locator("svg[data-a]")).to_have_attribute("width", "100%")


def test_like_spans_are_opened_without_leaving_the_page(scene: Scene) -> None:
    page = scene.open(scene.crowd)
    page.evaluate("window.stayed = true")
    expect(page.locator("#viewer .line")).to_have_count(6)
    summed = line(page, "tool:read_page")
    expect(summed).to_contain_text(f"{CROWD} × tool:read_page")
    summed.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer .line")).to_have_count(6 + 100 + 1)
    page.locator("#viewer .line").last.locator("a.fold-line").click()
    expect(page.locator("#viewer .line")).to_have_count(6 + 100 + 1)
    assert "open=" in page.url
    page.get_by_role("link", name="Back to the whole trace").click()
    expect(page.locator("#viewer .line")).to_have_count(6)
    assert page.evaluate("window.stayed")


def test_an_open_trace_is_followed_to_its_end_and_leaves_the_reader_where_he_is(scene: Scene) -> None:
    job = uuid4()
    work = phase0(open_=True)
    trace = scene.traces.store(work, job_id=job, ago=timedelta(seconds=40))
    with scene.page.expect_response(re.compile("/parts/traces/")):
        # Every part is read anew when the stream is there; what comes after that comes of the asking.
        page = scene.open(trace)
    expect(page.locator(".facts-row")).to_contain_text("running")
    line(page, "agent:research").focus()
    page.keyboard.press("z")
    page.keyboard.press("ArrowLeft")
    scene.traces.store(ended(work), job_id=job, ago=timedelta(seconds=60))
    expect(page.locator(".facts-row")).to_contain_text("ok")
    expect(page.locator("#trace[data-every]")).to_have_count(0)
    expect(line(page, "agent:research")).to_be_focused()
    expect(line(page, "tool:web_search")).to_be_hidden()
    expect(page.locator("#viewer .ruler .window")).not_to_have_attribute("width", "0")


def ended(work: Work) -> Work:
    """Return the same work, come to a good end."""
    for piece, _ in work.walk():
        if piece.ms is None:
            piece.ms, piece.status = 58_000 - piece.at, "ok"
    return work


def test_without_scripts_it_is_a_drawing_and_links(scene: Scene, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False, storage_state=scene.context.storage_state())
    with contextlib.closing(context):
        page = context.new_page()
        page.goto(f"{scene.web.url}/traces/{scene.ok.hex}")
        box = line(page, "step:research").locator("rect.bar").bounding_box()
        assert box is not None
        assert box["width"] > 100
        line(page, "llm:anthropic").get_by_role("link", name="llm:anthropic").click()
        expect(page.locator("#span")).to_contain_text("Who lends tools?")
        expect(page.get_by_role("button", name="Nearer").first).to_be_hidden()


def test_an_error_is_called_mended_and_opened_again(scene: Scene) -> None:
    page = scene.page
    page.goto(f"{scene.web.url}/operations/errors")
    page.get_by_role("link", name="ModelUnavailable").click()
    expect(page.locator("#error")).to_contain_text("open")
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    page.get_by_role("button", name="It is mended").click()
    expect(page.locator("#error .facts-row")).to_contain_text("resolved")
    page.get_by_role("button", name="Open it again").click()
    expect(page.get_by_role("button", name="It is mended")).to_be_visible()
    page.get_by_role("link", name="Open its trace").click()
    expect(page.get_by_role("complementary", name="One span")).to_contain_text("overloaded_error")


def test_on_a_phone_an_error_has_its_cells_below_each_other(scene: Scene) -> None:
    page = scene.context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{scene.web.url}/operations/errors/{OVERLOADED}")
    for table in ("Requests", "Occurrences"):
        cells = page.get_by_role("region", name=f"{table}, scrollable").locator("tbody tr").first.locator("th, td")
        boxes = [box for cell in cells.all() if (box := cell.bounding_box())]
        assert len(boxes) > 3
        assert all(above["y"] + above["height"] <= below["y"] + 1 for above, below in itertools.pairwise(boxes))
        assert min(box["width"] for box in boxes) > 300
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


def test_a_point_of_a_chart_leads_to_its_runs(scene: Scene) -> None:
    page = scene.page
    page.goto(f"{scene.web.url}/operations/time?since=24h&name=step:research")
    point = page.get_by_role("link", name=re.compile("^p50 .*show the runs")).last
    point.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=re.compile("^The runs behind"))).to_be_visible()
    page.locator("#runs").get_by_role("link").first.click()
    expect(page.locator("#viewer")).to_be_visible()
