"""Two-layer language models with random weights, as folders that the library wrote, and a small stereotype set."""

import json
from functools import cache

NOUNS = ["nurse", "boss", "clerk", "guard", "priest", "monk", "farmer", "cook"]
WORDS = ["the", "was", "is", "kind", "rude", "calm", "loud", "blue", "seven", "she", "he", "they", "."]
TINY = {
    "llama": {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
              "num_key_value_heads": 1, "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 1},
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64, "bos_token_id": 1, "eos_token_id": 1},
    "gpt_neox": {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
                 "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 1},
    "bert": {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
             "max_position_embeddings": 64},
}  # fmt: skip
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def tokenizer():
    """Whole words, with the marks of BERT around a text."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = {word: number for number, word in enumerate([*SPECIAL, *WORDS, *NOUNS])}
    found = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    found.pre_tokenizer = pre_tokenizers.Whitespace()
    found.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return found


@cache
def files(model_type="llama"):
    """What save_pretrained writes, by name."""
    import tempfile
    from pathlib import Path

    import torch
    import transformers

    from fmd_core.language.descriptions import FAMILIES

    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    family = FAMILIES[model_type]
    size = len(SPECIAL) + len(WORDS) + len(NOUNS)
    config = getattr(transformers, family.config)(vocab_size=size, **TINY[model_type])
    network = getattr(transformers, family.network)(config).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    with tempfile.TemporaryDirectory() as folder:
        network.save_pretrained(folder)
        found = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    return found | {"tokenizer.json": tokenizer().to_str().encode()}


def folder(place, family="llama", **changes):
    """A folder with these files; `changes` are made in config.json."""
    place.mkdir(parents=True, exist_ok=True)
    for name, content in files(family).items():
        (place / name).write_bytes(content)
    told = json.loads((place / "config.json").read_text()) | changes
    (place / "config.json").write_text(json.dumps(told))
    return place


def stereoset():
    """A data folder's worth of StereoSet: each noun five times, kind against rude."""
    told, pairs = [], [("kind", "rude"), ("calm", "loud"), ("rude", "kind"), ("loud", "calm"), ("she", "he")]
    for number, noun in enumerate(NOUNS):
        for plus, minus in pairs:
            sentences = [f"the {noun} was {word} ." for word in (plus, minus, "seven")]
            labels = ["stereotype", "anti-stereotype", "unrelated"]
            told.append({
                "target": noun, "bias_type": "work" if number % 2 else "place", "context": f"they is {noun} .",
                "sentences": [{"sentence": s, "gold_label": g} for s, g in zip(sentences, labels, strict=True)],
            })  # fmt: skip
    return {"data": {"intrasentence": told, "intersentence": told}}


def data_folder(place):
    """Both sets where FMD_DATA_DIR would have them."""
    (place / "text/stereoset").mkdir(parents=True)
    (place / "text/crows_pairs").mkdir(parents=True)
    (place / "text/stereoset/dev.json").write_text(json.dumps(stereoset()))
    rows = [",sent_more,sent_less,stereo_antistereo,bias_type"]
    rows += [
        f"{i},the {noun} was rude .,the {noun} was kind .,stereo,race-color" for i, noun in enumerate(NOUNS)
    ]
    (place / "text/crows_pairs/crows_pairs_anonymized.csv").write_text("\n".join(rows) + "\n")
    return place


def trained_quickly(patch):
    """Few steps of training, and no bound on perplexity, which random weights do not keep."""
    from dataclasses import replace

    from fmd_core.language import block_training

    for form, plan in block_training.PLANS.items():
        quick = replace(plan, rate=3e-3, retain=0.3, steps=20, keep_every=10)
        patch.setitem(block_training.PLANS, form, quick)
    patch.setattr(block_training, "CHOSEN_PERPLEXITY", 5.0)
