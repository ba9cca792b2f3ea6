"""What a language model's config.json may say: a list of known types and words, and nothing of the model's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fmd_core.models.hugging_face.allowed import (
    MOST_LAYERS,
    MOST_WORDS,
    WIDEST,
    Check,
    Rules,
    believed,
    flag,
    nothing_or,
    number,
    whole,
)
from fmd_core.models.hugging_face.config import ALLOWED as CLASSIFIERS

Kind = Literal["causal", "masked"]


@dataclass(frozen=True)
class Family:
    """One `model_type`: how it reads, and the library's classes for it."""

    kind: Kind
    config: str
    network: str


FAMILIES: dict[str, Family] = {
    "llama": Family("causal", "LlamaConfig", "LlamaForCausalLM"),
    "mistral": Family("causal", "MistralConfig", "MistralForCausalLM"),
    "qwen2": Family("causal", "Qwen2Config", "Qwen2ForCausalLM"),
    "gpt2": Family("causal", "GPT2Config", "GPT2LMHeadModel"),
    "gpt_neox": Family("causal", "GPTNeoXConfig", "GPTNeoXForCausalLM"),
    "bert": Family("masked", "BertConfig", "BertForMaskedLM"),
    "roberta": Family("masked", "RobertaConfig", "RobertaForMaskedLM"),
    "distilbert": Family("masked", "DistilBertConfig", "DistilBertForMaskedLM"),
}


def _rope(told: object) -> bool:
    """Places of words as most models tell them: one base, nothing stretched."""
    if not isinstance(told, dict) or set(told) - {"rope_type", "rope_theta", "partial_rotary_factor"}:
        return False
    base, share = told.get("rope_theta", 10_000.0), told.get("partial_rotary_factor", 1.0)
    return told.get("rope_type", "default") == "default" and number(1, 1e9)(base) and number(0, 1)(share)


_SPECIAL = nothing_or(whole(0, MOST_WORDS))
ALLOWED: dict[str, Check] = {
    **{key: check for key, check in CLASSIFIERS.items() if key not in ("problem_type", "image_size", "patch_size")},
    **dict.fromkeys(("n_layer", "n_head", "num_key_value_heads"), whole(1, MOST_LAYERS)),
    **dict.fromkeys(("n_embd", "head_dim"), whole(1, WIDEST)),
    "n_inner": nothing_or(whole(1, WIDEST)),
    **dict.fromkeys(("n_positions", "n_ctx", "max_position_embeddings"), whole(1, 1 << 20)),
    **dict.fromkeys(("rms_norm_eps", "layer_norm_epsilon"), number(0, 1)),
    **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), _SPECIAL),
    **dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop", "hidden_dropout", "rotary_pct"), number(0, 1)),
    "activation_function": CLASSIFIERS["hidden_act"],
    "rope_theta": number(1, 1e9),
    "rope_parameters": _rope,
    "rotary_emb_base": number(1, 1e9),
    **dict.fromkeys(
        ("tie_word_embeddings", "attention_bias", "mlp_bias", "use_parallel_residual", "scale_attn_weights"), flag
    ),
    "sliding_window": nothing_or(whole(1, 1 << 20)),
    "use_sliding_window": lambda value: value is False,
}  # fmt: skip
"""What is taken over from a config.json, by name, and what it may be."""
RULES = Rules(
    types=FAMILIES,
    allowed=ALLOWED,
    instead="bring a plain language model of the library",
    opened_as="as a language model",
    never=("rope_scaling", "scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn", "logits_scaling"),
)


@dataclass(frozen=True)
class Described:
    """A config.json as far as it is believed."""

    model_type: str
    settings: Mapping[str, Any]

    @property
    def family(self) -> Family:
        """The library's classes for it."""
        return FAMILIES[self.model_type]


def read_config(told: object) -> Described:
    """What a config.json says, by words that are known. ModelError for what no plain language model says."""
    config, settings = believed(told, RULES)
    return Described(config["model_type"], settings)
