"""Language models: opened safely, read right, scored by hand, and changed only by those who have a say."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import minimize

from fmd_core import FMDError
from fmd_core.errors import DataError, ModelError
from fmd_core.language import block_training, harmful, judging, opening, scores, study, unlearning
from fmd_core.language.blocks import TopBlocks, head_of
from fmd_core.language.examples import Example, choosing, halves, read_examples, some_of
from fmd_core.language.head import AS_IS, SHARPNESS, Answers, RowChange, TokenHead, log_normalisers, with_rows
from fmd_core.language.kept import kept_answers
from fmd_core.language.reading import read
from tests import language_models as tiny

PROSE = ["the nurse was kind .", "they is loud . he was calm ."]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    return {name: tiny.folder(place / name, name) for name in tiny.TINY}


@pytest.fixture(scope="module")
def models(folders):
    return {name: opening.open_language_model(path) for name, path in folders.items()}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny.data_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module", autouse=True)
def short_prose():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study, "prose_lines", lambda: PROSE)
        yield


@pytest.fixture(scope="module")
def studied(models, data):
    return study.LanguageStudy.read(models["llama"], "stereoset", read_examples("stereoset", data))


# --- opening


def test_a_folder_and_a_zip_of_it_are_the_same_model(folders, models, tmp_path):
    from tests.model_folders import zipped

    packed = tmp_path / "model.zip"
    packed.write_bytes(zipped({p.name: p.read_bytes() for p in folders["llama"].iterdir()}, place="inner/"))
    assert opening.open_language_model(packed).digest == models["llama"].digest
    assert {one.kind for one in models.values()} == {"causal", "masked"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"auto_map": {"AutoModelForCausalLM": "evil.Evil"}}, "auto_map"),
        ({"model_type": "evil"}, "'evil', which is not opened"),
        ({"hidden_size": 1 << 40}, "'hidden_size'"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_scaling"),
        ({"num_hidden_layers": 3}, "lack"),
        ({"hidden_size": 32}, "weights"),
    ],
)
def test_a_hostile_description_is_refused_in_a_sentence(tmp_path, changes, said):
    with pytest.raises(ModelError, match=said) as refused:
        opening.open_language_model(tiny.folder(tmp_path / "model", **changes))
    assert "Traceback" not in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("name", ["modeling_evil.py", "pytorch_model.bin", "tokenizer.json"])
def test_code_pickles_and_missing_words_are_refused(tmp_path, name):
    place = tiny.folder(tmp_path / "model")
    if name == "tokenizer.json":
        (place / name).unlink()
    elif name.endswith(".bin"):
        (place / "model.safetensors").rename(place / name)
    else:
        (place / name).write_text("raise SystemExit")
    with pytest.raises(ModelError, match=r"code|safetensors|tokenizer"):
        opening.open_language_model(place)


def test_words_with_patterns_of_their_owners_are_refused(tmp_path):
    place = tiny.folder(tmp_path / "model")
    told = json.loads((place / "tokenizer.json").read_text())
    told["pre_tokenizer"] = {
        "type": "Split",
        "pattern": {"Regex": "(a+)+$"},
        "behavior": "Isolated",
        "invert": False,
    }
    (place / "tokenizer.json").write_text(json.dumps(told))
    with pytest.raises(ModelError, match="Split"):
        opening.open_language_model(place)


def test_a_missing_package_or_model_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(opening, "smollm2_file", lambda: None)
    with pytest.raises(ModelError, match="SmolLM2 is not installed"):
        opening.open_language_model("smollm2")
    with pytest.raises(ModelError, match="no folder of a language model"):
        opening.open_language_model(tmp_path)


def test_a_model_that_is_brought_is_opened_in_a_process_with_limits_first(folders, models, tmp_path):
    from fmd_core.language import trial

    assert trial.try_model(folders["llama"]) == models["llama"].fingerprint
    with pytest.raises(ModelError, match="'evil', which is not opened"):
        trial.try_model(tiny.folder(tmp_path / "evil", model_type="evil"))


def test_what_breaks_while_it_is_tried_is_a_sentence(monkeypatch, folders):
    from fmd_core.language import trial

    def breaks(error):
        def tried(_path):
            raise error

        monkeypatch.setattr(trial, "_tried", tried)
        return trial.answer({"path": str(folders["llama"])})["refusal"]

    assert breaks(MemoryError()) == trial.NO_MEMORY
    assert breaks(ValueError("secret")) == trial.DAMAGED


# --- reading


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_a_causal_reading_gives_the_networks_own_probabilities(models, name):
    import torch

    model, sentences = models[name], ["the nurse was kind .", "the nurse was rude", "the boss"]
    reading, head = read(model, sentences), TokenHead.of(model)
    found = Answers.of(head, reading).log_probabilities()
    for number, sentence in enumerate(sentences):
        ids = [model.special, *model.tokenizer.encode(sentence, add_special_tokens=False).ids]
        with torch.inference_mode():
            logits = model.network(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
        wanted = [float(logits[at, token]) for at, token in enumerate(ids[1:])]
        np.testing.assert_allclose(found[reading.span(number)], wanted, atol=1e-5)
    assert len(reading.features) < len(reading.tokens)  # shared beginnings are read once


def test_a_masked_reading_hides_one_word_at_a_time(models):
    import torch

    model = models["bert"]
    reading = read(model, ["the nurse was kind"])
    found = Answers.of(TokenHead.of(model), reading).log_probabilities()
    ids = model.tokenizer.encode("the nurse was kind").ids
    for at in range(1, 5):
        hidden = [*ids[:at], 4, *ids[at + 1 :]]
        with torch.inference_mode():
            logits = model.network(input_ids=torch.tensor([hidden])).logits[0, at].log_softmax(-1)
        assert found[at - 1] == pytest.approx(float(logits[ids[at]]), abs=1e-5)


def test_two_texts_are_told_apart_as_the_library_tells_them(models):
    """BERT was taught with a type for each of two texts; what its own tokenizer gives is what it must be given."""
    import torch
    from transformers import BertTokenizer

    model, context, sentence = models["bert"], "they is loud .", "the nurse was kind ."
    reading = read(model, [sentence, "the boss was rude"], [context, ""])
    found = Answers.of(TokenHead.of(model), reading).log_probabilities()
    marks = {f"{name}_token": f"[{name.upper()}]" for name in ("cls", "sep", "mask", "pad", "unk")}
    words = BertTokenizer(tokenizer_object=model.tokenizer, **marks)
    given = words(context, sentence, return_tensors="pt")
    assert set(given["token_type_ids"][0].tolist()) == {0, 1}
    own = [at for at, text in enumerate(given.sequence_ids(0)) if text == 1]
    for place, at in enumerate(own):
        hidden = given["input_ids"].clone()
        hidden[0, at] = model.special
        with torch.inference_mode():
            logits = model.network(**(dict(given) | {"input_ids": hidden})).logits[0, at].log_softmax(-1)
        assert found[place] == pytest.approx(float(logits[given["input_ids"][0, at]]), abs=1e-5)
    from transformers import FillMaskPipeline

    (best,) = FillMaskPipeline(model.network, words)("the boss was [MASK]", targets=["rude"])
    assert np.exp(found[reading.span(1)][3]) == pytest.approx(best["score"], abs=1e-6)


def test_a_network_that_knows_no_two_texts_is_told_of_none(models):
    model = models["bert"]
    assert model.tells_texts_apart
    assert not models["llama"].tells_texts_apart
    one = replace(
        model, network=SimpleNamespace(config=SimpleNamespace(model_type="bert", type_vocab_size=1))
    )
    assert not one.tells_texts_apart
    roberta = replace(
        model, network=SimpleNamespace(config=SimpleNamespace(model_type="roberta", type_vocab_size=2))
    )
    assert not roberta.tells_texts_apart


def test_the_same_weights_with_other_words_are_another_model(models, folders, tmp_path):
    model = models["llama"]
    other = tiny.folder(tmp_path / "other")
    told = json.loads((other / "tokenizer.json").read_text())
    ids = told["model"]["vocab"]
    ids["kind"], ids["rude"] = ids["rude"], ids["kind"]
    (other / "tokenizer.json").write_text(json.dumps(told))
    opened = opening.open_language_model(other)
    assert opened.digest == model.digest
    assert opened.fingerprint != model.fingerprint
    assert opening.open_language_model(folders["llama"]).fingerprint == model.fingerprint
    described = tiny.folder(tmp_path / "described", rms_norm_eps=0.5)
    assert opening.open_language_model(described).fingerprint != model.fingerprint


def test_after_a_context_only_the_sentence_counts(models):
    reading = read(models["llama"], ["the boss was rude"], ["they is boss ."])
    assert len(reading.tokens) == 4
    assert read(models["bert"], ["the boss"], ["he was ."]).tokens.tolist() == [5, 19]


def test_a_sentence_is_its_own_whether_or_not_the_tokenizer_gives_it_a_type(models):
    """RoBERTa's gives both sentences of a pair the same type."""
    from tokenizers import processors

    words = tiny.tokenizer()
    words.post_processor = processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2))
    model = replace(models["bert"], tokenizer=words)
    assert read(model, ["the boss"], ["he was ."]).tokens.tolist() == [5, 19]


