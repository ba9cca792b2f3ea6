"""The whole journey in a real browser: find, look, unlearn, undo, report."""

import json
import math
import re
import urllib.error
import urllib.request
from itertools import pairwise

import pytest
from playwright.sync_api import expect
from safetensors.numpy import load as load_tensors

from app import cache
from app.record.review import Review
from app.widgets import twin_stage
from fmd_core.method import find_strategy
from tests.browser import way_to

REVIEW = Review()

pytestmark = pytest.mark.browser
PAINTED = "images => images.length > 0 && images.every(i => i.complete && i.naturalWidth > 0)"


def images_painted(page, label) -> int:
    """Wait until every picture of a gallery is decoded; how many there are."""
    pictures = page.get_by_role("list", name=label).locator("img")
    expect(pictures.first).to_be_visible()
    assert pictures.evaluate_all(PAINTED)
    return pictures.count()


def comes_to_rest_on(one, other) -> bool:
    """Whether the middles of two elements come to lie within two pixels; the page may still be moving."""
    for _ in range(50):
        boxes = [element.bounding_box() for element in (one, other)]
        middles = [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in boxes]
        if math.dist(*middles) < 2:
            return True
        one.page.wait_for_timeout(100)
    return False


def bias_shown(page) -> float:
    text = page.get_by_test_id("stMetricValue").first.inner_text()
    return float(re.search(r"[\d.]+", text).group())


def test_a_stranger_debiases_a_model(visit, tmp_path):
    visitor = visit().open()
    page, sidebar = visitor.page, visitor.page.get_by_test_id("stSidebar")
    assert images_painted(page, "From training: Coloured digits") == 10
    expect(page.get_by_text("% of 450 held-out test digits")).to_be_visible(timeout=90_000)

    visitor.act(
        lambda: page.locator(".st-key-open_colored_digits button").click()
    )  # every card has such a button
    expect(
        page.get_by_role("heading", name="Changing only the colour moves the answer by 64.1 points")
    ).to_be_visible()
    bias = cache.audit(REVIEW, None).attributes[0].bias
    assert f"{100 * bias.value:.1f}" == "64.1"
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(3)

    assert page.get_by_test_id("stHtml").get_by_role("img", name="the model says").count() == 2

    visitor.follow("Look at who taught it that")
    assert images_painted(page, "Harmful training digits") == 50
    first = page.get_by_role("list", name="Harmful training digits").get_by_role("button").first
    visitor.act(lambda: first.press("Enter"))
    expect(page.get_by_text("Fitted again without it")).to_be_visible()
    with page.expect_download() as scores:
        page.get_by_role("button", name="Download all scores as CSV").click()
    rows = scores.value.path().read_text().splitlines()
    assert rows[0] == (
        "rank,sample,digit,colour,paper,bias_aligned,removal_effect_points,looks_mislabelled,"
        "label_probability_without_it,likelier_label"
    )
    assert len(rows) == 901

    visitor.follow("Take it out")
    expect(page.locator(".scatterlayer .trace")).to_have_count(5)
    ring, strengths = page.locator(".fmd-ring"), page.locator(".scatterlayer .trace").nth(3).locator(".point")
    assert comes_to_rest_on(ring, strengths.first)  # the original
    original = bias_shown(page)
    slider = page.get_by_role("slider", name="Strength")
    visitor.act(lambda: slider.press("ArrowRight"))
    expect(
        page.get_by_role("heading", name="Nothing has changed yet")
    ).to_be_hidden()  # it names the fall too
    expect(page.get_by_role("heading", name="the colour bias falls")).to_be_visible()
    expect(page.get_by_test_id("stMetricValue").first).not_to_contain_text(f"{original:g}")
    assert bias_shown(page) < original / 2
    assert comes_to_rest_on(ring, strengths.nth(1))
    for tab, role, name in (
        ("Did it really work?", "cell", "Refit without 90 at random"),
        ("Who pays?", "heading", "People who share two properties"),
        ("Mixed-up answers", "figure", "Before: "),
        ("Before and after", "cell", "Accuracy"),
    ):
        visitor.act(lambda tab=tab: page.get_by_role("tab", name=tab).click())
        expect(page.get_by_role(role, name=name).first).to_be_visible()
    visitor.act(lambda: page.get_by_role("tab", name="Whose answer changed").click())
    assert images_painted(page, "Images whose answer changed") == 10
    visitor.act(lambda: page.get_by_role("button", name="Apply this").click())
    expect(sidebar.get_by_text("In force: Variant 1")).to_be_visible()
    visitor.act(lambda: page.get_by_role("button", name="Undo").click())
    expect(sidebar.get_by_text("In force: the original model")).to_be_visible()
    assert comes_to_rest_on(ring, strengths.first)  # the slider goes along
    visitor.act(lambda: page.get_by_role("button", name="Redo").click())
    expect(sidebar.get_by_text("In force: Variant 1")).to_be_visible()
    assert comes_to_rest_on(ring, strengths.nth(1))

    visitor.follow("Write the report")
    files = {}
    for name in ("Report (HTML)", "Figures (JSON)", "Last layer (safetensors)"):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        files[name] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[name])
    report = json.loads(files["Figures (JSON)"].read_text())
    assert report["measured"]["verdict"] == "improved"
    head = load_tensors(files["Last layer (safetensors)"].read_bytes())
    assert head["head.weight"].shape == (10, 64)

    paper = page.context.new_page()
    paper.goto(files["Report (HTML)"].as_uri())
    expect(paper.get_by_role("heading", level=1)).to_contain_text("Changing only the colour moves the answer")
    expect(paper.get_by_text("the colour bias falls").first).to_be_visible()
    assert paper.locator("img").evaluate_all(PAINTED)
    paper.close()


