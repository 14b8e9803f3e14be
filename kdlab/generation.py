"""Text that a model writes itself: for sequence-level and on-policy distillation."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from kdlab.arguments import check_number, check_tensor, check_whole, ends_of
from kdlab.causality import check_causal, heeds_padding
from kdlab.inputs import check_ids, check_length, forward_takes
from kdlab.models import KeyValues, TinyGPT, logits_of
from kdlab.modes import in_evaluation_mode

__all__ = ["generate"]


Ends = int | Sequence[int] | None
"""The tokens that end a text."""


@torch.no_grad()
def generate(
    model: nn.Module,
    input_ids: Tensor,
    new_tokens: int,
    *,
    attention_mask: Tensor | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    vocabulary: int | None = None,
    end_of_text: Ends = None,
    at_most: Sequence[int] | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Continue token sequences with tokens drawn from a model.

    A :class:`kdlab.TinyGPT`, or a Hugging Face model with a cache, reads each token once; any other
    model reads the whole text again for every new token.

    Args:
        model: any causal language model. It writes in evaluation mode; its mode is then restored.
        input_ids: ``[B, T]`` token ids, B and T at least 1.
        new_tokens: how many to add to each row.
        attention_mask: ``[B, T]``, 0 at a row's padding, which must be on the left.
        temperature: of the softmax that tokens are drawn from; at 0 the likeliest token is taken.
        top_k: draw from the k likeliest tokens only; None: from all.
        vocabulary: draw from the first ``vocabulary`` tokens only; None: from all.
        end_of_text: the token that ends a text, or several such tokens. A row that has drawn one is
            filled up with ``end_of_text``, or the first of several; writing stops when all rows
            have ended. None: no token ends a row, as in packed text, where another text follows.
        at_most: for each row, how many of its new tokens you will use; ignore the ones after these.
        generator: of the draws, on the device of ``input_ids``; None: torch's own.

    Returns:
        ``[B, T + new_tokens]``, the given tokens first.

    Raises:
        ValueError: a shape, a token or a number is not as listed here; the model has an encoder; a
            row is padded and the model cannot mask padding; its logits are not finite; or the text
            becomes longer than the model's table of positions.

    >>> copier = nn.Embedding(5, 5, _weight=torch.eye(5))
    >>> generate(copier, torch.tensor([[1, 3]]), 2, temperature=0.0)
    tensor([[1, 3, 3, 3]])
    """
    whole = isinstance(input_ids, Tensor) and input_ids.dtype in (torch.long, torch.int)
    if not whole:
        kind = getattr(input_ids, "dtype", type(input_ids).__name__)
        raise ValueError(
            f"input_ids must be a tensor of integers [B, T], got {kind}; a tokenizer gives it with "
            'return_tensors="pt", as its ["input_ids"]'
        )
    if input_ids.dim() != 2 or input_ids.numel() == 0:
        raise ValueError(f"input_ids must be [B, T], both at least 1, got {list(input_ids.shape)}")
    new_tokens = check_whole("new_tokens", new_tokens, least=0)
    temperature = check_number("temperature", temperature)
    if not 0 <= temperature < float("inf"):
        raise ValueError(f"temperature must be at least 0 and finite, got {temperature}")
    top_k = None if top_k is None else check_whole("top_k", top_k, least=1)
    vocabulary = None if vocabulary is None else check_whole("vocabulary", vocabulary, least=1)
    if at_most is not None and len(at_most) != len(input_ids):
        raise ValueError(f"at_most must have a number for each of {len(input_ids)} rows: {at_most}")
    check_causal(model)
    check_ids({"input_ids": input_ids}, model)
    ends = ends_of(end_of_text)
    news = [new_tokens] * len(input_ids)  # what is used of each row
    if at_most is not None:
        news = [min(int(n), new_tokens) for n in at_most]
    mask = _checked_mask(model, attention_mask, input_ids, news)
    rooms = None
    # Where there is a mask, padding has been tried, which runs the model twice.
    if min(news) < new_tokens and (
        mask is not None or takes_padding(model, input_ids.shape[1] + max(news))
    ):
        rooms = torch.tensor(news, device=input_ids.device)[:, None]
        mask = torch.ones_like(input_ids) if mask is None else mask
    past, ended = None, torch.zeros(len(input_ids), 1, dtype=torch.bool, device=input_ids.device)
    stops = torch.tensor(ends, dtype=torch.long, device=input_ids.device)
    takes, _ = forward_takes(model)
    with in_evaluation_mode(model):
        for left in range(new_tokens, 0, -1):
            places = {} if mask is None else {"position_ids": mask.cumsum(-1) - 1}
            check_length(model, {"input_ids": input_ids, **places})
            logits, past = _after(input_ids, mask, model, takes, past)
            logits = logits[:, :vocabulary].float()
            if not bool(logits.amax(-1).isfinite().all()):  # NaN if one logit is
                raise ValueError("the model's logits are not finite: there is no token to take")
            if top_k is not None and top_k < logits.shape[-1]:
                top = logits.topk(top_k)
                nothing = torch.full_like(logits, float("-inf"))
                logits = nothing.scatter(-1, top.indices, top.values)
            if temperature == 0:
                token = logits.argmax(-1, keepdim=True)
            else:
                # From the largest, and by a normal float at least: neither is infinite, nor 0 / 0.
                below = logits - logits.amax(-1, keepdim=True)
                token = _drawn((below / max(temperature, TINY)).softmax(-1), generator)
            if ends:
                token = token.masked_fill(ended, ends[0])
                ended = ended | torch.isin(token, stops)
                if ended.all():
                    rest = token.new_full((len(token), left - 1), ends[0])
                    return torch.cat([input_ids, token, rest], dim=1)
            input_ids = torch.cat([input_ids, token], dim=1)
            if mask is not None:
                read = torch.ones_like(mask[:, :1])
                if rooms is not None:  # tokens beyond a row's room are masked, as padding is
                    read = (rooms > new_tokens - left).long()
                mask = torch.cat([mask, read], dim=1)
    return input_ids


