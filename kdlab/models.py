"""A small GPT to distil, and the logits of any causal language model.

The GPT is a decoder-only transformer with pre-norm blocks, learned positions and tied embeddings,
small enough to train on a laptop and to understand as a whole.
"""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from kdlab.arguments import check_tensor, checked

__all__ = [
    "PRESETS",
    "KeyValues",
    "TinyGPT",
    "TinyGPTConfig",
    "count_parameters",
    "logits_of",
]


@checked
@dataclass(frozen=True)
class TinyGPTConfig:
    """The shape of a :class:`TinyGPT`.

    Raises:
        ValueError: d_model is not a multiple of n_head, or a number is outside its range.

    >>> TinyGPTConfig(n_layer=2, n_head=2, d_model=64) == PRESETS["tiny-student"]
    True
    """

    vocab_size: int = 2048  # V, the number of entries in the vocabulary
    block_size: int = 128  # longest sequence, in tokens
    n_layer: int = 4  # transformer blocks
    n_head: int = 4  # attention heads in each block
    d_model: int = 128  # width of the hidden states; a multiple of n_head
    dropout: float = 0.0  # share of activations dropped in training

    def __post_init__(self) -> None:
        for name in ("vocab_size", "block_size", "n_head", "d_model"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.n_layer < 0:
            raise ValueError(f"n_layer must be at least 0, got {self.n_layer}")
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"dropout must be a share from 0 to 1, got {self.dropout}")
        if self.d_model % self.n_head:
            raise ValueError(f"d_model {self.d_model} must be a multiple of n_head {self.n_head}")


PRESETS: dict[str, TinyGPTConfig] = {
    "tiny-teacher": TinyGPTConfig(n_layer=4, n_head=4, d_model=128),
    "tiny-student": TinyGPTConfig(n_layer=2, n_head=2, d_model=64),
}
"""Shapes by name; each trains on two cores in minutes."""