def test_a_whole_review_takes_five_clicks(visit):
    """Find, look, unlearn, report: every click is the page's own next button."""
    visitor = visit().open()
    page = visitor.page
    buttons = (
        "Find the bias", "Look at who taught it that", "Take it out", "Apply our suggestion", "Write the report",
    )  # fmt: skip
    for name in buttons:
        card = page.locator(".st-key-open_colored_digits") if name == buttons[0] else page
        button = card.get_by_role("button", name=name).first
        expect(button).to_be_visible(timeout=90_000)
        visitor.act(button.click)
    expect(page.get_by_role("heading", level=1, name="the colour bias falls from")).to_be_visible()
    expect(page.get_by_role("button", name="Report (HTML)")).to_be_enabled()
    assert len(buttons) == 5


def test_no_demo_can_be_pressed_before_all_cards_stand(visit):
    """A slow browser draws the parts of the cards in any order: the third card's button once stood alone and was taken
    for the first."""
    page = visit().open().page
    buttons = page.get_by_role("button", name="Find the bias")
    expect(buttons).to_have_count(3)
    page.locator(".st-key-card_colored_digits").evaluate("(part) => part.dataset.testid = 'stSkeleton'")
    expect(buttons).to_have_count(0)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_every_page_fits_its_width(visit, width, theme):
    visitor = visit(width, 900, theme)
    for path in ("", "find_bias", "twins", "harmful", "unlearn", "compare", "report"):
        page = visitor.open(path).page
        expect(page.get_by_role("heading", level=1).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_an_impossible_k_is_one_sentence_and_the_page_goes_on(visit):
    visitor = visit().open("harmful")
    page = visitor.page
    field = page.get_by_role("spinbutton", name="How many", exact=True)
    field.fill("5000")
    visitor.act(lambda: field.press("Enter"))
    expect(page.get_by_role("alert")).to_have_text(
        re.compile(r"^5,000 is not possible: .* 900 training digits\.$")
    )
    field.fill("20")
    visitor.act(lambda: field.press("Enter"))
    expect(page.get_by_role("alert")).to_have_count(0)
    assert images_painted(page, "Harmful training digits") == 20


def test_a_double_click_applies_once(visit):
    visitor = visit().open("unlearn")
    page = visitor.page
    visitor.act(lambda: page.get_by_role("button", name="Go to our suggestion").click())
    visitor.act(lambda: page.get_by_role("button", name="Apply this").dblclick())
    page.get_by_role("button", name="History", exact=True).click()
    expect(page.get_by_role("cell", name="apply", exact=True)).to_have_count(1)


def test_fast_slider_moves_end_where_the_slider_stands(visit):
    visitor = visit().open("unlearn")
    page = visitor.page
    slider = page.get_by_role("slider", name="Strength")
    expect(slider).to_be_visible()
    for _ in range(4):
        slider.press("ArrowRight")
    fourth = f"{find_strategy('iterated').strengths[3]:g}"
    expect(page.get_by_role("group", name="Strength").get_by_text(fourth, exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="the colour bias falls")).to_be_visible()
    before = visitor.finished
    page.wait_for_timeout(2_000)
    assert visitor.finished - before <= 2  # nothing is left in a queue


def test_twins_and_ring_follow_the_slider_before_the_server_answers(visit):
    visitor, silent = visit(), []

    def pass_on(browser):
        server = browser.connect_to_server()
        server.on_message(lambda message: None if silent else browser.send(message))

    page = visitor.page
    page.route_web_socket("**/_stcore/stream", pass_on)
    page.goto(f"{visitor.base}/unlearn")
    told, ring = page.locator(".told"), page.locator(".fmd-ring")
    expect(told).to_contain_text("24 twins get one answer, as before", timeout=90_000)
    expect(ring).to_be_visible()
    original = ring.get_attribute("style")
    silent.append("from now on")
    page.get_by_role("slider", name="Strength").press("ArrowRight")
    expect(told).to_contain_text("of 24 twins get one answer; before, ")
    expect(ring).not_to_have_attribute("style", original)


def test_the_first_words_are_painted_before_any_script_ran(chromium, server):
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.route("**/*.js", lambda route: route.abort())
    page.goto(server)
    words = page.locator("#fmd-shell").get_by_text("Is this classifier biased")
    expect(words).to_be_visible()
    before = words.bounding_box()
    page.unroute("**/*.js")
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": 3})
    page.goto(server)
    heading = page.get_by_role("heading", level=1, name="Is this classifier biased")
    expect(heading).to_be_visible()
    expect(words).to_be_hidden()
    after = heading.bounding_box()
    assert abs(after["x"] - before["x"]) <= 2  # nothing jumps when the page takes over
    assert abs(after["y"] - before["y"]) <= 8
    context.close()


def test_back_leads_to_the_page_before_whatever_was_moved_meanwhile(visit):
    visitor = visit().open("find_bias")
    page = visitor.page
    verdict = page.get_by_role("heading", name="Changing only the colour moves the answer by 64.1 points")
    expect(verdict).to_be_visible(timeout=90_000)
    visitor.go("Unlearn")
    slider = page.get_by_role("slider", name="Strength")
    for _ in range(3):
        visitor.act(lambda: slider.press("ArrowRight"))
    expect(page).to_have_url(re.compile("strength="))
    page.go_back()
    expect(verdict).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("heading", name="the colour bias falls")).to_be_visible()