def test_reading_can_be_stopped_and_bad_sentences_are_said(models):
    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read(models["llama"], ["the boss"], None, stop)
    with pytest.raises(DataError, match="no words"):
        read(models["llama"], [" "])
    with pytest.raises(DataError, match="62 that are read"):
        read(models["llama"], ["the " * 80])
    assert not head_of(models["llama"])._forward_pre_hooks


# --- scores

THREE = (
    Example("nurse", "work", "a", "b", "c"),
    Example("nurse", "work", "a", "b", "c"),
    Example("boss", "work", "a", "b", "c"),
)


def test_lms_ss_and_icat_by_hand():
    """Nurse: pro 1 of 2, related 3 of 4; boss: pro 1 of 1, related 2 of 2. Means over the two terms."""
    given = np.array([-1.0, -2, -3, -2, -1, -1.5, -1, -4, -5])
    found = scores.bias_scores(THREE, given)[0]
    assert found.lms.value == pytest.approx((75 + 100) / 2)
    assert found.ss.value == pytest.approx((50 + 100) / 2)
    assert found.icat.value == pytest.approx(87.5 * 25 / 50)
    assert found.difference.value == pytest.approx((1 + 3) / 2)
    assert (found.n_examples, found.n_terms, found.lms.low) == (3, 2, None)


