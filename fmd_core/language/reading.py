"""What a language model makes of sentences: for each token the features from which it is guessed.

A causal model guesses a token from those before it, a masked one from all others. Either way the guess is
`softmax(features @ W.T + b)` with the last layer's W and b, so that changed rows of W are judged without running the
network again. Positions that several sentences share (the same words before, or around, the hidden one) are read
once, and so are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array
from fmd_core.errors import DataError
from fmd_core.language.blocks import Enough, head_of, top_blocks
from fmd_core.language.opening import LanguageModel

if TYPE_CHECKING:
    import torch
    from torch import nn

BATCH_TOKENS = 768
MOST_BYTES = 3 << 29
"""Of features that are held."""
MOST_KEPT_BYTES = 1 << 30
"""Of what the topmost blocks were given; nothing is kept of a reading that needs more."""
Tell = Callable[[float], object]
Given = tuple[tuple[int, ...], tuple[int, ...]]
"""Tokens as the network is given them, and which text each is of, where the network tells two texts apart; else ()."""
Place = tuple[Given, int]
"""What the network is given, and the position whose answer is asked."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Texts that the network read at once, as they came to its topmost blocks."""

    ids: Array
    """(texts, tokens) int64, 0 where a text is over."""
    counts: Array
    """(texts, tokens) int64, 1 where there is a token."""
    hidden: Array
    """(texts, tokens, width) float32, what the first of these blocks was given."""
    asked: Array
    """(asked, 3) int64: text, token, and which position of the reading its answer is."""

    def tensors(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Ids, counts and hidden for the network."""
        import torch

        return torch.from_numpy(self.ids), torch.from_numpy(self.counts), torch.from_numpy(self.hidden)

    def only(self, number: Array) -> Batch | None:
        """Without the texts of which nothing is asked any more; `number` (positions,) the new numbers or -1."""
        asked = self.asked[number[self.asked[:, 2]] >= 0]
        if not len(asked):
            return None
        texts, row = np.unique(asked[:, 0], return_inverse=True)
        long = int(self.counts[texts].sum(axis=1).max())
        renamed = np.column_stack([row, asked[:, 1], number[asked[:, 2]]])
        return Batch(self.ids[texts, :long], self.counts[texts, :long], self.hidden[texts, :long], renamed)


@dataclass(frozen=True, eq=False)
class Reading:
    """Sentences as positions: sentence i has the tokens and positions `starts[i]` to `starts[i + 1]`."""

    features: Array
    """(positions, d) float32, what W is multiplied by."""
    position: Array
    """(tokens,) int64, where in `features` each token is guessed."""
    tokens: Array
    """(tokens,) int64, which token stands there."""
    starts: Array
    """(sentences + 1,) int64."""
    batches: tuple[Batch, ...] = ()
    """What the topmost blocks were given, so that a change of them is judged without reading again; empty where it is
    not kept."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    def span(self, sentence: int) -> slice:
        """Where a sentence's tokens lie."""
        return slice(int(self.starts[sentence]), int(self.starts[sentence + 1]))

    def only(self, sentences: Array) -> tuple[Reading, Array, Array]:
        """The reading of some sentences, in this order; and which tokens and positions of this one it has."""
        tokens = np.concatenate([np.arange(self.starts[s], self.starts[s + 1]) for s in sentences])
        positions, position = np.unique(self.position[tokens], return_inverse=True)
        number = np.full(len(self.features), -1)
        number[positions] = np.arange(len(positions))
        batches = tuple(part for batch in self.batches if (part := batch.only(number)) is not None)
        starts = np.cumsum([0, *np.diff(self.starts)[sentences]])
        found = Reading(self.features[positions], position, self.tokens[tokens], starts, batches)
        return found, tokens, positions


def read(
    model: LanguageModel,
    sentences: Sequence[str],
    contexts: Sequence[str] | None = None,
    tell: Tell | None = None,
    keep: int = 0,
) -> Reading:
    """Read sentences; with `contexts` only their own tokens count, after those of their context. With `keep` what so
    many of the topmost blocks were given is kept, where it fits in memory.

    `tell` hears the share that is done and may raise to stop. DataError for a sentence without tokens or too long.
    """
    before = contexts if contexts is not None else [""] * len(sentences)
    places: dict[Place, int] = {}
    position: list[int] = []
    tokens: list[int] = []
    starts = [0]
    for sentence, context in zip(sentences, before, strict=True):
        asked = list(_asked(model, sentence, context))
        if not asked:
            raise DataError(f"The sentence '{sentence[:60]}' has no words.")
        for place, token in asked:
            position.append(places.setdefault(place, len(places)))
            tokens.append(token)
        starts.append(len(tokens))
    features, batches = _features(model, places, tell or _silent, keep)
    return Reading(features, np.array(position), np.array(tokens), np.array(starts), batches)


def _asked(model: LanguageModel, sentence: str, context: str) -> Iterator[tuple[Place, int]]:
    """Each token of a sentence with the place where it is guessed."""
    if model.kind == "causal":
        first = model.tokenizer.encode(context, add_special_tokens=False).ids if context else []
        own = model.tokenizer.encode(f" {sentence}" if context else sentence, add_special_tokens=False).ids
        given = (model.special, *first, *own)
        _check_length(model, given, sentence)
        for number in range(len(first), len(first) + len(own)):
            yield ((given[: number + 1], ()), number), given[number + 1]
        return
    found = model.tokenizer.encode(context, sentence) if context else model.tokenizer.encode(sentence)
    _check_length(model, found.ids, sentence)
    own_part = 1 if context else 0  # not the type: RoBERTa has one type for both
    types = tuple(found.type_ids) if model.tells_texts_apart else ()
    for number, (token, special, part) in enumerate(
        zip(found.ids, found.special_tokens_mask, found.sequence_ids, strict=True)
    ):
        if not special and part == own_part:
            hidden = (*found.ids[:number], model.special, *found.ids[number + 1 :])
            yield ((hidden, types), number), token


def _check_length(model: LanguageModel, ids: Sequence[int], sentence: str) -> None:
    if len(ids) > model.longest:
        raise DataError(
            f"The sentence '{sentence[:40]}' has {len(ids):,} tokens, more than the {model.longest:,} that are read; "
            "cut it."
        )


def _features(
    model: LanguageModel, places: dict[Place, int], tell: Tell, keep: int
) -> tuple[Array, tuple[Batch, ...]]:
    """Features (places, d): the input of the last layer, wherever a model of the library has it; and, where `keep`
    is above 0, what so many of the topmost blocks were given."""
    import torch

    width, runs = head_of(model).weight.shape[1], _runs(model, places)
    total = max(1, sum(len(tokens) for (tokens, _), _ in runs))
    if 4 * width * len(places) > MOST_BYTES:
        raise DataError(
            f"{len(places):,} positions of {width:,} features do not fit in memory; take fewer examples."
        )
    if 4 * width * total > MOST_KEPT_BYTES:
        keep = 0
    found, batches, done = np.empty((len(places), width), "float32"), [], 0
    with _heard(model, keep) as heard:
        for group in _batches(runs):
            ids, counts, asked = _padded(group)
            inputs = {"input_ids": ids, "attention_mask": counts, **_types(group, ids.shape)}
            heard.clear()
            with torch.inference_mode(), suppress(Enough):
                model.network(**{name: torch.from_numpy(array) for name, array in inputs.items()})
            found[asked[:, 2]] = heard[-1].numpy()[asked[:, 0], asked[:, 1]]
            if keep:
                batches.append(Batch(ids, counts, heard[0].numpy(), asked))
            done += int(counts.sum())
            tell(done / total)
    return found, tuple(batches)


@contextmanager
def _heard(model: LanguageModel, keep: int) -> Iterator[list[torch.Tensor]]:
    """What the topmost blocks (where `keep` is above 0) and the last layer are given, while the network reads."""
    heard: list[torch.Tensor] = []

    def into_blocks(_block: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        heard.append(given[0])

    def into_head(_layer: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        heard.append(given[0])
        raise Enough

    hooks = [head_of(model).register_forward_pre_hook(into_head)]
    if keep:
        first = top_blocks(model.network, keep)[0]
        hooks.append(first.register_forward_pre_hook(into_blocks))
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()


def _padded(group: list[Run]) -> tuple[Array, Array, Array]:
    """Tokens, where there are any, and what is asked of them: `ids`, `counts` and `asked` of a Batch."""
    ids = np.zeros((len(group), max(len(tokens) for (tokens, _), _ in group)), np.int64)
    counts = np.zeros_like(ids)
    for row, ((tokens, _), _) in enumerate(group):
        ids[row, : len(tokens)], counts[row, : len(tokens)] = tokens, 1
    asked = [(row, at, where) for row, (_, wanted) in enumerate(group) for at, where in wanted]
    return ids, counts, np.array(asked)


def _types(group: list[Run], shape: tuple[int, ...]) -> dict[str, Array]:
    """Which text each token is of, as the network's own tokenizer says it; nothing where it does not ask."""
    found = np.zeros(shape, np.int64)
    for row, ((_, types), _) in enumerate(group):
        found[row, : len(types)] = types
    return {"token_type_ids": found} if any(types for (_, types), _ in group) else {}


def _silent(_share: float) -> None:
    """Tell nobody."""


Run = tuple[Given, list[tuple[int, int]]]
"""What the network is given; positions of its answer with their place in the features."""


def _runs(model: LanguageModel, places: dict[Place, int]) -> list[Run]:
    """What the network has to read: of a causal model the longest beginnings give all shorter ones too."""
    if model.kind == "masked":
        return [(given, [(at, where)]) for (given, at), where in places.items()]
    left = {tokens: where for ((tokens, _), _), where in places.items()}
    runs: list[Run] = []
    for tokens in sorted(left, key=len, reverse=True):
        if tokens in left:
            wanted = [(n - 1, left.pop(tokens[:n])) for n in range(len(tokens), 0, -1) if tokens[:n] in left]
            runs.append(((tokens, ()), wanted))
    return runs


def _batches(runs: list[Run]) -> Iterator[list[Run]]:
    """Runs of like length together, so that little is padded."""
    group: list[Run] = []
    for run in sorted(runs, key=lambda one: len(one[0][0])):
        if group and (len(group) + 1) * len(run[0][0]) > BATCH_TOKENS:
            yield group
            group = []
        group.append(run)
    if group:
        yield group
