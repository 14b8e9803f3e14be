"""What a model must not see: what comes after a token, and what a mask hides."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn as nn
from torch import Tensor

from kdlab.arguments import check_module
from kdlab.batches import begins_anew, padded_left
from kdlab.devices import device_of, kept_random_state
from kdlab.heads import unchanged
from kdlab.inputs import kind_of, logits_for, pretrained_in, unwrapped
from kdlab.models import longest_text
from kdlab.modes import in_evaluation_mode
from kdlab.topk import TopK

HALF = (torch.bfloat16, torch.float16)

RULED_OUT = -9e3
"""A token with this logit or less has no probability, as with −inf; how much less says nothing."""

SEES_BOTH_WAYS = re.compile("bert(?!-decoder)|electra|roformer|ernie$|big_bird|data2vec-text|xmod")
"""Architectures of transformers that are causal only if their config has ``is_decoder``."""


SEES_AHEAD = (
    "sees what comes after a token: it would read the labels. A causal language model is needed"
)
IS_LATE = (
    "answers one token late: what it says at a token does not depend on that token, but on the one "
    "before it. At each token belongs what comes after it: of vLLM's prompt_logprobs, which begin "
    "with None, those from the second on"
)
SCALED_BY_BATCH = (
    "rounds its activations on a scale of the whole batch, as quantize_dynamic of torch.ao does: "
    "what it says of a token depends on the others. Take torchao's, which rounds token by token"
)


def check_causal(model: nn.Module) -> None:
    """Raise ValueError if a model is not causal by its configuration, or lacks weights.

    TypeError if it is no ``nn.Module``. The model is not run.
    """
    check_module("a model", model)
    for part in model.modules():  # Accelerate's hook fetches missing weights
        missing = any(weight.is_meta for weight in part.parameters(recurse=False))
        if missing and not hasattr(part, "_hf_hook"):
            raise ValueError(
                f"{kind_of(model)} is on the device meta, which holds shapes and no weights"
            )
    model = pretrained_in(model) or unwrapped(model)
    config, kind = getattr(model, "config", None), type(model).__name__
    if getattr(config, "is_encoder_decoder", False):
        raise ValueError(
            f"{kind} has an encoder: it would read the labels there. A causal language model is "
            "needed, of AutoModelForCausalLM"
        )
    both_ways = SEES_BOTH_WAYS.search(getattr(config, "model_type", None) or "")
    if both_ways and not getattr(config, "is_decoder", False):
        raise ValueError(f"{kind} {SEES_AHEAD}")


@torch.no_grad()
def heeds_padding(model: nn.Module, length: int) -> bool:
    """Whether a model gives a short text the same logits if it is padded on the left.

    A model that takes a mask and positions may still fail: RoBERTa's positions begin after the id
    of its padding token. A model of transformers, which says how long a text may be, is tried on 64
    tokens if it can read them; any other on ``length`` tokens, if these are fewer.
    """
    inside = pretrained_in(model)
    length = longest_text(inside or model, 64 if inside else max(2, min(64, length)))
    padding = min(3, length // 2)
    device = device_of(model)
    ids = torch.arange(length, device=device)[None] % 7 % 2
    mask = torch.ones_like(ids)
    mask[:, :padding] = 0
    with in_evaluation_mode(model), unchanged(model):
        behind = logits_for(model, {"input_ids": ids, "attention_mask": mask})[0, padding:]
        alone = logits_for(model, {"input_ids": ids[:, padding:]})[0]
    return not reads_otherwise(model, behind, alone)


def reads_otherwise(model: nn.Module, one: Tensor, other: Tensor) -> bool:
    """Whether logits ``[T, V]`` of a model differ, on average, by more than rounding explains.

    A single token says nothing: rounding may send it to another expert, which changes its logits.
    """
    dtypes = {weight.dtype for weight in model.parameters()} & {*HALF}
    noise = max(1e-3, *(16 * torch.finfo(dtype).eps for dtype in (one.dtype, *dtypes)))
    moved = float((finite(one) - finite(other)).abs().mean())
    return not moved <= noise * spread(other) + 1e-30


def finite(logits: Tensor) -> Tensor:
    """Logits in float32, with ``RULED_OUT`` for any token that is ruled out."""
    return logits.float().clamp_min(RULED_OUT)


def spread(logits: Tensor) -> float:
    """The standard deviation of the logits of all tokens that are not ruled out."""
    found = logits.float()[logits > RULED_OUT]
    return float(found.std()) if len(found) > 1 else 0.0


@torch.no_grad()
def check_no_future(
    model: Any, ask: Callable[[Mapping[str, Tensor]], Any], batch: Mapping[str, Tensor]
) -> None:
    """Raise ValueError if what a model says at a token depends on what it must not see.

    It must see neither later tokens nor what a mask hides. The model is asked about one row, and
    again with another last token, with another token in the padding, and with the padding cut off.
    A teacher that is no module must also depend on the token at which it answers, not only on the
    one before it. A model with modules of ``quantize_dynamic``, which round by the whole batch, is
    refused. A row of one token tells nothing, see :func:`kdlab.batches.telling_row`.

    Args:
        model: the module that is asked, in evaluation mode; or a teacher that is no module. It may
            ask a server, so some noise is allowed in its answers.
        ask: returns the model's logits for a batch, at all positions or all but the last; or a
            TopK.
        batch: one row.
    """
    parts = [*model.modules()] if isinstance(model, nn.Module) else []
    if any("quantized.dynamic" in type(part).__module__ for part in parts):
        raise ValueError(f"{kind_of(model)} {SCALED_BY_BATCH}")
    ids, positions = batch["input_ids"], batch.get("position_ids")
    there = batch.get("attention_mask", torch.ones_like(ids)).bool()
    places = there[0].nonzero().flatten().tolist()
    if positions is not None and positions.shape == ids.shape:
        begins = begins_anew(positions)[0].tolist()
        while places and begins[places[-1]]:  # a packed text of one token, which none precedes
            places.pop()
    if len(places) < 2:
        return
    last = places[-1]
    halves = {p.dtype for part in parts for p in part.parameters(recurse=False)} & {*HALF}

    def said(ids: Tensor) -> Tensor | TopK | None:
        with kept_random_state():  # random draws must not look like a dependence
            torch.manual_seed(0)
            try:
                answer = ask({**batch, "input_ids": ids})
            except Exception:  # a teacher may know only its own texts
                if parts:
                    raise
                return None
        if not isinstance(answer, Tensor | TopK):
            return None
        answer = answer[0][:last][there[0, :last]]
        return answer if isinstance(answer, TopK) or answer.is_floating_point() else None

    def at_place(number: int) -> Tensor:
        where = torch.zeros_like(there)
        where[0, places[number]] = True
        return where

    def change(number: int | None, answers: slice = slice(None), tokens: int = 1) -> float:
        """How much answers change, in units of noise, with the token there, or with the padding."""
        where = ~there if number is None else at_place(number)
        token = int(ids[where][0])
        found = list(dict.fromkeys(ids[there & (ids != token)].tolist()))[:tokens]
        others = found or [int(token == 0)]  # there is no model of two tokens that lacks 0 or 1
        return max(unlike(ids.masked_fill(where, other), answers) for other in others)

    def unlike(ids: Tensor, answers: slice = slice(None)) -> float:
        after = said(ids)
        if before is None or after is None:
            return 0.0
        old, new = before[answers], after[answers]
        if isinstance(old, TopK) and isinstance(new, TopK):
            return old.apart(new) / 0.5
        if not (isinstance(old, Tensor) and isinstance(new, Tensor)):
            return 0.0
        # Allow for rounding, in the dtype of the weights too: the tokens of one expert are
        # multiplied together, so one may change how another is rounded.
        noise = max(1e-4, *(8 * torch.finfo(dtype).eps for dtype in (old.dtype, *halves)))
        noise = noise if parts else max(noise, 0.05)
        moved = float((finite(old) - finite(new)).abs().max())
        return moved / max(noise * spread(old), 1e-30)

    def own_noise(answers: slice = slice(None)) -> float:
        """How much a teacher's answers to one and the same row differ; 0 for a module."""
        return 0.0 if parts else max(unlike(ids, answers) for _ in range(2))

    before = said(ids)
    if before is None or (isinstance(before, Tensor) and before.shape[-1] < 2):
        return
    if (ahead := change(-1)) > 1 and ahead > 3 * own_noise():
        raise ValueError(f"{kind_of(model)} {SEES_AHEAD}")
    if padded_left(there) and (hidden := change(None)) > 1 and hidden > 3 * own_noise():
        raise ValueError(
            f"{kind_of(model)} reads the padding on the left, whatever its attention_mask says; "
            "pad on the right, or leave the padding to kdlab"
        )
    if padded_left(there) and parts and isinstance(before, Tensor):
        cut = {
            name: value[:, there[0]] if value.shape[:2] == ids.shape else value
            for name, value in batch.items()
        }
        alone = ask(cut)[0][: len(places) - 1]
        if reads_otherwise(model, before, alone):
            raise ValueError(
                f"{kind_of(model)} reads a text otherwise where it is padded on the left, most "
                "likely at other positions; pad on the right, or leave the padding to kdlab"
            )
    final = slice(-1, None)
    if parts or len(places) < 3 or change(-2, final) > 0.5:
        return
    noise = max(change(-2, final, tokens=3), own_noise(final), 0.02)
    if change(-3, final, tokens=3) > 4 * noise:
        raise ValueError(f"{kind_of(model)} {IS_LATE}")
