"""Text that a model writes itself: for sequence-level and on-policy distillation."""

from __future__ import annotations

import warnings
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from kdlab.batches import check_causal, forward_takes
from kdlab.models import KeyValues, TinyGPT, logits_of
from kdlab.modes import in_evaluation_mode

__all__ = ["continued", "generate"]


@torch.no_grad()
def generate(
    model: nn.Module,
    input_ids: Tensor,
    new_tokens: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    end_of_text: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Continue token sequences with tokens drawn from a model.

    A :class:`kdlab.TinyGPT` or a Hugging Face model reads each token once and keeps what it needs
    of the text; any other model reads the whole text again for every token. Rows have equal lengths
    and no padding.

    Args:
        model: any causal language model. It writes in evaluation mode; its mode is restored.
        input_ids: ``[B, T]`` token ids, T at least 1.
        new_tokens: how many to add to each row.
        temperature: of the softmax that is drawn from; 0 takes the likeliest token.
        top_k: draw from the k likeliest tokens only; None from all.
        end_of_text: a row that has written this token writes nothing but it from then on, and all
            stop when all have; None goes on past it, as packed text does.
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
    check_causal(model)
    past, ended = None, torch.zeros(len(input_ids), 1, dtype=torch.bool, device=input_ids.device)
    with in_evaluation_mode(model):
        for left in range(new_tokens, 0, -1):
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
            if end_of_text is not None:
                token = token.masked_fill(ended, end_of_text)
                ended = token == end_of_text
                if ended.all():
                    return torch.cat([input_ids, token.expand(-1, left)], dim=1)
            input_ids = torch.cat([input_ids, token], dim=1)
    return input_ids


def _after(input_ids: Tensor, model: nn.Module, past: Any) -> tuple[Tensor, Any]:
    """The logits ``[B, V]`` of what comes next, and what the model keeps of the text, if anything.

    The past is None, or what the last call returned, which had the text without its last token.
    """
    new = input_ids if past is None else input_ids[:, -1:]
    if isinstance(model, TinyGPT):
        past = past or KeyValues()
        return model(new, past)[:, -1], past
    takes, _ = forward_takes(model)
    # PEFT puts prompts before whatever it is given, be it the rest of a text.
    prompted = getattr(getattr(model, "active_peft_config", None), "is_prompt_learning", False)
    if "use_cache" in takes and not prompted:
        output = model(new, use_cache=True, **(past or {}))
        # It is called past_key_values, cache_params or cache: what it returns, and takes again.
        kept = {name: getattr(output, name, None) for name in CACHES if name in takes}
        kept = {name: value for name, value in kept.items() if value is not None}
        if not kept and past is None:
            warnings.warn(
                f"{type(model).__name__} keeps nothing of the text: it reads all of it again for "
                "each token",
                stacklevel=3,
            )
        return output.logits[:, -1], kept or None
    return logits_of(model, input_ids)[:, -1], None


CACHES = ("past_key_values", "cache_params", "cache")


def end_of_text_of(model: nn.Module) -> int | None:
    """The token that ends a text, if a model's configuration says so."""
    end = getattr(getattr(model, "config", None), "eos_token_id", None)
    return end[0] if isinstance(end, list | tuple) else end


def continued(
    model: nn.Module,
    texts: Tensor,
    length: int,
    *,
    prompt_tokens: int | None = None,
    attention_mask: Tensor | None = None,
    end_of_text: int | None = None,
    ignore_index: int = -100,
    generator: torch.Generator | None = None,
) -> dict[str, Tensor]:
    """Beginnings, and how a model goes on, as a batch to learn from; the beginnings do not count.

    Args:
        model: any causal language model.
        texts: ``[B, T]`` token ids.
        length: tokens of each sequence, the prompt included.
        prompt_tokens: of each text, its first ones; None takes all of it.
        attention_mask: ``[B, T]``, 0 where a text is padded, on either side.
        end_of_text: the token that ends a text; by default that of the model's configuration, if it
            has one. What comes after it does not count.
        ignore_index: the label of tokens that do not count.
        generator: of the draws, on the device of ``texts``.

    Returns:
        ``{"input_ids": [B, length], "labels": [B, length]}``, labels not shifted; with an
        ``attention_mask`` where rows end before others.

    Raises:
        ValueError: the prompts leave nothing to write, or a text is empty.

    >>> copier = nn.Embedding(5, 5, _weight=1e4 * torch.eye(5))
    >>> continued(copier, torch.tensor([[1, 3]]), 4)["labels"]
    tensor([[-100, -100,    3,    3]])
    """
    if end_of_text is None:
        end_of_text = end_of_text_of(model)
    there = torch.ones_like(texts) if attention_mask is None else attention_mask
    sizes = there.sum(-1).clamp_max(prompt_tokens or texts.shape[1]).tolist()
    if min(sizes) == 0:
        raise ValueError("a text is empty: its attention_mask is 0 everywhere")
    if max(sizes) >= length:
        raise ValueError(
            f"prompt_tokens {max(sizes)} leave nothing to write in sequences of {length} tokens"
        )
    ids = texts.new_zeros(len(texts), length)
    labels = torch.full_like(ids, ignore_index)
    mask = torch.zeros_like(ids)
    for size in sorted(set(sizes)):  # prompts of one length together: nothing is padded
        rows = [i for i, n in enumerate(sizes) if n == size]
        prompts = torch.stack([texts[i][there[i].bool()][:size] for i in rows])
        text = generate(model, prompts, length - size, end_of_text=end_of_text, generator=generator)
        written = torch.ones_like(text)
        if end_of_text is not None:
            ends = (text[:, size:] == end_of_text).long()
            written[:, size:] = (ends.cumsum(-1) - ends == 0).long()  # the first end itself counts
        ids[rows], mask[rows] = text * written, written
        counts = written.bool() & (torch.arange(length, device=ids.device) >= size)
        labels[rows] = text.masked_fill(~counts, ignore_index)
    batch = {"input_ids": ids, "labels": labels}
    return batch if mask.all() else batch | {"attention_mask": mask}