def test_a_model_without_preference_scores_ss_50():
    found = scores.bias_scores(THREE, np.zeros(9))[0]
    assert (found.ss.value, found.lms.value, found.difference.value) == (50.0, 50.0, 0.0)


def test_pairs_without_a_third_sentence_have_no_icat(models, data):
    examples = read_examples("crows-pairs", data)
    found = study.LanguageStudy.read(models["bert"], "crows-pairs", examples).scores().all
    assert found.lms is None
    assert found.icat is None
    assert found.n_terms == len(tiny.NOUNS)
    assert found.ss.low is not None


def test_tokens_of_one_sentence_alone_do_not_count_in_masked_pairs(models):
    reading = read(models["bert"], ["the nurse was kind", "the boss was kind"])
    assert scores.token_weights(reading, is_mean=False, shared=True).tolist() == [1, 0, 1, 1, 1, 0, 1, 1]


# --- changes


def test_a_change_of_rows_is_judged_as_if_the_network_were_run_again(studied):
    rng = np.random.default_rng(0)
    change = RowChange(np.array([8, 9, 14]), rng.normal(size=(3, 16)))
    head, seen = studied.head, studied.answers
    weight = head.weight.copy()
    weight[change.rows] += change.delta.astype("float32")
    again, found = Answers.of(TokenHead(weight, head.bias), seen.reading), with_rows(head, seen, change)
    for sharpness in (1.0, 0.83):
        np.testing.assert_allclose(
            found.log_probabilities(sharpness), again.log_probabilities(sharpness), atol=1e-4
        )
    np.testing.assert_allclose(
        np.exp(log_normalisers(head, seen.reading.features[:3])[:, AS_IS]),
        np.exp((seen.reading.features[:3] @ head.weight.T).astype("float64")).sum(axis=1), rtol=1e-4,
    )  # fmt: skip