TINY = torch.finfo(torch.float32).tiny
BLOCK = 256  # tokens in a block of the vocabulary


def _drawn(p: Tensor, generator: torch.Generator | None) -> Tensor:
    """A token ``[B, 1]`` for each row of probabilities ``[B, V]``.

    On a CPU, first a block of the vocabulary is drawn, then a token in that block.
    torch.multinomial would draw a random number for every token, which takes longer than a small
    model.
    """
    if p.device.type != "cpu":
        return torch.multinomial(p, 1, generator=generator)
    blocks = F.pad(p, (0, -p.shape[1] % BLOCK)).view(len(p), -1, BLOCK)
    block = _picked(blocks.sum(-1), generator)
    within = _picked(blocks.take_along_dim(block.unsqueeze(-1), 1).squeeze(1), generator)
    return block * BLOCK + within


def _picked(weights: Tensor, generator: torch.Generator | None) -> Tensor:
    """An index ``[B, 1]`` for each row, drawn in proportion to the weights; none has weight 0."""
    reached = weights.cumsum(-1)
    whole = reached[:, -1:]
    draw = whole * torch.rand(
        whole.shape, dtype=whole.dtype, device=whole.device, generator=generator
    )
    index = torch.searchsorted(reached, draw, right=True)
    return index.minimum((reached < whole).sum(-1, keepdim=True))  # a draw may round up to the sum


def _checked_mask(
    model: nn.Module, mask: Tensor | None, input_ids: Tensor, news: Sequence[int]
) -> Tensor | None:
    """The mask as integers, None if nothing is padded; ValueError if it cannot be used.

    ``news`` has the number of new tokens of each row.
    """
    if mask is None:
        return None
    check_tensor("attention_mask", mask)
    if mask.shape != input_ids.shape:
        raise ValueError(
            f"attention_mask {tuple(mask.shape)} must have the shape of input_ids, "
            f"{tuple(input_ids.shape)}"
        )
    if bool(mask.all()):
        return None
    if not bool(mask[:, -1].all()):
        raise ValueError("a row is padded on the right; text that goes on is padded on the left")
    mask = mask.long()
    longest = max(there + new for there, new in zip(mask.sum(-1).tolist(), news, strict=True))
    if not takes_padding(model, longest):
        raise ValueError(
            f"{type(model).__name__} takes no 'attention_mask', has a state that padding would "
            "enter, or counts positions from it; continue rows of one length at a time"
        )
    return mask


