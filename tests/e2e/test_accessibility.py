"""Every page under axe-core, light and dark, wide and narrow; charts for those who do not see them; the
journey and the explanations without a mouse.

axe.min.js comes with the package axe-playwright-python: nothing is fetched.
"""

import json

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

import fmd_core as fmd
from app import cache
from app.record.review import Review
from app.view_models import glossary
from tests.browser import way_to

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # every page in both themes under axe-core

WITH_CHARTS = ("find_bias", "harmful", "unlearn", "feature_unlearning", "compare")
PATHS = (
    "", "data", "model", "find_bias", "twins", "harmful", "unlearn", "feature_unlearning", "compare", "report",
    "language_model", "method",
)  # fmt: skip
LOOKS = (("light", 1440), ("dark", 1440), ("light", 390))

# What is Streamlit's own and not ours to mend: the rule, a part of the element's selector or markup, and why.
ALLOWED = (
    (
        "scrollable-region-focusable",
        ".stTable",
        "st.table scrolls sideways in a box of its own that Streamlit gives no tabindex. Chromium and Firefox put "
        "such a box into the tab order themselves (tested below).",
    ),
)

HARMFUL, CHANGED = "Harmful training digits", "Whose answer changed"
LOOK = """async () => {
  const found = await axe.run(document, {resultTypes: ['violations'], elementRef: true});
  return found.violations.filter(v => ['serious', 'critical'].includes(v.impact)).flatMap(v => v.nodes.map(n => ({
    rule: v.id, target: n.target.flat().join(' '), html: n.html.slice(0, 300),
    within: '.' + (n.element?.closest('[data-testid]')?.dataset.testid ?? ''),
    why: [...n.any, ...n.all, ...n.none].map(check => check.message).join('; '),
  })));
}"""
SHAPES = (
    "[data-testid=stPlotlyChart], [data-testid=stTable], [data-testid=stDataFrame], [data-testid=stExpander], "
    ".st-key-before_after"
)
CHARTS = """shapes => { return shapes.map((shape, i) => ({
  kind: shape.dataset.testid, told: shape.getAttribute('aria-label') ?? ours(shape) ?? '',
  next: shapes[i + 1]?.dataset.testid ?? '', text: shapes[i + 1]?.textContent ?? '',
})).filter(shape => ['stPlotlyChart', 'stElementContainer'].includes(shape.kind));
function ours(shape) {  // what we draw lies in a component
  const drawn = shape.querySelector('[data-testid=stBidiComponentIsolated]')?.shadowRoot?.querySelector('svg');
  return drawn?.getAttribute('aria-label');
} }"""
FOCUSED = "element => element === element.getRootNode().activeElement && element.getClientRects().length > 0"


def settled(page):
    """Wait for what loads lazily: what is not there yet cannot be looked at."""
    expect(page.get_by_role("heading", level=1).first).to_be_visible()
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    for chart in page.get_by_test_id("stPlotlyChart").all():
        expect(chart.locator(".main-svg").first).to_be_visible()


def open_fully(visitor, path):
    """A page in the state that shows most."""
    page = visitor.open(path).page
    if path == "harmful":
        first = page.get_by_role("list", name=HARMFUL).get_by_role("button").first
        visitor.act(first.click)
        expect(page.get_by_text("it is harmful")).to_be_visible()
    if path == "unlearn":
        visitor.act(page.get_by_role("button", name="Go to our suggestion").click)
        visitor.act(page.get_by_role("tab", name=CHANGED).click)
        expect(
            page.get_by_role("list", name="Images whose answer changed").get_by_role("listitem").first
        ).to_be_visible()
    if path == "feature_unlearning":
        expect(page.get_by_role("heading", name="What it does to the answers")).to_be_visible(timeout=120_000)
    if path == "compare":
        way_to(page, "Unlearn").click()
        visitor.act(page.get_by_role("button", name="Apply our suggestion").click)
        expect(page.get_by_test_id("stSidebar").get_by_text("In force: variant 1")).to_be_visible()
        way_to(page, "Compare").click()
        expect(page.get_by_role("heading", name="Variants that you kept")).to_be_visible()
        expect(page.locator(".st-key-before_after svg").first).to_be_visible()
    if path == "method":
        page.get_by_text("The formulas").nth(2).click()
        expect(page.locator(".katex:visible").first).to_be_visible()
    settled(page)
    return page


def barriers(page):
    """What axe calls serious or critical, without what is Streamlit's own."""
    page.evaluate("() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")
    return [
        found
        for found in page.evaluate(LOOK)
        if not any(
            found["rule"] == rule and part in found["target"] + found["html"] + found["within"]
            for rule, part, _ in ALLOWED
        )
    ]