def test_answers_at_any_sharpness_are_those_of_multiplied_logits(studied):
    head, seen = studied.head, studied.answers
    for sharpness in (SHARPNESS[0], 0.94, 1.27):
        logits = sharpness * (seen.reading.features.astype("float64") @ head.weight.T + head.bias)
        wanted = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        np.testing.assert_allclose(
            seen.log_probabilities(sharpness), wanted[seen.reading.position, seen.reading.tokens], atol=1e-4
        )
    flatter = replace(seen, logits=0.9 * seen.logits, normalisers=seen.normalisers)
    grid = np.linspace(SHARPNESS[0], SHARPNESS[-1], 601)
    means = [flatter.log_probabilities(one).mean() for one in grid]
    assert flatter.best_sharpness == pytest.approx(grid[int(np.argmax(means))], abs=2e-3)


def test_no_target_term_is_in_both_halves(data):
    for name in ("stereoset", "stereoset-next"):
        examples = read_examples(name, data)
        deciding, judging = halves(examples)
        decide, judge = ({examples[i].target for i in part} for part in (deciding, judging))
        assert not decide & judge
        assert decide
        assert judge
        assert len(deciding) + len(judging) == len(examples)
    shared = (Example("x", "a", "", "", ""), Example("x", "b", "", "", ""), Example("y", "b", "", "", ""))
    assert not {shared[i].target for i in halves(shared)[0]} & {shared[i].target for i in halves(shared)[1]}


@pytest.mark.parametrize("form", unlearning.LADDER)
def test_the_deciding_differences_fall(studied, form):
    found = studied.parts()[0].partings()
    change = unlearning.change(form, found, unlearning.LADDER[form][-1])
    assert np.mean((found.difference + found.moved(change.delta)) ** 2) < 0.7 * found.bias
    with pytest.raises(DataError, match="no form"):
        unlearning.change("magic", found, 1.0)


def test_the_solved_form_is_at_its_minimum(studied):
    found = studied.parts()[0].partings()
    delta = unlearning.change("rows", found, 1.0).delta
    weight = found.curvature().mean() / (4 * np.mean(found.features**2) / len(found.rows))
    slope = weight * found.gradient(found.difference + found.moved(delta)) + found.times(delta)
    assert np.abs(slope).max() < 1e-3 * np.abs(weight * found.gradient(found.difference)).max()


def test_who_judges_has_no_say(studied, models, monkeypatch):
    """What is chosen is made of the deciding half's own sentences; the judges are the other half, as it is."""
    tiny.trained_quickly(monkeypatch)
    deciding, judging = halves(studied.examples)
    told = studied.debias(models["llama"])
    assert {one.form for one in told.tried} | {form for form, _ in told.left_out} == set(unlearning.FORMS)
    assert told.before == studied.only(judging).scores()
    assert told.n_deciding == told.n_judging == 4
    part = studied.only(deciding)
    known = set(part.answers.reading.tokens)
    assert set(part.partings().rows) <= known
    assert {one.target for one in part.examples}.isdisjoint(studied.examples[i].target for i in judging)


def test_crows_pairs_judge_and_never_decide(studied, models, data):
    judge = study.LanguageStudy.read(models["llama"], "crows-pairs", read_examples("crows-pairs", data))
    with pytest.raises(DataError, match="evaluation"):
        judge.debias(models["llama"])
    told = studied.debias(models["llama"], judge=judge, forms=("rows",))
    assert told.before == judge.scores()
    assert told.n_judging == len(tiny.NOUNS)
    other = study.LanguageStudy.read(models["gpt2"], "crows-pairs", judge.examples)
    with pytest.raises(DataError, match="another model"):
        studied.debias(models["llama"], judge=other)


def test_terms_that_decide_do_not_judge_in_another_set_either(studied, models, data):
    """Both parts of StereoSet are about the same terms."""
    examples = read_examples("stereoset-next", data)
    judge = study.LanguageStudy.read(models["llama"], "stereoset-next", examples)
    deciding, judging = studied.parts(judge)
    assert {one.target for one in judging.examples} == {
        one.target for one in judge.examples if one.target not in {each.target for each in deciding.examples}
    }
    assert 0 < len(judging.examples) < len(judge.examples)
    with pytest.raises(DataError, match="decides too"):
        studied.parts(judge.only(np.flatnonzero([e.target == deciding.examples[0].target for e in examples])))