def takes_padding(model: nn.Module, length: int) -> bool:
    """Whether a model can continue texts that are padded on the left, to ``length`` tokens each."""
    takes, _ = forward_takes(model)
    # transformers marks models with a state. Those that take positions have attention as well, and
    # heed masks.
    state = any(getattr(part, "_is_stateful", False) for part in model.modules())
    state = state and "position_ids" not in takes
    takes_it = "attention_mask" in takes and not (state or {"cache_params", "state"} & takes)
    return takes_it and (isinstance(model, TinyGPT) or heeds_padding(model, length))


def _after(
    input_ids: Tensor, mask: Tensor | None, model: nn.Module, takes: set[str], past: Any
) -> tuple[Tensor, Any]:
    """The logits ``[B, V]`` of the next token, and the model's cache of the text, or None.

    ``takes`` names the arguments of the model's forward. ``past`` is None at first, then the cache
    that the last call returned, for the text without its last token.
    """
    new = input_ids if past is None else input_ids[:, -1:]
    if isinstance(model, TinyGPT):
        past = past or KeyValues()
        return model(new, past, mask)[:, -1], past
    # PEFT puts its learned prompts before every input, even before the rest of a text.
    prompted = getattr(getattr(model, "active_peft_config", None), "is_prompt_learning", False)
    padded: dict[str, Any] = {} if mask is None else {"attention_mask": mask}
    if mask is not None and "position_ids" in takes:
        padded["position_ids"] = (mask.cumsum(-1) - 1).clamp_min(0)[:, -new.shape[1] :]
    if "use_cache" in takes and not prompted:
        if "logits_to_keep" in takes:
            padded["logits_to_keep"] = 1
        output = model(new, use_cache=True, **padded, **(past or {}))
        # The cache has one of these names, in what a model returns and in what it takes.
        kept = {name: getattr(output, name, None) for name in CACHES if name in takes}
        kept = {name: value for name, value in kept.items() if value is not None}
        if not kept and past is None:
            warnings.warn(
                f"{type(model).__name__} keeps nothing of the text: it reads all of it again for "
                "each token",
                stacklevel=3,
            )
        return output.logits[:, -1], kept or None
    return logits_of(model, input_ids, **padded)[:, -1], None


CACHES = ("past_key_values", "cache_params", "cache")


def end_of_text_of(model: nn.Module) -> tuple[int, ...]:
    """The tokens that end a text, by a model's configuration; empty if it names none."""
    for name in ("generation_config", "config"):
        found = getattr(getattr(model, name, None), "eos_token_id", None)
        if found is not None:
            return ends_of(found)
    return ()


