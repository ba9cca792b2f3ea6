"""A BERT encoder of token numbers, ending in the mean over tokens: what sentence encoders are made of.

Our own forward, so that a sentence encoder needs neither transformers nor its cache: it agrees with
transformers to single precision (Devlin et al. 2019; Reimers and Gurevych 2019 for the mean).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn


class _Attention(nn.Module):
    """Self-attention of one layer, with its residual."""

    def __init__(self, width: int, heads: int, epsilon: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.dense = (nn.Linear(width, width) for _ in range(4))
        self.norm = nn.LayerNorm(width, eps=epsilon)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        m, length, width = x.shape
        q, k, v = (
            layer(x).view(m, length, self.heads, width // self.heads).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        weights = (q @ k.transpose(-1, -2) / math.sqrt(width // self.heads) + hidden).softmax(-1)
        return self.norm(x + self.dense((weights @ v).transpose(1, 2).reshape(m, length, width)))


class _Layer(nn.Module):
    """Attention, then two linear layers with GELU between them."""

    def __init__(self, width: int, inner: int, heads: int, epsilon: float) -> None:
        super().__init__()
        self.attention = _Attention(width, heads, epsilon)
        self.up, self.down = nn.Linear(width, inner), nn.Linear(inner, width)
        self.norm = nn.LayerNorm(width, eps=epsilon)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        x = self.attention(x, hidden)
        return self.norm(x + self.down(nn.functional.gelu(self.up(x))))


class MeanBert(nn.Module):
    """Token numbers (m, length) int64, 0 for padding, to sentences (m, width) float32 of length 1."""

    def __init__(self, config: Mapping[str, int | float | str]) -> None:
        super().__init__()
        width, epsilon = int(config["hidden_size"]), float(config["layer_norm_eps"])
        self.words = nn.Embedding(int(config["vocab_size"]), width)
        self.places = nn.Embedding(int(config["max_position_embeddings"]), width)
        self.types = nn.Embedding(int(config["type_vocab_size"]), width)
        self.norm = nn.LayerNorm(width, eps=epsilon)
        self.layers = nn.ModuleList(
            _Layer(width, int(config["intermediate_size"]), int(config["num_attention_heads"]), epsilon)
            for _ in range(int(config["num_hidden_layers"]))
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Sentences of tokens; padding changes nothing."""
        return self.shares(tokens).sum(1)

    def shares(self, tokens: Tensor) -> Tensor:
        """What each token adds to its sentence, (m, length, width)."""
        there = (tokens != 0).float()
        x = self.words(tokens) + self.places(torch.arange(tokens.shape[1])) + self.types.weight[0]
        x, hidden = self.norm(x), (1 - there)[:, None, None, :] * torch.finfo(torch.float32).min
        for layer in self.layers:
            x = layer(x, hidden)
        x = x * there[..., None]
        return x / x.sum(1, keepdim=True).norm(dim=2, keepdim=True).clamp(min=1e-12)


def our_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a BERT as transformers names them, by the names of `MeanBert`; what it has no use for, such as
    the pooler, is left out."""
    renamed = {
        "embeddings.word_embeddings": "words", "embeddings.position_embeddings": "places",
        "embeddings.token_type_embeddings": "types", "embeddings.LayerNorm": "norm",
        "encoder.layer": "layers", "attention.self.": "attention.", "attention.output.dense": "attention.dense",
        "attention.output.LayerNorm": "attention.norm", "intermediate.dense": "up", "output.dense": "down",
        "output.LayerNorm": "norm",
    }  # fmt: skip
    found = {}
    for name, array in state.items():
        if name.startswith("pooler.") or name.endswith("position_ids"):
            continue
        own = name
        for theirs, ours in renamed.items():
            own = own.replace(theirs, ours)
        found[own] = array
    return found