def _figures(perplexity, difference, even=None):
    one = scores.Estimate(difference, None, None, 2)
    types = (scores.BiasScore("all", 3, 2, one, one, one, one),)
    return judging.Scores(types, perplexity, one, 1.0, even or perplexity)


def test_worse_writing_and_no_less_difference_are_refused():
    before, closer = _figures(20.0, 1.0), scores.Estimate(-0.2, -0.3, -0.1, 9)
    assert "perplexity" in judging.refusal(before, _figures(21.1, 0.5), closer)
    assert "perplexity" in judging.refusal(before, _figures(float("nan"), 0.5), closer)
    assert "as sure as suits" in judging.refusal(before, _figures(20.0, 0.5, even=21.1), closer)
    assert "as far apart" in judging.refusal(before, _figures(20.0, 1.0), scores.Estimate(0.0, 0.0, 0.0, 9))
    for chance in (scores.Estimate(-0.1, -0.3, 0.1, 9), scores.Estimate(-0.1, None, None, 3)):
        assert "from chance" in judging.refusal(before, _figures(20.0, 0.9), chance)
    edge = replace(_figures(20.0, 0.5), sharpness=SHARPNESS[0] + 1e-4)
    assert "only flatter" in judging.refusal(before, edge, closer)
    assert judging.refusal(before, _figures(20.9, 0.8), closer) == ""


def test_how_the_difference_changes_is_paired_over_terms():
    examples = [Example(f"t{i}", "work", "a", "b", "c") for i in range(6)]
    before = np.tile([-1.0, -3.0, -4.0], 6)
    after = before + np.tile([0.0, 0.5, 0.0], 6)
    found = scores.difference_change(examples, before, after)
    assert (found.value, found.low, found.high) == pytest.approx((-0.5, -0.5, -0.5))
    assert scores.difference_change(examples[:4], before[:12], after[:12]).high is None


# --- the topmost blocks


@pytest.mark.parametrize("name", tiny.TINY)
@pytest.mark.parametrize("blocks", [1, 2])
def test_the_topmost_blocks_alone_answer_as_the_whole_network(models, name, blocks):
    model = models[name]
    reading = read(model, PROSE, None, None, blocks)
    top = TopBlocks(model, blocks)
    np.testing.assert_allclose(
        top.features_of(reading.batches, len(reading.features)), reading.features, atol=1e-5
    )
    assert len(top.lifted(reading.batches, 1)) == len(reading.batches)
    few, tokens, _ = reading.only(np.array([1]))
    np.testing.assert_allclose(top.features_of(few.batches, len(few.features)), few.features, atol=1e-5)
    assert len(tokens) == len(few.tokens)


@pytest.fixture(scope="module")
def trained(models, data):
    """Of a causal and a masked model the change that each form chose, quickly."""
    with pytest.MonkeyPatch.context() as patch:
        tiny.trained_quickly(patch)
        found = {}
        for name in ("llama", "bert"):
            part = study.LanguageStudy.read(
                models[name], "stereoset", read_examples("stereoset", data)
            ).parts()[0]
            for form in block_training.PLANS:
                found[name, form] = part, part.change(form, models[name])[1]
        return found


@pytest.mark.parametrize("form", block_training.PLANS)
@pytest.mark.parametrize("name", ["llama", "bert"])
def test_training_brings_sentences_closer_and_leaves_the_model_alone(models, folders, trained, name, form):
    part, change = trained[name, form]
    model = models[name]
    own = dict(model.network.named_parameters())
    last = {key for key in own if ".1." in key}
    assert set(change.weights) <= (last if form == "block" else own.keys())
    assert form != "block" or set(change.weights) == last
    fresh = opening.open_language_model(folders[name])
    assert all(bool((own[key] == weight).all()) for key, weight in fresh.network.named_parameters())
    after = part.changed(change, model)
    was, now = (np.diff(each._sentence_scores(1.0).reshape(-1, 3)[:, :2]) for each in (part, after))
    assert np.mean(now**2) < 0.9 * np.mean(was**2)


