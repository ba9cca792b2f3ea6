"""A reviewer's own table in a real browser: bring it, train on it, read the figure."""

import numpy as np
import pytest
from playwright.sync_api import expect

from app import cache
from app.record.review import Review
from fmd_core.datasets.families import reference
from fmd_core.datasets.own.imports import kept_imports
from fmd_core.measure.verdict.values import Family, Measure
from fmd_core.models.shelf import shelved_models

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # imports and trains in a browser
N = 1500


def people_csv() -> bytes:
    """A semicolon table as a spreadsheet saves it: a BOM, two broken rows, and pay that follows sex."""
    rng = np.random.default_rng(0)
    man, married = rng.random(N) < 0.6, rng.random(N) < 0.5
    rich = rng.random(N) < np.where(man, 0.7, 0.25)
    lines = ["person_id;age;sex;relationship;hours;income"]
    for i in range(N):
        role = ("Husband" if man[i] else "Wife") if married[i] else "Single"
        sex, pay = ("Male" if man[i] else "Female"), ("high" if rich[i] else "low")
        lines.append(f"P{i:05d};{rng.integers(18, 80)};{sex};{role};{rng.integers(10, 60)};{pay}")
    lines[10:10] = ["broken;row", "another"]
    return "\r\n".join(lines).encode("utf-8-sig")


def test_own_table_from_the_file_to_the_figure(visit):
    before = {kept.id for kept in kept_imports()}
    visitor = visit().open("data")
    page = visitor.page
    visitor.act(lambda: page.get_by_role("radio", name="Your table").click())
    file = {"name": "staff.csv", "mimeType": "text/csv", "buffer": people_csv()}
    visitor.act(lambda: page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(file))
    expect(page.get_by_text("staff.csv: 1,500 rows, 6 columns, CSV: UTF-8")).to_be_visible()
    page.get_by_role("button", name="Open this data").dblclick()

    expect(page.get_by_role("heading", name="What came in from staff")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="2 rows skipped: 2 or 1 cells")).to_be_visible()
    expect(page.get_by_text("Husband means Male; Wife means Female")).to_be_visible()
    page.reload()  # the address knows the import
    visitor.act(lambda: page.get_by_text("They are different people who happen to be alike").click())
    visitor.act(lambda: page.get_by_text("A twin changes it too: Husband and Wife swap").click())
    page.get_by_role("button", name="Change this and go on").click()

    expect(page.get_by_role("heading", name="No model is chosen yet.")).to_be_visible()
    imported = [kept.id for kept in kept_imports() if kept.id not in before]
    assert len(imported) == 1  # neither the double click nor the change left another behind
    _train(page, "0")
    _train(page, "1")
    visitor.act(lambda: page.get_by_role("radio", name="Open a model file").click())
    expect(page.get_by_role("heading", name="rounds, seed 1")).to_be_visible()  # not the one before

    page.get_by_role("button", name="Find the bias").click()
    data = reference("import", id=imported[0])
    assert cache.open_data(data).source.changes["sex"].also  # the twin of a husband is a wife
    model = next(m for m in shelved_models(cache.open_data(data)) if m.name.endswith("seed 1"))
    verdict = cache.verdict(Review(data, model.id), None)
    by_sex = next(f for f in verdict.of(Family.TWINS) if f.measure is Measure.BIAS and f.attribute == "sex")
    assert by_sex.value > 0.2
    assert by_sex.n == N  # everybody, each judged by a model that never saw them
    expect(page.get_by_text("is judged by one of five models that never saw them")).to_be_visible()
    expect(
        page.get_by_text(f"the answer by {100 * by_sex.value:.1f} points").first
    ).to_be_attached()  # on hover

    visitor.go("Twins")
    pair = page.get_by_role("list", name="Twin pairs").get_by_role("listitem").first
    expect(pair).to_contain_text("hours: ")
    differ = {line.split(":")[0] for line in pair.locator("strong").all_inner_texts()}
    assert differ == {"age"}  # what is under review stands out, nothing else


def _train(page, seed):
    page.get_by_role("spinbutton", name="Seed").fill(seed)
    page.get_by_role("spinbutton", name="Seed").press("Enter")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(
        page.get_by_role("heading", name=f"rounds, seed {seed}")
    ).to_be_visible()  # nobody has asked it yet


def test_a_training_is_found_again_and_can_be_stopped(visit):
    page = visit().open("model").page
    rounds = page.get_by_role("spinbutton", name="Rounds over the data")
    rounds.fill("100")
    rounds.press("Enter")
    page.get_by_role("button", name="Train", exact=True).click()
    panel = page.get_by_test_id("stMain")
    expect(panel.get_by_role("button", name="Cancel")).to_be_visible()
    page.reload()
    expect(
        panel.get_by_text("Training for Coloured digits").first
    ).to_be_visible()  # the page says so too, a moment later
    panel.get_by_role("button", name="Cancel").click()
    expect(panel.get_by_text("Stopped after")).to_be_visible()
    expect(
        page.get_by_role("heading", level=1, name="Right for 37.3 % of 450 held-out digits")
    ).to_be_visible()
