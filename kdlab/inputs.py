"""What a model is called with: all of a batch that its forward takes, and nothing else."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any, cast

import torch.nn as nn
from torch import Tensor

from kdlab.batches import LEARNED, NO_INPUTS, holds_several, padded_left
from kdlab.models import logits_of, longest_text

POSITIONS = re.compile(r"(^|\.)(wpe|embed_positions|position_embeddings?)$")
"""Matches names of tables in transformers' models that hold one entry per position."""

PACKED = (
    "seq_idx",
    "seq_lengths",
    "cu_seq_lens_q",
    "cu_seq_lens_k",
    "max_length_q",
    "max_length_k",
)
FIRST = dict.fromkeys(LEARNED, "put −100 into labels where it is 0, and ") | dict.fromkeys(
    PACKED, "give position_ids that begin anew with each text, and "
)
"""What to do before another program's column is removed, so that its meaning is not lost."""


def model_inputs(model: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Any]:
    """The arguments of a model's forward for a batch: all fields but labels and row numbers.

    A model that takes ``use_cache`` gets False. No step needs the cache, and with a cache, models
    of transformers take packed texts for one text.

    If rows are padded on the left, and the model takes ``position_ids`` that the batch lacks, they
    count only the tokens, so that a text has the same positions with padding on either side.

    For packed texts, whose ``position_ids`` begin anew, the ``attention_mask`` is left out: with a
    mask, models of transformers take a row for one text. The padding comes after the texts, where
    no text sees it. With padding on the right, a mask that the model does not take is left out too.

    Raises:
        ValueError: the batch has another field that the model does not take; or padding is on the
            left, and texts are packed or the model takes no ``attention_mask``.
    """
    names, everything = forward_takes(model)
    inputs: dict[str, Any] = {"input_ids": batch["input_ids"]}
    if "use_cache" in names:
        inputs["use_cache"] = False
    for name, value in batch.items():
        if name in NO_INPUTS or name in inputs:
            continue
        if everything or name in names:
            inputs[name] = value
        elif name != "attention_mask":
            raise ValueError(
                f"the batch has {name!r}, which {kind_of(model)} does not take; "
                f"{FIRST.get(name, '')}remove that column from the data"
            )
        elif padded_left(value):
            raise ValueError(
                f"the batch is padded on the left, but {kind_of(model)} takes no "
                "'attention_mask'; pad on the right, or leave the padding to kdlab"
            )  # on the right, none is needed: no token sees later ones
    mask = inputs.get("attention_mask")
    if mask is not None and holds_several(batch):
        if padded_left(mask):
            raise ValueError("packed texts are padded on the left; pad on the right")
        del inputs["attention_mask"]
    elif mask is not None and "position_ids" in names - inputs.keys() and padded_left(mask):
        inputs["position_ids"] = (mask.long().cumsum(-1) - 1).clamp_min(0)
    return inputs


def logits_for(model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """The logits ``[B, T, V]`` of a model that is called with the fields of a batch."""
    return logits_of(model, **model_inputs(model, batch))


def check_ids(batch: Mapping[str, Tensor], *models: Any) -> None:
    """Raise ValueError if a batch holds a token id or a position that a model does not know."""
    lowest, highest = (int(end) for end in batch["input_ids"].aminmax())
    for model in models:
        entries = _embeddings(model) if isinstance(model, nn.Module) else None
        if lowest < 0 or (entries is not None and highest >= entries):
            allowed = "at least 0" if entries is None else f"from 0 to {entries - 1}"
            raise ValueError(
                f"the data has token id {lowest if lowest < 0 else highest}; those of "
                f"{kind_of(model)} are {allowed}. Was it tokenized for another model?"
            )
        if isinstance(model, nn.Module):
            check_length(model, batch)


def check_length(model: nn.Module, batch: Mapping[str, Tensor]) -> None:
    """Raise ValueError if a batch has a longer text than the model's table of positions, if any."""
    inside, length = pretrained_in(model), batch["input_ids"].shape[1]
    if inside is None or longest_text(inside, length) == length:
        return
    mask = batch.get("attention_mask")
    if "position_ids" in batch:
        length = 1 + int(batch["position_ids"].max())
    elif mask is not None and padded_left(mask):
        length = int(mask.sum(-1).max())
    longest = longest_text(inside, length)
    tables = {name for name, part in inside.named_modules() if isinstance(part, nn.Embedding)}
    tables |= {name for name, _ in inside.named_buffers()}
    if longest < length and any(map(POSITIONS.search, tables)):
        raise ValueError(
            f"sequences of {length} tokens do not fit {kind_of(inside)}, which knows {longest} "
            "positions; cut them, for conversations with max_length or --block-size"
        )


def _embeddings(model: nn.Module) -> int | None:
    """The number of token ids that a model has embeddings for; None if it does not say."""
    for part in model.modules():
        table: Any = getattr(part, "token_embedding", None)
        if _is_pretrained(part):
            table = cast(Any, part).get_input_embeddings()
        if table is not None:
            # FSDP 1 with use_orig_params leaves each process a flat piece of the weight.
            whole = isinstance(table, nn.Embedding) and table.weight.dim() == 2
            return len(table.weight) if whole else None
    return None


def forward_takes(model: nn.Module) -> tuple[set[str], bool]:
    """The names of the arguments that a model's forward takes, and whether it takes any others.

    A Hugging Face model takes only what it names: what falls into its ``**kwargs`` has no effect.
    """
    model = unwrapped(model)
    names: set[str] = set()
    for kind in type(model).__mro__:
        if kind is nn.Module or "forward" not in vars(kind):
            continue
        parameters = list(inspect.signature(vars(kind)["forward"]).parameters.values())[1:]
        names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names, False
    inside = pretrained_in(model)
    if inside is None or inside is model:
        return names, inside is None
    return names | forward_takes(inside)[0], True  # a wrapper that passes on what it is given


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside the wrappers of torch.compile, data parallelism and PEFT."""
    inner: Any = model
    while True:
        if hasattr(inner, "_orig_mod"):
            inner = inner._orig_mod
        elif isinstance(inner, nn.parallel.DistributedDataParallel):
            inner = inner.module
        elif hasattr(inner, "get_base_model"):
            inner = inner.get_base_model()
        else:
            return cast(nn.Module, inner)


def pretrained_in(model: nn.Module) -> nn.Module | None:
    """The model of transformers that this is or that a wrapper holds; None if there is none."""
    return next((part for part in model.modules() if _is_pretrained(part)), None)


def _is_pretrained(part: nn.Module) -> bool:
    return any(kind.__name__ == "PreTrainedModel" for kind in type(part).__mro__)


def kind_of(model: nn.Module) -> str:
    """The name of a model's class, without wrappers, for messages."""
    return type(unwrapped(model)).__name__