@pytest.mark.slow
def test_the_attribute_that_is_blamed_can_be_reviewed_at_once(visit):
    visitor = visit().open("find_bias?attribute=paper")
    page = visitor.page
    expect(
        page.get_by_text("The next steps look at paper. The worst finding is about colour.")
    ).to_be_visible(timeout=90_000)
    visitor.act(lambda: page.get_by_role("button", name="Review colour instead").click())
    expect(page.get_by_role("heading", name="Who is served how well, by colour")).to_be_visible()
    expect(page.get_by_role("combobox", name="Attribute under review")).to_have_value("Colour")
    visitor.go("Twins")
    expect(page.get_by_text("only the colour differs")).to_be_visible()


def test_headers_and_foreign_hosts(server):
    with urllib.request.urlopen(server, timeout=10) as answer:
        assert "script-src 'self' blob: 'sha256-" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
    request = urllib.request.Request(server, headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code == 400
    refused.value.close()


@pytest.mark.slow
def test_the_faces_show_whom_the_model_looks_at(visit):
    visitor = visit().open()
    page = visitor.page
    assert images_painted(page, "From training: Synthetic faces") == 10
    visitor.act(lambda: page.get_by_role("button", name="Find the bias").nth(1).click())
    finding = page.get_by_role("heading", name="Blond masculine faces are recognised 61 % of the time")
    expect(finding).to_be_visible(timeout=120_000)
    expect(
        page.get_by_text("Changing only the presentation moves the answer by 20.4 points").first
    ).to_be_visible()
    way_to(page, "Twins").click()
    assert images_painted(page, "Twin pairs") == 24


@pytest.mark.parametrize("ends", [[0.0] * 12, [1.0] * 12, [0.5] * 40, [0.01, 0.03, 0.05, 0.07, 0.9]])
def test_names_on_the_slope_chart_find_a_place_however_many_end_together(chromium, ends):
    """Places were sought up and down for ever where a few names met at the foot, and the browser stood still."""
    lines = [
        {
            "name": f"group {i}",
            "before": 0.5,
            "after": end,
            "detail": "",
            "role": "gains",
            "words": "gain most",
        }
        for i, end in enumerate(ends)
    ]
    page = chromium.new_page()
    page.set_content("<div id=here><div class=slopes></div></div>")
    told = page.evaluate(
        """async ([code, data]) => {
            const draw = (await import('data:text/javascript,' + encodeURIComponent(code))).default;
            draw({ data, parentElement: document.querySelector('#here') });
            return [...document.querySelectorAll('text.value')].map((text) => Number(text.getAttribute('y')));
        }""",
        [twin_stage._SLOPES_JS, {"lines": lines, "low": 0.0, "high": 1.0, "label": "who gains"}],
    )
    assert len(told) == len(ends)
    assert all(0 < y < 220 for y in told)
    if len(ends) <= 12:
        apart = sorted(told)
        assert all(b - a >= 14.9 for a, b in pairwise(apart))
    page.close()
