"""References: a data set's family and options as a short text, there and back; what is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmd_core.datasets import families
from fmd_core.datasets.families import (
    FAMILIES,
    LONGEST_REFERENCE,
    Family,
    load_dataset,
    parse_reference,
    reference,
)
from fmd_core.errors import DataError
from fmd_core.models.shelf import load_demo_classifier

CELEBA = {"target": "Blond_Hair", "protected": "Male", "size": "64"}


@pytest.fixture(autouse=True)
def no_public_data(monkeypatch, tmp_path):
    monkeypatch.setenv("FMD_DATA_DIR", str(tmp_path / "nothing"))


def message(call, *arguments, **options):
    with pytest.raises(DataError) as caught:
        call(*arguments, **options)
    return str(caught.value)


# --- there and back


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_with_its_defaults_is_its_name(family):
    assert reference(family) == family
    assert reference(family, **FAMILIES[family].defaults) == family
    assert parse_reference(family) == (family, dict(FAMILIES[family].defaults))


def test_only_what_is_chosen_stands_in_a_reference_in_the_order_of_the_alphabet():
    assert reference("celeba", target="Smiling", size="64", protected="Male") == "celeba?target=Smiling"
    assert reference("celeba", target="Smiling", protected="Young,Male") == (
        "celeba?protected=Young%2CMale&target=Smiling"
    )


@settings(max_examples=60, deadline=None)
@given(target=st.text(max_size=60), protected=st.text(max_size=60))
def test_any_words_come_back_as_they_were(target, protected):
    text = reference("celeba", target=target, protected=protected)
    assert parse_reference(text) == ("celeba", {**CELEBA, "target": target, "protected": protected})


@pytest.mark.parametrize("chosen", ["", "a&b=c?d#e", "100 %", "+1", "é 漢 ✓", "%00", "../x"])
def test_signs_with_a_meaning_in_addresses_come_back_as_they_were(chosen):
    text = reference("adult", protected=chosen)
    assert text.isascii()
    assert not set(text) & set(" #\n\0")
    assert parse_reference(text) == ("adult", {"protected": chosen})


def test_options_can_be_given_as_text_or_by_name(monkeypatch):
    seen = []
    fake = Family("Fake", {"a": "1", "b": "2"}, lambda options: seen.append(dict(options)))
    monkeypatch.setitem(families.FAMILIES, "fake", fake)
    for name, options in (("fake", {}), ("fake?b=3", {}), ("fake", {"b": "3"})):
        load_dataset(name, **options)
    assert seen == [{"a": "1", "b": "2"}, {"a": "1", "b": "3"}, {"a": "1", "b": "3"}]


# --- refused


@pytest.mark.parametrize("call", [reference, parse_reference, load_dataset, load_demo_classifier])
@pytest.mark.parametrize("name", ["faces", "", "../celeba", "Celeba", "celeba\0", "celeba/"])
def test_an_unknown_family_lists_the_known_ones(call, name):
    assert message(call, name) == f"Unknown data set {name!r}. Known are: {', '.join(FAMILIES)}."


def test_a_long_unknown_name_is_cut():
    assert message(parse_reference, "x" * 500).startswith(f"Unknown data set '{'x' * 80}'. Known")


@pytest.mark.parametrize("call", [parse_reference, load_dataset])
@pytest.mark.parametrize("text", ["celeba?hat=1", "celeba?hat", "celeba?target=Smiling&hat="])
def test_an_unknown_option_lists_the_known_ones(call, text):
    said = "'celeba' has no option 'hat'. Its options are: target, protected, size."
    assert message(call, text) == said


def test_an_option_of_a_family_that_has_none_is_refused():
    said = "'colored_digits' has no option 'size'. Its options are: none."
    assert message(reference, "colored_digits", size="3") == said
    assert message(load_dataset, "colored_digits", size="3") == said


def test_a_reference_has_a_longest_length():
    fits = "import?id=".ljust(LONGEST_REFERENCE, "a")
    assert len(fits) == 2_000
    assert parse_reference(fits)[1]["id"] == "a" * 1_990
    said = "A data set's name has at most 2000 characters, got 2001."
    assert message(parse_reference, fits + "a") == said
    assert message(load_dataset, "import", id="a" * 1_991) == said


@pytest.mark.parametrize("text", ["big", "", "nan", "inf", "-inf", "1e999", "0x40", "6 4", "九十x"])
@pytest.mark.parametrize(("family", "option"), [("celeba", "size"), ("colored_mnist", "aligned")])
def test_what_is_no_number_is_refused_in_words(family, option, text):
    assert message(load_dataset, family, **{option: text}) == f"'{option}' must be a number, got '{text}'."


@pytest.mark.parametrize("text", ["-1", "0", "7.9", "513", "1e300"])
def test_a_size_that_no_face_has_is_refused(text):
    assert message(load_dataset, "celeba", size=text).endswith("choose 8 to 512.")


def test_a_long_number_is_cut():
    assert message(load_dataset, "celeba", size="x" * 300) == (f"'size' must be a number, got '{'x' * 40}'.")


@pytest.mark.parametrize("family", ["adult", "celeba", "colored_mnist", "import"])
def test_a_family_without_a_model_says_so(family):
    assert message(load_demo_classifier, family) == (
        f"No model ships with '{family}'; train one or open weights."
    )


def test_a_model_is_looked_for_in_the_familys_own_folder_only():
    said = "'colored_digits' has no option '/../../x'. Its options are: none."
    assert message(load_demo_classifier, "colored_digits?/../../x") == said
    plain = load_demo_classifier("colored_digits")
    assert load_demo_classifier("colored_digits?").fingerprint == plain.fingerprint