def looked_at(page):
    """The barriers of a page in every look, by look."""
    found = {}
    for theme, width in LOOKS:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 900})
        expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", theme)
        settled(page)
        found[f"{theme} {width}"] = barriers(page)
    return found


@pytest.mark.parametrize("path", PATHS)
def test_no_page_has_a_serious_barrier(visit, path):
    visitor = visit()
    page = open_fully(visitor, path)
    page.evaluate(AXE_SCRIPT)
    found = looked_at(page)
    for tab in page.get_by_role("tab", selected=False).all() if path == "unlearn" else ():
        visitor.act(tab.click)
        settled(page)
        found |= {f"{tab.inner_text()}, {look}": these for look, these in looked_at(page).items()}
    assert not any(found.values()), json.dumps(found, indent=1)
    charts = page.locator(SHAPES).evaluate_all(CHARTS)
    assert bool(charts) == (path in WITH_CHARTS)
    for chart in charts:
        assert len(chart["told"]) > 20, chart
        is_table = chart["next"] in ("stTable", "stDataFrame")
        assert is_table or "The same as a table" in chart["text"][:50], chart


def test_what_opens_on_demand_has_no_serious_barrier(visit):
    """The limits, the controls, the history, and the tour beside them."""
    visitor = visit().open()
    page, found = visitor.page, {}
    page.evaluate(AXE_SCRIPT)  # pages of the dashboard are one document
    page.get_by_role("button", name="Take the tour").click()
    expect(page.get_by_text("1 of 6")).to_be_visible()
    settled(page)
    found["tour"] = looked_at(page)
    page.get_by_role("button", name="Leave", exact=True).click()
    page.get_by_role("button", name="Limits", exact=True).click()
    expect(page.get_by_role("slider", name="Limit")).to_be_visible()
    found["limits"] = looked_at(page)
    page.keyboard.press("Escape")
    visitor.go("Unlearn")
    visitor.act(page.get_by_role("button", name="Apply our suggestion").click)
    page.get_by_text("Choose by hand").click()
    page.get_by_role("button", name="History", exact=True).click()
    expect(page.get_by_role("cell", name="apply", exact=True)).to_be_visible()
    found["history"] = looked_at(page)
    assert not any(these for looks in found.values() for these in looks.values()), json.dumps(found, indent=1)


def test_a_network_that_learned_on_stands_on_the_stage_without_a_barrier_or_a_mouse(visit):
    visitor = visit().open("unlearn")
    page = visitor.page
    settled(page)
    begin = page.get_by_role("button", name="Let it learn on").last
    begin.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("last block learned on")).to_be_visible(timeout=240_000)
    settled(page)
    slider = page.get_by_role("slider").first
    before = page.locator(".told").text_content()
    tab_to(page, slider)
    for key in ("Home", "ArrowRight"):
        visitor.act(lambda key=key: page.keyboard.press(key))
    expect(page.locator(".told")).not_to_have_text(before)
    settled(page)
    page.evaluate(AXE_SCRIPT)
    found = looked_at(page)
    assert not any(found.values()), json.dumps(found, indent=1)


@pytest.mark.parametrize("fix", [False, True], ids=["found", "repaired"])
def test_the_report_itself_has_no_serious_barrier(chromium, tmp_path, fix):
    study = cache.study(Review())
    html = fmd.render_report(study.evidence(study.path().suggested if fix else None))
    (tmp_path / "report.html").write_text(html)
    page, found = chromium.new_page(viewport={"width": 1440, "height": 900}), {}
    page.goto((tmp_path / "report.html").as_uri())
    page.evaluate(AXE_SCRIPT)
    for theme, width in LOOKS:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 900})
        found[f"{theme} {width}"] = barriers(page)
    page.close()
    assert not any(found.values()), json.dumps(found, indent=1)


def test_who_asks_for_less_motion_gets_none(visit):
    """Nothing of ours moves by itself or glides: what loads is gray, and twins change their frame at once."""
    visitor = visit()
    visitor.page.emulate_media(reduced_motion="reduce")
    page = visitor.open("unlearn").page
    settled(page)
    glides = page.locator(".twin").first.evaluate("twin => getComputedStyle(twin).transitionDuration")
    assert glides == "0s"
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', \"<div class='fmd-skeleton'><i></i></div>\")"
    )
    assert page.locator(".fmd-skeleton i").evaluate("bar => getComputedStyle(bar).animationName") == "none"


