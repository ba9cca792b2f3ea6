"""Texts: term lists, twins by swapped terms and by template, placebo swaps, the demo, the import, the encoder."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import fmd_core as fmd
from fmd_core.data import NEUTRAL_WORD, Column, FeatureSet
from fmd_core.datasets.own import texts as own_texts
from fmd_core.datasets.own.sniffing import read_table
from fmd_core.datasets.own.texts import TextImport, open_texts, read_terms, suggest_texts, write_terms
from fmd_core.datasets.texts.source import TemplateTwins, TermTwins, TextSource, difference
from fmd_core.datasets.texts.terms import LISTS, NEUTRAL, TermList, shipped_terms
from fmd_core.kinds import recognised
from fmd_core.measure.bias_functions import counterfactual_bias
from fmd_core.models import sentence_encoder as sentences
from fmd_core.models import text_training
from fmd_core.models.encoding import batch_side, row_batches
from fmd_core.models.feature_store import FeatureStore
from fmd_core.models.files import INSTALLED
from fmd_core.models.known_texts import KnownTexts, text_key
from fmd_core.running import free_cores
from fmd_core.twins.pairs import counterpart_levels, neutral_pairs, pair_counterfactuals
from fmd_core.unlearn.retained import retained_problem

GENDER = shipped_terms("gender")


@pytest.mark.parametrize(
    ("text", "twin"),
    [
        ("She gave her book to him.", "He gave his book to her."),
        ("HER idea, and I like her.", "HIS idea, and I like him."),
        ("He told her to go.", "She told him to go."),
        ("His dog saw the Queen", "Her dog saw the King"),
        ("the history of manners", "the history of manners"),
        ("@he #she said", "@he #she said"),
    ],
)
def test_gender_is_swapped_both_ways_in_the_case_of_the_text(text, twin):
    assert GENDER.swap(text, 0, 1).text == twin


GROUPS = shipped_terms("groups")


@pytest.mark.parametrize(
    ("text", "twin"),
    [
        ("A Muslim said so", "A trans person said so"),
        ("Muslim youth", "Trans youth"),
        ("the Muslim world", "the Muslim world"),
        ("she is Muslim", "she is trans"),
        ("an immigrant family", "a trans family"),
        ("AN IMMIGRANT FAMILY", "A TRANS FAMILY"),
        ("a black hole and black people", "a black hole and trans people"),
        ("They play Black Sabbath", "They play Black Sabbath"),
        ("Black Women write", "Trans women write"),
    ],
)
def test_adjectives_articles_and_what_is_no_person(text, twin):
    level = GROUPS.level_of(text)
    assert GROUPS.swap(text, 0 if level is None else level, 1).text == twin


def test_what_is_left_alone_is_counted_and_names_nobody():
    assert GROUPS.left_alone("Black holes in the Muslim world, and Black Ops") == ["Black", "Muslim", "Black"]
    assert GROUPS.level_of("Black holes") is None
    assert GENDER.left_alone("Mr Smith met King John") == ["King"]
    assert GENDER.swap("Mr Smith", 0, 1).text == "Mrs Smith"


def test_a_swap_says_where_it_stands_and_comes_back():
    swapped = GENDER.swap("My mother and his sister", 1, 0)
    assert [swapped.text[b:e] for b, e in swapped.spans] == ["father", "her", "brother"]
    assert GENDER.swap(swapped.text, 0, 1).text == "My mother and his sister"


def test_a_list_of_several_levels_exchanges_two_of_them():
    religion = shipped_terms("religion")
    assert religion.level_of("Muslims pray in a mosque") == 1
    assert religion.swap("Muslims and JEWS", 1, 2).text == "Jews and MUSLIMS"
    assert religion.level_of("nobody") is None


@pytest.mark.parametrize("name", [*LISTS, NEUTRAL])
def test_lists_that_ship_are_whole_and_survive_editing(name):
    terms = shipped_terms(name)
    assert read_terms(write_terms(terms), name) == terms
    for row in terms.rows:
        assert len(row) == len(terms.levels)


@pytest.mark.parametrize("rows", [(), (("a", ""),), (("a",),)])
def test_a_damaged_list_is_refused_in_a_sentence(rows):
    with pytest.raises(fmd.DataError, match="term list"):
        TermList(("one", "other"), rows)


def test_placebo_swaps_change_one_neutral_word_and_no_group():
    neutral = shipped_terms(NEUTRAL)
    assert neutral.swap_one("I am glad").text == "We are glad"
    assert neutral.swap_one("They said I know her").text == "They wrote I know her"
    assert neutral.swap_one("What do I know").text == "What do we know"
    assert neutral.swap_one("Zut!") is None
    groups = {term.lower() for name in LISTS for row in shipped_terms(name).rows for term in row}
    assert not groups & {term.lower() for row in neutral.rows for term in row}


def test_a_template_says_what_differs():
    texts = ("I like women.", "I like gay people.", "Alone")
    twins = TemplateTwins(texts, np.array([[0, 1], [0, 1], [2, -1]]))
    assert twins.showable(np.arange(3)).tolist() == [[True, True], [True, True], [False, False]]
    shown = twins.shown(0, 1)
    assert shown.text[slice(*shown.spans[0])] == "gay people"
    assert difference("I like women.", "I like gay people.") == (7, 12)


@pytest.fixture(scope="module")
def demo():
    data = fmd.load_dataset("hate_texts")
    return data, fmd.load_demo_classifier("hate_texts")


@pytest.fixture(scope="module")
def study(demo):
    return fmd.Study(*demo)


def test_the_demo_needs_no_encoder(demo, monkeypatch):
    monkeypatch.setattr(sentences, "find_spec", lambda _: None)
    data, model = demo
    assert recognised(data.source.read(data.rows("test")[:3])).name == "text"
    assert model.encode([data.source.read(data.rows("test")[:3])]).shape == (3, 384)
    unknown = np.array(["a sentence that the demo has not"], dtype=object)
    with pytest.raises(fmd.ModelError, match="pip install"):
        model.encode([unknown])


def test_one_side_of_every_twin_was_really_said_and_who_names_nobody_has_none(demo, study):
    data, _ = demo
    for split in ("train", "test"):
        pairs = study.pairs(split, "group")
        assert 0 < len(pairs) < len(data.rows(split))
        own = data.attributes["group"].codes[pairs.rows]
        assert ((pairs.favoured_codes == own) | (pairs.other_codes == own)).all()
        assert (pairs.favoured_codes != pairs.other_codes).all()
        assert (own != len(data.attributes["group"].levels) - 1).all()
    levels = counterpart_levels(data, "train", "group")
    without = ~np.isin(data.rows("train"), study.pairs("train", "group").rows)
    assert (levels == data.attributes["group"].codes[data.rows("train")])[without].all()


def test_a_twin_of_the_same_template_has_other_words_and_each_text_is_its_own():
    """Two of one value in one template, and a text that does not mention the value at all."""
    texts = ("he sings", "he hums", "she sings", "a song", "a song")
    column = Column("sex", np.array([0, 0, 1, 0, 1]), ("m", "f"))
    settings = SimpleNamespace(template="template")
    made = own_texts._by_template(texts, column, np.array([0, 0, 0, 1, 1]), settings)
    assert [made.shown(row, int(column.codes[row])).text for row in range(5)] == list(texts)
    assert made.shown(0, 1).text == made.shown(1, 1).text == "she sings"
    assert made.showable(np.arange(5)).tolist() == [[True, True]] * 3 + [[False, False]] * 2


def test_sentences_of_one_template_are_in_one_part(demo):
    data, _ = demo
    for template in np.unique(data.persons):
        assert len(np.unique(data.split[data.persons == template])) == 1


def test_placebo_twins_keep_the_group_and_are_always_there(demo, study):
    data, model = demo
    placebo = study.placebo("test", "group")
    assert len(placebo) > 0.8 * len(study.pairs("test", "group"))
    assert (placebo.favoured_codes == placebo.other_codes).all()
    assert (
        counterfactual_bias(model.head, placebo)
        < counterfactual_bias(model.head, study.pairs("test", "group")) / 2
    )
    row = int(placebo.rows[0])
    assert data.source.display(row, NEUTRAL_WORD, 1).text != data.source.texts[row]


def test_the_demo_is_unfair_in_neutral_sentences_and_the_retained_fix_evens_them(demo, study):
    data, model = demo
    people, case = study.features("test"), data.source.case
    neutral = case.codes[people.rows] == case.levels.index("neutral statement")
    groups = data.attributes["group"].codes[people.rows]

    def by_group(head):
        flagged = head.probabilities(people.features)[:, 1]
        return np.array([flagged[neutral & (groups == code)].mean() for code in np.unique(groups[neutral])])

    assert np.ptp(by_group(model.head)) > 0.4
    fixed = study.path("group", "retained").suggested.result.head
    assert np.ptp(by_group(fixed)) <= 0.1
    pairs = study.pairs("test", "group")
    assert counterfactual_bias(fixed, pairs) < counterfactual_bias(model.head, pairs) / 3
    right = [
        (head.probabilities(people.features).argmax(1) == people.labels).mean()
        for head in (model.head, fixed)
    ]
    assert right[1] > right[0] + 0.05


def test_the_retained_form_forgets_nobody_whom_no_twin_stands_for(study):
    train, comments = study.features("train"), study.features("train").labels

    def right(strategy):
        head = study.path("group", strategy).points[-3].result.head
        return (head.probabilities(train.features).argmax(1) == comments).mean()

    assert right("retained") > right("iterated")
    problem = retained_problem(study.bias("external", "group"), train)
    assert problem.features.shape[0] == len(train) + 2 * len(study.pairs("external", "group"))
    assert abs(np.asarray(problem.contrasts.sum(axis=1))).max() < 1e-9


def test_verdict_and_report_speak_of_neutral_words(study):
    verdict = study.verdict()
    assert "Fine sentences about gay people" in verdict.headline
    assert any("more than changing a neutral word" in finding.sentence for finding in verdict.findings)


def test_a_list_that_nobody_names_and_a_text_alone_are_said():
    texts = ("nothing here", "nor here")
    source = TextSource(texts, {"gender": TermTwins(texts, np.array([0, 0]), GENDER)})
    assert not source.showable(np.arange(2), "gender").any()
    with pytest.raises(fmd.DataError, match="cannot be shown with another 'age'"):
        source.display(0, "age", 1)


# --- the import


class Letters:
    """An encoder that counts letters."""

    kind, title, n_features, n_parameters, fingerprint = "text", "letters", 27, 0, "letters"

    def encode_batches(self, batches):
        for batch in batches:
            yield np.array(
                [[str(t).count(c) for c in "abcdefghijklmnopqrstuvwxyz "] for t in batch], "float32"
            )


@pytest.fixture
def table(tmp_path):
    """120 texts with an answer; half of them name somebody."""
    names = [("she", "her"), ("he", "his")]
    lines = ["comment,rated,kind,place"]
    for i in range(120):
        who, whose = names[i % 2]
        text = f"{who} took {whose} bag to number {i} of the street, and that was {'fine' if i % 3 else 'awful'} to see"
        if i % 4 == 3:
            text = f"nobody took the bag to number {i} of the street at night, which is a pity for all of us"
        lines.append(f'"{text}",{"good" if i % 3 else "bad"},a,{i % 7}')
    path = tmp_path / "texts.csv"
    path.write_text("\n".join(lines))
    return path


def test_a_column_of_sentences_is_suggested_and_not_cut(table):
    sheet = read_table(table)
    assert [column.name for column in sheet.columns if column.prose] == ["comment"]
    assert suggest_texts(sheet).text == "comment"
    assert max(map(len, sheet.texts("comment"))) > 80


def test_texts_come_in_with_twins_by_a_list(table):
    sheet = read_table(table)
    asked = replace(
        suggest_texts(sheet), target="rated", protected={}, lists={"gender": write_terms(GENDER)}, case="kind"
    )
    assert TextImport.from_dict(asked.to_dict()) == asked
    data = open_texts(sheet, asked)
    assert data.attributes["gender"].levels == ("men", "women", "none of them")
    assert any("30 texts of 120 without any term" in note for note in data.notes)
    assert data.phrases["gender"]["women"] == "{} about women"
    able = data.source.showable(data.rows("train"), "gender")
    assert able[:, :2].any()
    assert not able[:, 2].any()  # nobody can be shown as naming none
    study = fmd.Study(data, fmd.wrap(Letters(), data=data, damping=0.1))
    pairs, placebo = study.pairs("train", "gender"), study.placebo("train", "gender")
    assert set(pairs.rows) == set(data.rows("train")[able.any(axis=1)])
    assert 0 < len(placebo) <= len(pairs)
    with pytest.raises(fmd.DataError, match="No text has a term"):
        open_texts(sheet, replace(asked, lists={"religion": write_terms(shipped_terms("religion"))}))
    with pytest.raises(fmd.DataError, match="should not matter"):
        open_texts(sheet, replace(asked, lists={}))


# --- encoders


def test_known_texts_are_found_by_content():
    texts = ["one", "two", "three"]
    keys = np.array(sorted(map(text_key, texts)), "uint64")
    made = {text: np.full(2, i, "float16") for i, text in enumerate(texts)}
    features = np.stack([made[next(t for t in texts if text_key(t) == key)] for key in keys.tolist()])
    found = next(KnownTexts(keys, features).encode_batches([np.array(["three", "one"], dtype=object)]))
    assert found.tolist() == [[2, 2], [0, 0]]


@pytest.fixture(scope="module")
def small_bert(tmp_path_factory):
    """A folder with two random layers, as sentence encoders lie."""
    tokenizers = pytest.importorskip("tokenizers")
    from safetensors.torch import save_file

    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("bert")
    said = ["i", "am", "glad", "to", "see", "you", "and", "her", "again", "today"]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *said]
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "vocab_size": len(words), "hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 4,
        "num_hidden_layers": 2, "max_position_embeddings": 300, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
        "hidden_act": "gelu", "model_type": "bert", "pad_token_id": 0,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    from fmd_core.models.bert import MeanBert

    torch.manual_seed(0)
    network = MeanBert(config)
    theirs = {}
    renamed = [
        ("words.", "embeddings.word_embeddings."), ("places.", "embeddings.position_embeddings."),
        ("types.", "embeddings.token_type_embeddings."), ("attention.dense", "attention.output.dense"),
        ("attention.norm", "attention.output.LayerNorm"), ("up.", "intermediate.dense."), ("down.", "output.dense."),
    ]  # fmt: skip
    for name, tensor in network.state_dict().items():
        own = f"embeddings.LayerNorm.{name[5:]}" if name.startswith("norm.") else name
        for ours, its in renamed:
            own = own.replace(ours, its)
        for part in ("query", "key", "value"):
            own = own.replace(f"attention.{part}", f"attention.self.{part}")
        if own.startswith("layers."):
            own = "encoder.layer." + own[7:].replace(".norm.", ".output.LayerNorm.")
        theirs[own] = tensor.clone()
    save_file(theirs, folder / "model.safetensors")
    return folder


def test_a_text_is_encoded_alike_whatever_stands_beside_it(small_bert):
    encoder = sentences.SentenceEncoder(small_bert, "0")
    texts = np.array(["i am glad", "to see you and her again today " * 9, "her", ""], dtype=object)
    together = next(encoder.encode_batches([texts]))
    alone = np.vstack([next(encoder.encode_batches([texts[i : i + 1]])) for i in range(len(texts))])
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(np.linalg.norm(together, axis=1) - 1).max() < 1e-5
    shares, places = encoder.token_features("i am glad")
    assert np.abs(shares.sum(axis=0) - together[0]).max() < 1e-5
    assert places[1] == (0, 1)


def test_bfloat16_is_another_encoder_with_nearly_the_same_features(small_bert):
    exact, half = (
        sentences.SentenceEncoder(small_bert, "0", title) for title in (sentences.NAME, sentences.HALF)
    )
    assert exact.fingerprint != half.fingerprint
    texts = np.array(["i am glad", "to see you and her again today " * 9, "her"], dtype=object)
    found = [next(encoder.encode_batches([texts])) for encoder in (exact, half)]
    assert found[1].dtype == np.float32
    assert 0 < np.abs(found[0] - found[1]).max() < 0.02


@pytest.mark.parametrize(
    ("able", "title"),
    [({"avx512_bf16": True}, sentences.HALF), ({"amx_bf16": False}, sentences.NAME), ({}, sentences.NAME)],
)
def test_bfloat16_only_where_the_processor_has_it(able, title, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert sentences.fastest() == title
    assert title in INSTALLED  # so that a model of it can be opened again


def test_threads_change_no_number(small_bert, monkeypatch):
    torch = pytest.importorskip("torch")
    encoder, threads = sentences.SentenceEncoder(small_bert, "0"), torch.get_num_threads()
    texts = np.array([f"i am glad {'again ' * (i % 40)}" for i in range(120)], dtype=object)
    torch.set_num_threads(1)
    try:
        found = []
        for cores in (1, 3):
            monkeypatch.setattr(sentences, "free_cores", lambda cores=cores: cores)
            found.append(next(encoder.encode_batches([texts])))
    finally:
        torch.set_num_threads(threads)
    assert (found[0] == found[1]).all()


@pytest.mark.parametrize(("load", "cores"), [(0.2, 4), (2.4, 2), (9.0, 1)])
def test_cores_that_are_busy_are_not_free(load, cores, monkeypatch):
    monkeypatch.setattr(free_cores.os, "sched_getaffinity", lambda _: range(4), raising=False)
    monkeypatch.setattr(free_cores.os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
    assert free_cores.free_cores() == cores


def test_a_review_reads_no_training_text_again(small_bert, tmp_path, monkeypatch):
    encoder = sentences.SentenceEncoder(small_bert, "0")
    monkeypatch.setattr(text_training, "sentence_encoder", lambda _title: encoder)
    texts = tuple(f"i am glad to see {who} {i}" for i in range(60) for who in ("her", "you"))
    data = fmd.AttributeDataset(
        "t", fmd.Column("answer", np.arange(120) % 2, ("no", "yes")),
        {"gender": fmd.Column("gender", np.arange(120) % 2, ("a", "b"))},
        np.array(["train", "external", "validation", "test"])[np.arange(120) // 30],
        TextSource(texts, {"gender": TermTwins(texts, np.arange(120) % 2, GENDER)}), pair_method="swapped", unit="text",
    )  # fmt: skip
    store, told = FeatureStore(tmp_path), []
    model = text_training.train_text_classifier(data, store=store, progress=told.append)
    assert told[0] == 0
    monkeypatch.setattr(sentences.SentenceEncoder, "_forward", None)  # whoever reads a text now fails
    assert len(fmd.Study(data, model, store=store).features("train")) == 30


def test_a_training_that_is_stopped_keeps_nothing(small_bert, tmp_path, monkeypatch):
    encoder = sentences.SentenceEncoder(small_bert, "0")
    monkeypatch.setattr(text_training, "sentence_encoder", lambda _title: encoder)
    texts = tuple(f"i am glad to see you {i}" for i in range(400))
    data = fmd.AttributeDataset(
        "t", fmd.Column("answer", np.arange(400) % 2, ("no", "yes")),
        {"gender": fmd.Column("gender", np.arange(400) % 2, ("a", "b"))}, np.full(400, "train"),
        TextSource(texts, {"gender": TermTwins(texts, np.arange(400) % 2, GENDER)}), pair_method="swapped", unit="text",
    )  # fmt: skip

    def stop(share):
        if share > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        text_training.train_text_classifier(data, store=FeatureStore(tmp_path), progress=stop)
    assert not list(tmp_path.iterdir())


def test_a_stop_takes_effect_within_a_hundred_texts_or_so():
    source = TextSource(("a",) * 600, {})
    data = type("Data", (), {"source": source})()
    side = batch_side(data, np.arange(600), None)
    assert next(part.stop - part.start for part in row_batches(600, side)) <= 128


@pytest.mark.slow
def test_our_forward_agrees_with_transformers(small_bert):
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    encoder = sentences.SentenceEncoder(small_bert, "0")
    theirs = transformers.BertModel.from_pretrained(small_bert, attn_implementation="eager").eval()
    for text in ("i am glad to see you", "her again today"):
        with torch.no_grad():
            hidden = theirs(torch.tensor([encoder.tokens(text)[0]])).last_hidden_state.mean(1)
        expected = torch.nn.functional.normalize(hidden, dim=1).numpy()
        assert np.abs(next(encoder.encode_batches([np.array([text], dtype=object)])) - expected).max() < 1e-6


def test_words_are_explained_by_what_they_add(small_bert):
    encoder = sentences.SentenceEncoder(small_bert, "0")
    texts = ("i am glad to see you", "her again today") * 20
    data = fmd.AttributeDataset(
        "t", fmd.Column("answer", np.arange(40) % 2, ("no", "yes")),
        {"gender": fmd.Column("gender", np.arange(40) % 2, ("a", "b"))},
        np.array(["train", "external", "validation", "test"])[np.arange(40) // 10],
        TextSource(texts, {"gender": TermTwins(texts, np.arange(40) % 2, GENDER)}), pair_method="swapped", unit="text",
    )  # fmt: skip
    rng = np.random.default_rng(0)
    model = fmd.wrap(encoder, head=(rng.normal(size=(2, 16)), np.zeros(2)), data=data)
    found = fmd.explain(model, data, 0, target=1, method="integrated-gradients")
    assert found.columns == ("i", "am", "glad", "to", "see", "you")
    assert np.isfinite(found.contributions).all()


def test_neutral_pairs_need_a_neutral_word(study, demo):
    data, model = demo
    pairs = pair_counterfactuals(
        data, model, split="test", attribute="group", features=study.features("test")
    )
    nobody = FeatureSet(np.zeros((0, 384), "float32"), np.zeros(0, int), np.zeros(0, int))
    assert neutral_pairs(data, model, pairs, nobody) is None