def continued(
    model: nn.Module,
    texts: Tensor,
    length: int,
    *,
    prompt_tokens: int | Sequence[int] | None = None,
    new_tokens: int | None = None,
    attention_mask: Tensor | None = None,
    end_of_text: Ends = None,
    vocabulary: int | None = None,
    temperature: float = 1.0,
    ignore_index: int = -100,
    generator: torch.Generator | None = None,
) -> dict[str, Tensor]:
    """Prompts, and how a model continues them, as a batch to learn from; the prompts do not count.

    Args:
        model: any causal language model.
        texts: ``[B, T]`` token ids, which begin with the prompts.
        length: most tokens of a row, the prompt included.
        prompt_tokens: how many first tokens of a text are its prompt: a number for all texts, or
            one for each; None: the whole text.
        new_tokens: most tokens that are written in a row; None: as many as ``length`` leaves.
        attention_mask: ``[B, T]``, 0 where a text is padded, on either side.
        end_of_text: the tokens that end a text; None: those of the model's configuration, if it has
            any. Tokens after the first end do not count.
        vocabulary: write only the first ``vocabulary`` tokens of the model; None: all.
        temperature: of the softmax that tokens are drawn from; at 0 the likeliest token is taken.
        ignore_index: the label of tokens that do not count.
        generator: of the draws, on the device of ``texts``; None: torch's own.

    Returns:
        ``{"input_ids": [B, length], "labels": [B, length]}``, labels not shifted; with an
        ``attention_mask`` if a row is shorter than ``length``.

    Raises:
        ValueError: a prompt leaves nothing to write or is empty, or :func:`generate` raises it.

    >>> copier = nn.Embedding(5, 5, _weight=1e4 * torch.eye(5))
    >>> continued(copier, torch.tensor([[1, 3]]), 4)["labels"]
    tensor([[-100, -100,    3,    3]])
    """
    ends = ends_of(end_of_text_of(model) if end_of_text is None else end_of_text)
    there = torch.ones_like(texts) if attention_mask is None else attention_mask
    most = texts.shape[1] if prompt_tokens is None else prompt_tokens
    at_most = [most] * len(texts) if isinstance(most, int) else list(most)
    sizes = [min(n, int(of)) for n, of in zip(there.sum(-1).tolist(), at_most, strict=True)]
    if min(sizes) == 0:
        raise ValueError("a text is empty: its attention_mask is 0 everywhere")
    if max(sizes) >= length:
        raise ValueError(
            f"prompt_tokens {max(sizes)} leave nothing to write in sequences of {length} tokens"
        )
    ids = texts.new_zeros(len(texts), length)
    labels = torch.full_like(ids, ignore_index)
    mask = torch.zeros_like(ids)
    prompts = [texts[i][there[i].bool()][:size] for i, size in enumerate(sizes)]
    together = [list(range(len(sizes)))]
    longest = length if new_tokens is None else min(length, max(sizes) + new_tokens)
    if len({*sizes}) > 1 and not takes_padding(model, longest):  # one length at a time, unpadded
        together = [[i for i, n in enumerate(sizes) if n == size] for size in sorted(set(sizes))]
    for rows in together:
        widest = max(sizes[i] for i in rows)
        left = [(widest - sizes[i], 0) for i in rows]
        padded = [F.pad(prompts[i], side) for i, side in zip(rows, left, strict=True)]
        real = [F.pad(torch.ones_like(prompts[i]), s) for i, s in zip(rows, left, strict=True)]
        rooms = [length - sizes[i] for i in rows]
        text = generate(
            model,
            torch.stack(padded),
            max(rooms) if new_tokens is None else min(max(rooms), new_tokens),
            at_most=rooms,
            attention_mask=torch.stack(real),
            temperature=temperature,
            vocabulary=vocabulary,
            end_of_text=ends or None,
            generator=generator,
        )[:, widest:]
        is_end = torch.isin(text, torch.tensor(ends, dtype=torch.long, device=text.device)).long()
        before_end = is_end.cumsum(-1) - is_end == 0  # the first end itself counts
        for i, answer, counts in zip(rows, text, before_end, strict=True):
            answer = answer[counts][: length - sizes[i]]
            end = sizes[i] + len(answer)
            ids[i, :end] = torch.cat([prompts[i], answer])
            labels[i, sizes[i] : end] = answer
            mask[i, :end] = 1
    batch = {"input_ids": ids, "labels": labels}
    return batch if bool(mask.all()) else batch | {"attention_mask": mask}


def before_answers(
    batch: Mapping[str, Tensor], *, ignore_index: int = -100, otherwise: int = 16
) -> list[int]:
    """The length of each row's prompt: the number of tokens before the row's last run of labels.

    In a row without labels, or whose last run begins at the first or second token, the prompt is
    the first ``otherwise`` tokens; in a row that is no longer than this, all but the last token.
    """
    labels = batch["labels"]
    there = batch.get("attention_mask", torch.ones_like(labels)).bool()
    found = []
    for row, real in zip(labels, there, strict=True):
        counts = (row[real] != ignore_index).long()
        begins = (counts.diff(prepend=counts.new_zeros(1)) == 1).nonzero()
        start = int(begins[-1]) if len(begins) else 0
        found.append(start if start > 1 else min(otherwise, max(1, len(counts) - 1)))
    return found