class TinyGPT(nn.Module):
    """A causal language model of any :class:`TinyGPTConfig`.

    Args:
        config: the shape, or the name of a preset.
        **changes: fields of :class:`TinyGPTConfig` that replace those of ``config``.

    Raises:
        ValueError: the preset is unknown, or the shape is one that TinyGPTConfig refuses.

    Source: the GPT-2 architecture (Radford et al. 2019), pre-norm and with tied embeddings.

    >>> model = TinyGPT("tiny-student", vocab_size=100)
    >>> model(torch.zeros(1, 8, dtype=torch.long)).shape
    torch.Size([1, 8, 100])
    """

    @checked
    def __init__(self, config: TinyGPTConfig | str = "tiny-student", **changes: Any):
        super().__init__()
        if isinstance(config, str):
            if config not in PRESETS:
                raise ValueError(f"unknown preset {config!r}; known: {', '.join(PRESETS)}")
            config = PRESETS[config]
        self.config = config = TinyGPTConfig(**{**asdict(config), **changes})
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.position_embedding = nn.Embedding(config.block_size, config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        blocks = [Block(config) for _ in range(config.n_layer)]
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(config.d_model)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.apply(_initialise)
        # Each block adds to the residual stream twice; keep the sum's variance as depth grows.
        for block in blocks:
            for out in (block.attention.out, block.mlp[-1]):
                nn.init.normal_(out.get_parameter("weight"), std=0.02 / (2 * config.n_layer) ** 0.5)
        self.lm_head.weight = self.token_embedding.weight  # tied

    def hidden(
        self,
        input_ids: Tensor,
        past: KeyValues | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> Tensor:
        """The last hidden states, before the head.

        Args:
            input_ids: ``[B, T]`` token ids; with the tokens in ``past``, at most ``block_size``.
            past: the cache of the tokens read before these; these are added to it.
            attention_mask: ``[B, past + T]``, for the tokens in ``past``, then for ``input_ids``; 0
                marks padding. No token sees padding, and positions are counted without it.
            position_ids: ``[B, T]``, each token's position in its text. Without a mask and with an
                empty past, a new text begins wherever they do not increase by 1; it does not see
                the texts before it.

        Returns:
            ``[B, T, d_model]``.

        Raises:
            ValueError: ``input_ids`` are not integers ``[B, T]``; a position is beyond
                ``block_size``; or the mask does not cover ``past + T`` tokens.
        """
        check_tensor("input_ids", input_ids)
        if input_ids.dim() != 2 or input_ids.is_floating_point():
            raise ValueError(
                f"input_ids must be integers [B, T], got {input_ids.dtype} {list(input_ids.shape)}"
            )
        start = 0 if past is None else past.length
        new, end = input_ids.shape[-1], start + input_ids.shape[-1]
        device = input_ids.device
        earlier = torch.ones(new, end, dtype=torch.bool, device=device).tril(start)
        positions, sees = torch.arange(start, end, device=device), earlier if start else None
        if attention_mask is not None:
            there = attention_mask.bool()
            if there.shape[-1] != end:
                raise ValueError(
                    f"attention_mask {tuple(there.shape)} must be of {end} tokens, those of the "
                    "past included"
                )
            positions = (there.long().cumsum(-1) - 1).clamp_min(0)[:, start:]
            # Padding sees itself, because a softmax over nothing is undefined.
            sees = (earlier & there[:, None, None, :]) | earlier.triu(start)
        if position_ids is not None:
            positions = position_ids
            if attention_mask is None and not start:
                begins = position_ids.diff(prepend=position_ids[..., :1] - 1) != 1
                text = begins.cumsum(-1)
                sees = earlier & (text[:, None, :, None] == text[:, None, None, :])
        plain = attention_mask is None and position_ids is None
        if plain:
            longest = end
        elif torch.compiler.is_compiling():
            longest = 0  # reading a value would break the graph; the table itself raises
        else:
            longest = int(positions.max()) + 1
        if longest > self.config.block_size:
            raise ValueError(
                f"sequences of {longest} tokens do not fit a model with block_size "
                f"{self.config.block_size}"
            )
        x = self.token_embedding(input_ids) + self.position_embedding(positions)  # (B, T, d)
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x, past, sees)
        states: Tensor = self.norm(x)
        return states

    def forward(
        self,
        input_ids: Tensor,
        past: KeyValues | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
    ) -> Tensor:
        """Next-token logits ``[B, T, V]`` for ids ``[B, T]``; ``[:, t]`` predicts token t + 1."""
        logits: Tensor = self.lm_head(self.hidden(input_ids, past, attention_mask, position_ids))
        return logits


class KeyValues:
    """The KV cache of a :class:`TinyGPT`: each layer's keys and values of the tokens read so far.

    Given this cache, a model reads only the new tokens of a growing text. A copy, shallow or deep,
    is independent of the original, so one model can continue the same text in several ways.

    >>> model, past = TinyGPT("tiny-student", vocab_size=100), KeyValues()
    >>> text = torch.arange(8)[None]
    >>> _ = model(text[:, :5], past)
    >>> torch.allclose(model(text[:, 5:], past), model(text)[:, 5:], atol=1e-5)
    True
    """

    def __init__(self) -> None:
        self.kept: dict[nn.Module, tuple[Tensor, Tensor]] = {}  # each [B, nh, T, d/nh], by layer

    @property
    def length(self) -> int:
        """Tokens read so far."""
        return next((keys.shape[2] for keys, _ in self.kept.values()), 0)

    def extended(self, layer: nn.Module, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add a layer's new keys and values; returns those of all its tokens."""
        if layer in self.kept:
            keys = torch.cat([self.kept[layer][0], keys], dim=2)
            values = torch.cat([self.kept[layer][1], values], dim=2)
        self.kept[layer] = keys, values
        return keys, values

    def __copy__(self) -> KeyValues:
        """An independent cache. The tensors are shared, which is safe: none is ever written to."""
        other = type(self)()
        other.kept = dict(self.kept)
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> KeyValues:
        return copy.copy(self)  # a copied layer would not find its keys and values


class Block(nn.Module):
    """Attention, then a two-layer perceptron, each on a normalised copy and added back."""

    def __init__(self, config: TinyGPTConfig):
        super().__init__()
        d = config.d_model
        self.attention_norm = nn.LayerNorm(d)
        self.attention = CausalSelfAttention(config)
        self.mlp_norm = nn.LayerNorm(d)
        self.mlp = nn.Sequential(
            nn.Linear(d, 4 * d), nn.GELU(approximate="tanh"), nn.Linear(4 * d, d)
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, past: KeyValues | None = None, sees: Tensor | None = None
    ) -> Tensor:
        x = x + self.dropout(self.attention(self.attention_norm(x), past, sees))
        x = x + self.dropout(self.mlp(self.mlp_norm(x)))
        return x


class CausalSelfAttention(nn.Module):
    """Multi-head attention in which a position sees itself and the positions before it."""

    def __init__(self, config: TinyGPTConfig):
        super().__init__()
        self.n_head = config.n_head
        self.qkv = nn.Linear(config.d_model, 3 * config.d_model)
        self.out = nn.Linear(config.d_model, config.d_model)

    def forward(
        self, x: Tensor, past: KeyValues | None = None, sees: Tensor | None = None
    ) -> Tensor:
        batch, length, d = x.shape
        heads = self.qkv(x).view(batch, length, 3, self.n_head, d // self.n_head)
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # each (B, nh, T, d/nh)
        if past is not None:
            k, v = past.extended(self, k, v)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=sees, is_causal=sees is None)
        mixed: Tensor = self.out(y.transpose(1, 2).reshape(batch, length, d))
        return mixed


def logits_of(model: nn.Module, input_ids: Tensor, **inputs: Any) -> Tensor:
    """The logits of any causal language model: its output, or ``.logits`` of its output.

    Args:
        model: called with ``input_ids`` and ``inputs``.
        input_ids: ``[B, T]`` token ids.
        inputs: further keyword arguments of the model, such as ``attention_mask``.

    Returns:
        ``[B, T, V]``.

    Raises:
        TypeError: the model returned neither a tensor nor an object with a tensor ``.logits``.
        ValueError: the logits are not ``[B, T, V]``, one vector for each input token.

    >>> logits_of(nn.Embedding(10, 10), torch.tensor([[1, 2, 3]])).shape
    torch.Size([1, 3, 10])
    """
    output = model(input_ids, **inputs)
    logits = getattr(output, "logits", output)
    if not isinstance(logits, Tensor):
        raise TypeError(
            f"{type(model).__name__} returned {type(output).__name__}; it must return logits "
            "[B, T, V] or an object with .logits"
        )
    if logits.dim() == 3 and logits.shape[:2] != input_ids.shape:
        # PEFT's virtual tokens come before the text, with logits of their own.
        logits = logits[:, _virtual_tokens(model) :]
    if logits.dim() != 3 or logits.shape[:2] != input_ids.shape:
        raise ValueError(
            f"{type(model).__name__} returned logits {list(logits.shape)} for tokens "
            f"{list(input_ids.shape)}; they must be [B, T, V], one for each token"
        )
    return logits


def _virtual_tokens(model: nn.Module) -> int:
    config = getattr(getattr(model, "module", model), "active_peft_config", None)
    return getattr(config, "num_virtual_tokens", None) or 0


def is_adapted(part: nn.Module) -> bool:
    """Whether a module is a layer of PEFT, whose adapters can be turned on and off."""
    return isinstance(getattr(type(part), "disable_adapters", None), property)


def longest_text(model: nn.Module, at_most: int = 1024) -> int:
    """Most tokens that a model reads at once by its configuration, and no more than ``at_most``."""
    config: Any = getattr(model, "config", None)
    config = getattr(config, "get_text_config", lambda: config)()
    names = ("block_size", "max_position_embeddings", "n_positions")
    known = [getattr(config, name, None) for name in names]
    return min([at_most, *(length for length in known if isinstance(length, int))])


@checked
def count_parameters(model: nn.Module) -> int:
    """Parameters of a model, a tied weight counted once.

    >>> count_parameters(nn.Linear(3, 4))
    16
    """
    return sum(parameter.numel() for parameter in model.parameters())


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