def test_other_weights_are_judged_as_a_network_that_has_them(models, trained):
    import copy

    part, change = trained["llama", "block"]
    model = models["llama"]
    whole = replace(model, network=copy.deepcopy(model.network))
    whole.network.load_state_dict({**whole.network.state_dict(), **change.weights})
    again = study.LanguageStudy.read(whole, "stereoset", part.examples)
    assert part.changed(change, model).scores().all.ss == again.scores().all.ss
    assert part.changed(change, model).scores().perplexity == pytest.approx(
        again.scores().perplexity, rel=1e-4
    )


def test_training_is_the_same_every_time_and_can_be_stopped(models, trained, monkeypatch):
    part, change = trained["llama", "low-rank"]
    tiny.trained_quickly(monkeypatch)
    again = part.change("low-rank", models["llama"])[1]
    assert all(bool((again.weights[name] == one).all()) for name, one in change.weights.items())

    def stop(share):
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        part.change("low-rank", models["llama"], stop)


def test_what_the_blocks_were_given_is_kept_only_where_it_fits(models, data, monkeypatch):
    from fmd_core.language import reading

    monkeypatch.setattr(reading, "MOST_KEPT_BYTES", 100)
    part = study.LanguageStudy.read(models["llama"], "stereoset", read_examples("stereoset", data))
    told = part.debias(models["llama"])
    assert [form for form, _ in told.left_out] == list(block_training.PLANS)
    assert all("does not fit in memory" in why for _, why in told.left_out)
    assert [one.form for one in told.tried] == list(unlearning.LADDER)


def test_a_flatter_model_gains_nothing(studied):
    """All logits times 0.9: the difference falls, at equal sharpness it does not. The prose is drawn from the model
    itself, whose best sharpness is then about 1."""
    head, seen = studied.head, studied.answers
    logits = seen.reading.features.astype("float64") @ head.weight.T + head.bias
    rng = np.random.default_rng(0)
    places = np.repeat(np.arange(len(logits)), 20)
    drawn = (logits[places] + rng.gumbel(size=(len(places), logits.shape[1]))).argmax(axis=1)
    prose = replace(
        seen.reading, position=places, tokens=drawn, starts=np.array([0, len(places)]), batches=()
    )
    flat = TokenHead(head.weight * np.float32(0.9), head.bias * np.float32(0.9))
    before, now = (
        replace(studied, answers=Answers.of(one, seen.reading), prose=Answers.of(one, prose)).scores()
        for one in (head, flat)
    )
    assert before.sharpness == pytest.approx(1, abs=0.05)
    assert now.sharpness == pytest.approx(before.sharpness / 0.9, abs=1e-3)
    assert now.all.difference.value < 0.95 * before.all.difference.value
    assert now.even_difference.value == pytest.approx(before.even_difference.value, rel=1e-3)


def test_who_chooses_is_neither_trained_on_nor_judges(data):
    examples = read_examples("stereoset", data)
    deciding, judging_rows = halves(examples)
    part = [examples[i] for i in deciding]
    training, chooses = choosing(part)
    terms = [{part[i].target for i in rows} for rows in (training, chooses)]
    assert all(terms)
    assert not terms[0] & terms[1]
    assert not (terms[0] | terms[1]) & {examples[i].target for i in judging_rows}


def test_harmful_sentences_are_those_whose_loss_pulls_that_way(studied, models):
    """The influence is the derivative of B along -H^-1 grad loss, found here by finite differences of the loss."""
    sentences = ["the nurse was kind .", "the monk was loud .", "he is blue ."]
    found = studied.harmful(models["llama"], sentences)
    part = studied.partings()
    pull = part.solve(part.gradient(part.difference))
    seen = Answers.of(studied.head, read(models["llama"], sentences))
    after = with_rows(studied.head, seen, RowChange(part.rows, 1e-3 * pull))
    moved = after.log_probabilities() - seen.log_probabilities()
    slopes = {text: float(moved[seen.reading.span(i)].sum() / 1e-3) for i, text in enumerate(sentences)}
    assert found
    for one in found:
        assert one.score == pytest.approx(slopes[one.sentence], rel=0.1)
    assert {one.sentence for one in found} == {text for text, slope in slopes.items() if slope > 0}


