"""Text that a model writes itself: for sequence-level and on-policy distillation."""

from __future__ import annotations

import inspect
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from kdlab.models import KeyValues, TinyGPT, logits_of

__all__ = ["continued", "generate"]


@torch.no_grad()
def generate(
    model: nn.Module,
    input_ids: Tensor,
    new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Continue token sequences with tokens drawn from a model.

    A :class:`kdlab.TinyGPT` or a Hugging Face model reads each token once and keeps its keys and
    values; any other model reads the whole text again for every token. Rows have equal lengths and
    no padding, as in packed text, and go on past an end-of-text token.

    Args:
        model: any causal language model. It writes in evaluation mode; its mode is restored.
        input_ids: ``[B, T]`` token ids, T at least 1.
        new_tokens: how many to add to each row.
        temperature: of the softmax that is drawn from; 0 takes the likeliest token.
        top_k: draw from the k likeliest tokens only; None from all.
        generator: of the draws, on the device of ``input_ids``; None is torch's own.

    Returns:
        ``[B, T + new_tokens]``, the given tokens first.

    Raises:
        ValueError: a shape or a number is outside what is listed here, the model has an encoder, or
            it is a TinyGPT that cannot read sequences that long.

    >>> copier = nn.Embedding(5, 5, _weight=torch.eye(5))
    >>> generate(copier, torch.tensor([[1, 3]]), 2, temperature=0.0)
    tensor([[1, 3, 3, 3]])
    """
    if input_ids.dim() != 2 or input_ids.shape[1] == 0:
        raise ValueError(f"input_ids must be [B, T] with T ≥ 1, got {tuple(input_ids.shape)}")
    if new_tokens < 0:
        raise ValueError(f"new_tokens must be at least 0, got {new_tokens}")
    if not 0 <= temperature < float("inf"):
        raise ValueError(f"temperature must be at least 0 and finite, got {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, got {top_k}")
    if getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        raise ValueError(f"{type(model).__name__} has an encoder: it does not go on with a text")
    was_training, past = model.training, None
    model.eval()
    try:
        for _ in range(new_tokens):
            logits, past = _after(input_ids, model, past)
            logits = logits.float()
            if top_k is not None and top_k < logits.shape[-1]:
                top = logits.topk(top_k)
                nothing = torch.full_like(logits, float("-inf"))
                logits = nothing.scatter(-1, top.indices, top.values)
            if temperature == 0:
                token = logits.argmax(-1, keepdim=True)
            else:
                p = (logits / temperature).softmax(-1)
                token = torch.multinomial(p, 1, generator=generator)
            input_ids = torch.cat([input_ids, token], dim=1)
    finally:
        model.train(was_training)
    return input_ids


def _after(input_ids: Tensor, model: nn.Module, past: Any) -> tuple[Tensor, Any]:
    """The logits ``[B, V]`` of what comes next, and what the model keeps of the text, if anything.

    The past is None, or what the last call returned, which had the text without its last token.
    """
    new = input_ids if past is None else input_ids[:, -1:]
    if isinstance(model, TinyGPT):
        past = past or KeyValues()
        return model(new, past)[:, -1], past
    if "past_key_values" in inspect.signature(model.forward).parameters:
        output = model(new, past_key_values=past, use_cache=True)
        return output.logits[:, -1], getattr(output, "past_key_values", None)
    return logits_of(model, input_ids)[:, -1], None


def continued(
    model: nn.Module,
    prompts: Tensor,
    length: int,
    *,
    ignore_index: int = -100,
    generator: torch.Generator | None = None,
) -> dict[str, Tensor]:
    """Beginnings, and how a model goes on, as a batch to learn from; the beginnings do not count.

    Args:
        model: any causal language model.
        prompts: ``[B, T]`` token ids.
        length: tokens of each sequence, the prompt included; more than T.
        ignore_index: the label of the prompt's tokens.
        generator: of the draws, on the device of ``prompts``.

    Returns:
        ``{"input_ids": [B, length], "labels": [B, length]}``, labels not shifted.

    Raises:
        ValueError: the prompts leave nothing to write.

    >>> copier = nn.Embedding(5, 5, _weight=1e4 * torch.eye(5))
    >>> continued(copier, torch.tensor([[1, 3]]), 4)["labels"]
    tensor([[-100, -100,    3,    3]])
    """
    prompt_tokens = prompts.shape[1]
    if prompt_tokens >= length:
        raise ValueError(
            f"prompt_tokens {prompt_tokens} leave nothing to write in sequences of {length} tokens"
        )
    text = generate(model, prompts, length - prompt_tokens, generator=generator)
    labels = text.clone()
    labels[:, :prompt_tokens] = ignore_index
    return {"input_ids": text, "labels": labels}
