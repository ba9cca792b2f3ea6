"""What is kept of a review comes back as it was, and nothing else is believed."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from app.record import journal_json
from app.record.history import Decided, History
from app.record.journal import Journal, Remark
from app.record.review import Aim, Review
from app.record.variants import Erasure, Exclusion, Recipe, Retrained
from fmd_core import DataError, Decision

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
REVIEW = Review("celeba?target=Smiling", "a" * 32, 1.5, "concatenated", (("sex", 7),))
RECIPE = Recipe(REVIEW, Aim(("sex", "age"), "equal opportunity"), "paper-remove", 50, 0.3, 0.5, 0.015)
FULL = Journal(
    History()
    .apply(RECIPE, NOW)
    .rename(RECIPE, "careful", NOW)
    .done("excluded", Decided(RECIPE, (("sex", 7),), (3, 4)), NOW, "two")
    .apply(Exclusion(Review(), Aim(("colour",)), (3, 4), 0.01), NOW)
    .undo(NOW)
).remarked(9, Remark(True, "odd"))
DECIDED = Decision("needs work", "B", date(2026, 1, 2), "Notes.", "Letters.")


EVERY_KIND = Journal(
    FULL.history.apply(
        Erasure(Review(beside="b" * 32), Aim(("colour",)), ("colour",), "within class", 0), NOW
    ).apply(Retrained(Review(), Aim(("c",)), "pattern", "x", 0.01), NOW),
    FULL.remarks,
    (DECIDED, "ab" * 32),
)


def there_and_back(journal):
    return journal_json.load(json.loads(json.dumps(journal_json.dump(journal), allow_nan=False)))


@pytest.mark.parametrize(
    "journal",
    [Journal(), FULL, EVERY_KIND, Journal(decision=(DECIDED, "ab" * 32)), Journal(decision=(Decision(), ""))],
)
def test_there_and_back(journal):
    found = there_and_back(journal)
    assert found == journal
    assert hash(found.history) == hash(journal.history)  # variants are cache keys


def test_refusals_and_what_was_forgotten_come_back_and_leave_no_trace_where_there_are_none():
    """The audit log's hashes cover the text of journals from before."""
    made = Retrained(Review(), Aim(("c",)), "adversary", "x", 0.01, ("glasses",))
    journal = Journal(History().apply(made, NOW, "accuracy falls by 3 points"))
    assert there_and_back(journal) == journal
    plain = json.dumps(journal_json.dump(EVERY_KIND))
    assert "refusal" not in plain
    assert "forgotten" not in plain


def test_a_share_of_the_way_comes_back_and_the_whole_way_leaves_no_trace():
    whole = Retrained(Review(beside="b" * 32), Aim(("c",)), "learn-on", "x", 0.01, share=float("1.0"))
    part = replace(whole, share=0.25)
    journal = Journal(History().apply(whole, NOW).apply(part, NOW))
    found = there_and_back(journal)
    assert found == journal
    assert (
        json.dumps(journal_json.dump(found)).count('"share"')
        == json.dumps(journal_json.dump(journal)).count('"share": 0.25')
        == 3
    )  # a step, a line and a kept variant
    assert journal_json.variant_id(whole) != journal_json.variant_id(part)
    assert journal_json.variant_id(replace(whole, way="pattern", what="x")) == "18105deb1b350d0b"


@pytest.mark.parametrize("share", [0, -0.5, 1.5, "much", None])
def test_a_share_that_cannot_be_is_refused(share):
    raw = journal_json.dump(
        Journal(History().apply(Retrained(Review(), Aim(("c",)), "pattern", "x", 0.01), NOW))
    )
    raw["kept"][0]["variant"]["share"] = share
    with pytest.raises(DataError, match="cannot be opened"):
        journal_json.load(raw)


def test_a_variant_has_one_short_name_in_every_session():
    names = [journal_json.variant_id(kept.variant) for kept in EVERY_KIND.history.kept]
    again = [journal_json.variant_id(kept.variant) for kept in there_and_back(EVERY_KIND).history.kept]
    assert names == again
    assert len(set(names)) == len(names) == 4
    assert all(len(name) == 16 for name in names)


@pytest.mark.parametrize("name", ["The original model", "Model: y", "", "\u202e", "CAREFUL"])
def test_a_name_kept_before_names_were_checked_is_given_up(name):
    raw = journal_json.dump(FULL)
    raw["kept"][1]["name"] = name
    assert [k.name for k in journal_json.load(raw).history.kept] == ["careful", "Variant 1"]


def cut(path):
    raw = journal_json.dump(FULL)
    place = raw
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = "nonsense"
    return raw


@pytest.mark.parametrize(
    "raw",
    [
        None, [], "text", {}, {"format": 2}, cut(["position"]), cut(["steps", 0, "after"]), cut(["log", 0, "at"]),
        cut(["steps", 0, "after", "variant", "kind"]), cut(["kept", 0, "variant", "review"]),
        cut(["remarks", 0, "row"]), cut(["decision"]), {**journal_json.dump(FULL), "position": 99},
        {**journal_json.dump(FULL), "position": -1},
    ],
)  # fmt: skip
def test_what_is_damaged_is_one_sentence(raw):
    with pytest.raises(DataError, match=r"^This review cannot be opened: what was kept of it is damaged"):
        journal_json.load(raw)


def test_an_unknown_field_of_a_variant_is_refused():
    raw = journal_json.dump(FULL)
    raw["kept"][0]["variant"]["surprise"] = 1
    with pytest.raises(DataError, match="surprise"):
        journal_json.load(raw)


def test_the_text_that_the_audit_log_covers_is_what_it_always_was():
    """Digest of the text as it was written before the schema was declared: every log so far covers such a text."""
    text = json.dumps(journal_json.dump(EVERY_KIND))
    digest = "295cdee1c8832cc8816527d1a3264d9066531773ccfe18247222faad840ffee9"
    assert hashlib.sha256(text.encode()).hexdigest() == digest
    assert json.dumps(journal_json.dump(journal_json.load(json.loads(text)))) == text


def test_a_review_kept_before_models_stood_beside_others_opens():
    raw = journal_json.dump(FULL)
    for one in raw["kept"]:
        del one["variant"]["review"]["beside"]
    assert journal_json.load(raw).history.kept == FULL.history.kept


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("position",), True, "$.position"),
        (("steps", 0, "after", "variant", "k"), "50", "Expected `int`, got `str`"),
        (("steps", 0, "after", "variant", "kind"), "magic", "magic"),
        (("remarks", 0, "marked"), "yes", "$.remarks[0].marked"),
        (("log", 0, "at"), "yesterday", "yesterday"),
        (("kept",), {}, "$.kept"),
    ],
)
def test_a_value_of_another_kind_is_named(path, value, told):
    raw = place = journal_json.dump(FULL)
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(DataError) as refusal:
        journal_json.load(raw)
    assert told in str(refusal.value)