def test_harmful_sentences_are_those_without_which_a_refit_has_less_of_the_bias(studied, models):
    """Rows fitted again with a little less weight on a sentence: B moves as its score says, in order and sign."""
    sentences = [
        f"the {noun} was {word} ." for noun in ("nurse", "monk", "boss") for word in ("kind", "rude", "she")
    ]
    part, corpus = studied.partings(), Answers.of(studied.head, read(models["llama"], sentences))
    scored = harmful.influences(part, studied.head, corpus)
    less = 1e-3
    fallen = [
        part.bias - _bias(part, _refitted(part, studied.head, corpus, i, less)) for i in range(len(sentences))
    ]
    assert np.corrcoef(scored, fallen)[0, 1] > 0.95
    clear = np.abs(scored) > 0.3 * np.abs(scored).max()
    assert (np.sign(scored) == np.sign(fallen))[clear].all()


def _bias(part, delta):
    return float(np.mean((part.difference + part.moved(delta)) ** 2))


def _refitted(part, head, corpus, sentence, less):
    """Argmin of 1/2 delta H delta less `less` times the sentence's whole loss: H is what all else wants."""
    span = corpus.reading.span(sentence)
    features = corpus.reading.features[corpus.reading.position[span]].astype("float64")
    tokens, shape = corpus.reading.tokens[span], (len(part.rows), features.shape[1])

    def value(flat):
        delta = flat.reshape(shape)
        logits = features @ head.weight.T.astype("float64") + head.bias
        logits[:, part.rows] += features @ delta.T
        logits -= logits.max(axis=1, keepdims=True)
        likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        loss = -np.log(likely[np.arange(len(tokens)), tokens]).sum()
        wrong = likely.copy()
        wrong[np.arange(len(tokens)), tokens] -= 1
        held = part.times(delta)
        slope = held - less * wrong[:, part.rows].T @ features
        return 0.5 * float((delta * held).sum()) - less * loss, slope.ravel()

    found = minimize(
        value, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B", options={"ftol": 1e-15}
    )
    return found.x.reshape(shape)


# --- data


def test_fewer_examples_are_spread_over_terms(data):
    examples = read_examples("stereoset", data)
    few = some_of(examples, 8)
    assert {one.target for one in few} == set(tiny.NOUNS)
    assert some_of(examples, None) == examples
    each = [Example(f"pair {number}", "work", "a", "b", None) for number in range(1_000)]
    drawn = [int(one.target.split()[1]) for one in some_of(each, 300)]
    assert abs(np.mean(drawn) - 499.5) < 50  # not the first ones by name
    assert drawn == sorted(set(drawn))


def test_missing_and_damaged_sets_are_sentences(tmp_path):
    with pytest.raises(DataError, match="FMD_DATA_DIR"):
        read_examples("stereoset", tmp_path)
    (tmp_path / "text/stereoset").mkdir(parents=True)
    (tmp_path / "text/stereoset/dev.json").write_text('{"data": 3}')
    with pytest.raises(FMDError, match="form of its authors"):
        read_examples("stereoset", tmp_path)
    with pytest.raises(DataError, match="no set"):
        read_examples("bold", tmp_path)


def test_the_prose_is_ours_and_a_corpus_has_bounds():
    assert 40 < len(study.PROSE.read_text().splitlines()) < 100
    assert study.corpus_lines("a b\n\n c\n") == ["a b", "c"]
    with pytest.raises(DataError, match="sentences"):
        study.corpus_lines("\n")


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY"])
def test_a_damaged_reading_is_read_again(studied, tmp_path, content):
    path = tmp_path / "stereoset.npz"
    path.write_bytes(content)
    assert kept_answers(path, lambda: studied.answers) is studied.answers
    again = kept_answers(path, None)
    np.testing.assert_array_equal(again.logits, studied.answers.logits)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 3 : len(whole) // 2] = bytes(len(whole) // 2 - len(whole) // 3)
    path.write_bytes(bytes(whole))
    assert kept_answers(path, lambda: studied.answers) is studied.answers
    odd = replace(
        studied.answers, logits=np.where(studied.answers.logits < -2, np.nan, studied.answers.logits)
    )
    kept_answers(tmp_path / "odd.npz", lambda: odd)
    assert kept_answers(tmp_path / "odd.npz", lambda: studied.answers) is studied.answers