def test_the_tour_is_walked_without_a_mouse(visit):
    visitor = visit().open()
    page = visitor.page

    def press(name):
        button = page.get_by_role("button", name=name)
        expect(button).to_have_count(1)  # that of the page before goes a moment later
        tab_to(page, button)
        page.keyboard.press("Enter")

    press("Take the tour: a whole review in two minutes")
    for number in range(1, 6):
        expect(page.get_by_text(f"{number} of 6", exact=True)).to_be_visible()
        press("Next")
    expect(page.get_by_text("6 of 6", exact=True)).to_be_visible()
    press("End the tour")
    expect(page.get_by_text("6 of 6", exact=True)).to_have_count(0)


def tab_to(page, target, *, back=False):
    """Press Tab, or Shift and Tab, until `target` has the focus, where it can be seen."""
    expect(target).to_be_visible()
    for _ in range(200):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        if target.evaluate(FOCUSED):
            return
    pytest.fail(f"Tab never reaches {target}")


def test_a_model_is_debiased_without_a_mouse(visit):
    visitor = visit().open()
    page, sidebar = visitor.page, visitor.page.get_by_test_id("stSidebar")

    def press(target, key="Enter", *, back=False):
        tab_to(page, target, back=back)
        visitor.act(lambda: page.keyboard.press(key))

    press(page.get_by_role("button", name="Find the bias").first)
    expect(
        page.get_by_role("heading", name="Changing only the colour moves the answer by 64.1 points")
    ).to_be_visible()
    lines = page.get_by_role("list", name="What was found, most serious first").get_by_role("button")
    press(lines.nth(2))
    expect(page.get_by_text("of pink digits are answered “digit 2”")).to_be_visible()
    tab_to(page, page.get_by_role("button", name="Limits", exact=True), back=True)
    page.keyboard.press("Enter")  # what it shows is here already
    press(page.get_by_role("slider", name="Limit"), "ArrowRight")
    expect(page.get_by_text("Beyond the limit of 11 points")).to_be_visible()
    page.keyboard.press("Escape")
    press(page.get_by_role("button", name="Look at who taught it that"))
    press(page.get_by_role("link", name="Twins", exact=True), back=True)
    flips = page.get_by_role("switch", name="Only where the answer flips")
    press(flips, "Space")
    expect(flips).to_be_checked()
    press(page.get_by_role("list", name="Twin pairs").get_by_role("button").first)
    expect(page.get_by_role("heading", name="Where the model looks")).to_be_visible()
    press(page.get_by_role("link", name="Harmful samples", exact=True), back=True)
    press(page.get_by_role("list", name=HARMFUL).get_by_role("button").nth(1))
    expect(page.get_by_text("it is harmful")).to_be_visible()
    press(page.get_by_role("link", name="Fix", exact=True), back=True)
    press(page.get_by_role("slider", name="Strength"), "ArrowRight")
    expect(page.get_by_role("heading", name="the colour bias falls")).to_be_visible()
    press(page.get_by_role("button", name="Go to our suggestion"))
    press(page.get_by_role("button", name="Apply this"))
    expect(sidebar.get_by_text("In force: variant 1")).to_be_visible()
    press(page.get_by_role("button", name="Undo"))
    expect(sidebar.get_by_text("In force: the original model")).to_be_visible()


def test_a_term_is_explained_by_hover_and_by_keyboard(visit):
    page = visit().open("unlearn").page
    settled(page)
    tooltip = page.get_by_role("tooltip")
    tab_to(page, page.get_by_role("button", name="Help for Strength"))
    expect(tooltip.first).to_contain_text(glossary.term("Strength").meaning)
    page.keyboard.press("Escape")
    expect(tooltip).to_have_count(0)
    page.get_by_test_id("stMetric").nth(4).get_by_test_id("stTooltipIcon").hover()
    expect(tooltip.first).to_contain_text(glossary.term("The pattern").meaning)


def test_a_table_wider_than_the_screen_scrolls_by_keyboard(visit):
    page = visit(390, 844).open("find_bias").page
    settled(page)
    box = page.get_by_test_id("stTable").filter(visible=True).first.locator("> div")
    tab_to(page, box)
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    assert box.evaluate("box => box.scrollLeft") > 0


def test_a_link_leads_to_its_term(visit):
    page = visit().open("method#placebo-twins").page
    ids = set(page.locator("h3[id]").evaluate_all("all => all.map(heading => heading.id)"))
    assert {term.anchor for term in glossary.TERMS} <= ids
    expect(page.get_by_role("heading", name="Placebo twins")).to_be_in_viewport()
    expect(page.get_by_role("heading", level=1)).not_to_be_in_viewport()
    page.get_by_role("link", name="Our suggestion", exact=True).press("Enter")
    expect(page.get_by_role("heading", name="Our suggestion")).to_be_in_viewport()
