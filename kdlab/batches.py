"""From rows of a data set to what a model is called with.

A row holds ``input_ids``, ``labels`` and what else the model takes, as lists, arrays or tensors, of
any length. A batch is padded on one side and has an ``attention_mask`` where anything was padded.
Labels count where a token and the one before it are there, on whichever side a row is padded.
What a batch holds reaches the model, or is refused by its name.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from kdlab.arguments import check_module, checked
from kdlab.devices import kept_random_state
from kdlab.models import logits_of, longest_text

__all__ = ["Rows", "check_rows", "collate", "logits_for", "model_inputs"]

NO_INPUTS = ("labels", "index")
"""Fields of a batch that no model is called with: the truth, and a row's number."""

SAID = {"messages", "conversations", "prompt", "completion"}
"""Fields of rows that are conversations still."""

HALF = (torch.bfloat16, torch.float16)

POSITIONS = re.compile(r"(^|\.)(wpe|embed_positions|position_embeddings?)$")
"""Tables of transformers' models that end with the last position that a model knows."""

SEES_BOTH_WAYS = re.compile("bert(?!-decoder)|electra|roformer|ernie$|big_bird|data2vec-text|xmod")
"""Architectures of transformers that are causal only where their config says ``is_decoder``."""


SEES_AHEAD = (
    "sees what comes after a token: it would read the labels. A causal language model is needed"
)
SCALED_BY_BATCH = (
    "rounds its activations on a scale of the whole batch, as quantize_dynamic of torch.ao does: "
    "what it says of a token depends on the others. Take torchao's, which rounds token by token"
)


class Rows(Protocol):
    """A data set whose rows are asked for by their number: a list, torch's, or Hugging Face's."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Mapping[str, Any]:
        """A row: its fields by their names."""


@checked
def collate(
    rows: Sequence[Mapping[str, Any]],
    *,
    ignore_index: int = -100,
    labels: bool = True,
    padding_side: str = "right",
) -> dict[str, Tensor]:
    """Rows of any length as one batch.

    Args:
        rows: each ``{"input_ids": [T], "labels": [T], ...}``. A field as long as its row is padded
            where rows differ in length; any other must have one shape in all rows.
        ignore_index: the label of what was padded.
        labels: whether rows must have labels.
        padding_side: ``"right"``, or ``"left"``, which a text needs that is to go on.

    Returns:
        ``{"input_ids": [B, T], "labels": [B, T], ...}``; with an ``attention_mask`` if rows have
        one, or differ in length.

    Raises:
        ValueError: a field is missing, holds text, or has a shape that does not fit; it is named.

    >>> batch = collate([{"input_ids": [1, 2, 3], "labels": [1, 2, 3]},
    ...                  {"input_ids": [4, 5], "labels": [4, 5]}])
    >>> batch["labels"].tolist(), batch["attention_mask"].tolist()
    ([[1, 2, 3], [4, 5, -100]], [[1, 1, 1], [1, 1, 0]])
    """
    if padding_side not in ("left", "right"):
        raise ValueError(f'padding_side must be "left" or "right", got {padding_side!r}')
    if not isinstance(rows, Iterable) or isinstance(rows, Mapping | str):
        raise ValueError(f"rows must be a list of rows, got {type(rows).__name__}")
    read = [_read(row, labels, ignore_index) for row in rows]
    if not read:
        raise ValueError("a batch needs at least one row, got none")
    names = list(read[0])
    for row in read:
        if row.keys() != read[0].keys():
            odd = sorted(row.keys() ^ read[0].keys())
            raise ValueError(f"all rows need the same fields; some lack {', '.join(odd)}")
    lengths = [len(row["input_ids"]) for row in read]
    width = max(lengths)
    if min(lengths) < width and "attention_mask" not in names:
        names.append("attention_mask")
        for row, length in zip(read, lengths, strict=True):
            row["attention_mask"] = row["input_ids"].new_ones(length)
    fill = {"labels": ignore_index}
    batch = {}
    for name in names:
        values = [row[name] for row in read]
        along = [v.dim() == 1 and len(v) == n for v, n in zip(values, lengths, strict=True)]
        if all(along):
            sides = [(0, width - n) if padding_side == "right" else (width - n, 0) for n in lengths]
            values = [
                nn.functional.pad(v, side, value=fill.get(name, 0))
                for v, side in zip(values, sides, strict=True)
            ]
        shapes = {tuple(v.shape) for v in values}
        if len(shapes) > 1:
            raise ValueError(
                f"the field {name!r} has the shapes {sorted(shapes)} in rows of "
                f"{sorted(set(lengths))} tokens; it must be as long as its row, or have one shape "
                "in all"
            )
        batch[name] = torch.stack(values)
    return batch


def _read(row: Mapping[str, Any], labels: bool, ignore_index: int) -> dict[str, Tensor]:
    """The fields of a row as tensors."""
    if not isinstance(row, Mapping):
        raise ValueError(
            f"a row must be a mapping with 'input_ids' and 'labels', got {type(row).__name__}"
            + _how_to_make_rows(row)
        )
    for name in ("input_ids", "labels") if labels else ("input_ids",):
        if name not in row:
            raise ValueError(
                f"a row has no {name!r}, only {', '.join(sorted(map(str, row)))}"
                + ("; to learn every token, labels are a copy of input_ids" * (name == "labels"))
                + ("; ChatDataset makes rows of conversations" * bool(SAID & row.keys()))
            )
    fields = {name: _tensor(name, value) for name, value in row.items()}
    ids = fields["input_ids"]
    if ids.dim() != 1 or len(ids) == 0:
        raise ValueError(
            f"'input_ids' of a row must be [T], got {list(ids.shape)}"
            + "; a batch of one row is that row's [0]" * (len(ids.shape) == 2 and len(ids) == 1)
        )
    if ids.is_floating_point() or ids.dtype == torch.bool:
        raise ValueError(f"'input_ids' must be integers, got {ids.dtype}")
    for name in ("labels", "attention_mask"):
        if name in fields and fields[name].shape != ids.shape:
            raise ValueError(
                f"{name!r} of a row must be as long as its {len(ids)} input_ids, got "
                f"{list(fields[name].shape)}"
            )
    mask = fields.get("attention_mask", torch.ones_like(ids))
    odd = mask[(mask != 0) & (mask != 1)]
    if len(odd):
        raise ValueError(
            "'attention_mask' of a row must be 1 where a token is there and 0 where it is not; it "
            f"has {float(odd[0]):g}. Texts that are packed and numbered by it would see each "
            "other: PackedRows keeps them apart"
        )
    if "labels" in fields and "attention_mask" in fields:
        there = fields["attention_mask"].bool()
        there = there & there.roll(1)  # of the first label of all, nothing is asked
        fields["labels"] = fields["labels"].masked_fill(~there, ignore_index)
    return fields


def _how_to_make_rows(found: Any) -> str:
    if hasattr(found, "columns"):
        return "; a data set of Hugging Face gives mappings with_format(None)"
    if hasattr(found, "messages"):
        return "; ChatDataset makes rows of conversations"
    if isinstance(found, str):
        return "; PackedDataset makes rows of texts"
    if isinstance(found, Tensor | np.ndarray | list):
        return '; of token ids, [{"input_ids": ids, "labels": ids} for ids in data]'
    return ""


def _tensor(name: str, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        whole = not (value.is_floating_point() or value.is_complex() or value.dtype == torch.bool)
        return value.long() if whole else value
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind in "US":
        raise ValueError(
            f"the field {name!r} holds text; tokenize it into input_ids and remove the column"
        )
    if array.dtype.kind not in "iufb":
        raise ValueError(
            f"the field {name!r} holds {type(value).__name__} that is no array of numbers"
        )
    if array.dtype.kind in "iu":  # tokens are often kept in 16 bits
        array = array.astype(np.int64, copy=not array.flags.writeable)
    array = array if array.flags.writeable else array.copy()
    return torch.as_tensor(array, device="cpu")  # whatever the default device is


def check_rows(
    data: Any, name: str = "train", *, ignore_index: int = -100, labels: bool = True
) -> None:
    """Raise ValueError if this is no data set whose rows can be asked for by their number.

    Where labels are needed, rows are read until one has a label to learn from.
    """
    kind = type(data).__name__
    if isinstance(data, Mapping) and "input_ids" in data:
        raise ValueError(
            f"{name} is a {kind} of columns: a data set of rows is needed, "
            "datasets.Dataset.from_dict(columns)"
        )
    if isinstance(data, Mapping):
        raise ValueError(
            f"{name} is a {kind} with {', '.join(map(str, list(data)[:4]))}: a data set of rows is "
            "needed, such as one of its splits"
        )
    if hasattr(data, "to_dict") and hasattr(data, "iloc") and hasattr(data, "columns"):
        raise ValueError(
            f"{name} is a {kind}, which gives columns: a data set of rows is needed, "
            'its to_dict("records")'
        )
    if isinstance(data, DataLoader):
        raise ValueError(f"{name} is a DataLoader; give its data set, and the batch size by itself")
    random_access = hasattr(data, "__len__") and hasattr(data, "__getitem__")
    if not random_access and not isinstance(data, Iterable):
        raise ValueError(
            f"{name} must be a data set of rows, got {kind}"
            + (f"; call it: list({name}())" if callable(data) else f" {data!r:.40}")
        )
    if not random_access or isinstance(data, IterableDataset):
        part = "data.take(10_000)" if hasattr(data, "take") else "itertools.islice(data, 10_000)"
        raise ValueError(
            f"{name} is a {kind}, a stream: an epoch needs rows that are asked for by number. Take "
            f"the part that is needed, list({part})"
        )
    if len(data) == 0:
        raise ValueError(f"{name} has no rows")
    if labels and not any(_labelled(data, i, name, ignore_index) for i in range(len(data))):
        raise ValueError(
            f"no row of {name} has a label other than {ignore_index} after its first token: there "
            "is nothing to learn or to measure"
        )


def _labelled(data: Rows, i: int, name: str, ignore_index: int) -> bool:
    batch = batch_of(data, [i], name, ignore_index=ignore_index)
    ids, labels = batch["input_ids"][0], batch["labels"][0]
    counts = labels[:-1] != ignore_index
    own, following = ((labels[:-1] == ids[part])[counts] for part in (slice(-1), slice(1, None)))
    if len(following) > 1 and following.all() and not own.all():
        raise ValueError(
            f"the labels of row {i} of {name} are shifted already, each to the place of the token "
            "before it: kdlab shifts them once more. A label stands where its own token is, as in "
            "labels that are a copy of input_ids"
        )
    return bool((labels[1:] != ignore_index).any())


def batch_of(
    data: Rows,
    numbers: Sequence[int],
    name: str = "data",
    check: Callable[[dict[str, Tensor]], None] = lambda batch: None,
    **options: Any,
) -> dict[str, Tensor]:
    """Rows of a data set by their numbers, as :func:`collate` makes a batch of them.

    Args:
        data: the rows.
        numbers: which of them.
        name: of the data set, for messages of errors.
        check: of a batch; it raises ValueError if something is wrong with it.
        options: of :func:`collate`.

    Raises:
        ValueError: something is wrong with a row, which is told by its number, from 0.
    """

    def made(numbers: Sequence[int]) -> dict[str, Tensor]:
        batch = collate([data[i] for i in numbers], **options)
        check(batch)
        return batch

    try:
        return made(numbers)
    except ValueError:
        for i in numbers:
            try:
                made([i])
            except ValueError as error:
                raise ValueError(f"row {i} of {name}: {error}") from error
        raise  # each is right by itself


# --- what a model takes ---


def model_inputs(model: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Any]:
    """What of a batch a model is called with: all but labels and row numbers.

    A model of transformers is told to keep nothing of the text, which no step needs; where it keeps
    something, it also takes packed texts for one.

    Where text is padded on the left, and the model takes ``position_ids``, they count the tokens
    that are there, so that a text reads the same on either side.

    Raises:
        ValueError: the batch has a field that the model's forward does not take.
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
                f"the batch has {name!r}, which {_kind(model)} does not take; remove that column "
                "from the data"
            )
        elif _padded_left(value):
            raise ValueError(
                f"the batch is padded on the left, but {_kind(model)} takes no "
                "'attention_mask'; pad on the right, or leave the padding to kdlab"
            )  # on the right, no token sees what comes after it
    mask = inputs.get("attention_mask")
    if mask is not None and "position_ids" in names - inputs.keys() and _padded_left(mask):
        inputs["position_ids"] = (mask.long().cumsum(-1) - 1).clamp_min(0)
    return inputs


def logits_for(model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """The logits ``[B, T, V]`` of a model for a batch, called with what it takes of it."""
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
                f"{_kind(model)} are {allowed}. Was it tokenized for another model?"
            )
        if isinstance(model, nn.Module):
            check_length(model, batch)


def check_length(model: nn.Module, batch: Mapping[str, Tensor]) -> None:
    """Raise ValueError if texts are longer than a model's table of positions, if it has one."""
    inside, length = _pretrained(model), batch["input_ids"].shape[1]
    if inside is None or longest_text(inside, length) == length:
        return
    mask = batch.get("attention_mask")
    if "position_ids" in batch:
        length = 1 + int(batch["position_ids"].max())
    elif mask is not None and _padded_left(mask):
        length = int(mask.sum(-1).max())
    longest = longest_text(inside, length)
    tables = {name for name, part in inside.named_modules() if isinstance(part, nn.Embedding)}
    tables |= {name for name, _ in inside.named_buffers()}
    if longest < length and any(map(POSITIONS.search, tables)):
        raise ValueError(
            f"sequences of {length} tokens do not fit {_kind(inside)}, which knows {longest} "
            "positions; cut them, for conversations with max_length or --block-size"
        )


def _embeddings(model: nn.Module) -> int | None:
    """For how many token ids a model has an embedding, if it says so."""
    for part in model.modules():
        table: Any = getattr(part, "token_embedding", None)
        if _is_pretrained(part):
            table = cast(Any, part).get_input_embeddings()
        if table is not None:
            return len(table.weight) if isinstance(table, nn.Embedding) else None
    return None


def forward_takes(model: nn.Module) -> tuple[set[str], bool]:
    """The names that a model's forward takes beside the ids, and whether it takes any other.

    A Hugging Face model takes what it names: what falls into its ``**kwargs`` has no effect.
    """
    model = _unwrapped(model)
    names: set[str] = set()
    for kind in type(model).__mro__:
        if kind is nn.Module or "forward" not in vars(kind):
            continue
        parameters = list(inspect.signature(vars(kind)["forward"]).parameters.values())[1:]
        names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names, False
    inside = _pretrained(model)
    if inside is None or inside is model:
        return names, inside is None
    return names | forward_takes(inside)[0], True  # a wrapper that passes on what it is given


def _unwrapped(model: nn.Module) -> nn.Module:
    """What torch.compile, data parallelism or PEFT put a wrapper around."""
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


def _pretrained(model: nn.Module) -> nn.Module | None:
    """The model of transformers that this is, or that a wrapper holds."""
    return next((part for part in model.modules() if _is_pretrained(part)), None)


def _is_pretrained(part: nn.Module) -> bool:
    return any(kind.__name__ == "PreTrainedModel" for kind in type(part).__mro__)


def _kind(model: nn.Module) -> str:
    return type(_unwrapped(model)).__name__


def _padded_left(mask: Tensor) -> bool:
    """Whether a token stands after padding in any row."""
    return _first_padded_left(mask) is not None


def check_causal(model: nn.Module) -> None:
    """Raise ValueError if a model sees more of a text than what came before; TypeError if none."""
    check_module("a model", model)
    model = _pretrained(model) or _unwrapped(model)
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
def check_no_future(
    model: Any, ask: Callable[[Mapping[str, Tensor]], Any], batch: Mapping[str, Tensor]
) -> None:
    """Raise ValueError if what a model says after a token depends on what it must not see.

    That is what comes later, and what a mask hides. The model is asked about one row of a batch,
    the first that is padded on the left if any is, and again with another token in those places.

    Args:
        model: what is asked, in evaluation mode; or a teacher that is no module, from which some
            noise is expected: it may ask a server.
        ask: returns its logits for a batch, of all positions or of all but the last.
        batch: at least one row.
    """
    parts = [*model.modules()] if isinstance(model, nn.Module) else []
    if any("quantized.dynamic" in type(part).__module__ for part in parts):
        raise ValueError(f"{_kind(model)} {SCALED_BY_BATCH}")
    mask = batch.get("attention_mask", torch.ones_like(batch["input_ids"])).bool()
    at = _first_padded_left(mask) or 0
    row = {name: value[at : at + 1] for name, value in batch.items()}
    ids, there = row["input_ids"], mask[at : at + 1]
    last = max(there[0].nonzero().flatten().tolist(), default=0)
    halves = {p.dtype for part in parts for p in part.parameters(recurse=False)} & {*HALF}

    def said(ids: Tensor) -> Tensor | None:
        with kept_random_state():  # what a model draws is no sight of the future
            torch.manual_seed(0)
            try:
                answer = ask({**row, "input_ids": ids})
            except Exception:  # a teacher may know its own texts alone
                if parts:
                    raise
                return None
        if not (isinstance(answer, Tensor) and answer.is_floating_point()):
            return None
        return answer[0, :last][there[0, :last]]

    def depends_on(where: Tensor) -> bool:
        others = ids[there & (ids != ids[where][0])]
        if len(others) == 0:  # one token, or one again and again
            return False
        after = said(ids.masked_fill(where, int(others[0])))
        if before is None or after is None:
            return False
        # Rounding, of the weights too: tokens of one expert are multiplied together.
        noise = max(1e-4, *(8 * torch.finfo(dtype).eps for dtype in (before.dtype, *halves)))
        noise = noise if parts else max(noise, 0.05)
        return bool((before.float() - after.float()).abs().max() > noise * before.float().std())

    before = said(ids) if last else None
    if before is None:
        return
    end = torch.zeros_like(there)
    end[0, last] = True
    if depends_on(end):
        raise ValueError(f"{_kind(model)} {SEES_AHEAD}")
    if _padded_left(there) and depends_on(~there):
        raise ValueError(
            f"{_kind(model)} reads the padding on the left, whatever its attention_mask says; pad "
            "on the right, or leave the padding to kdlab"
        )


def telling_row(data: Rows, at_most: int = 64) -> int:
    """The number of the row to ask models about before a run.

    It is the first that is padded on the left, or the first.
    """
    for i in range(min(len(data), at_most)):
        row = data[i]
        mask = row.get("attention_mask") if isinstance(row, Mapping) else None
        if mask is not None and _first_padded_left(_tensor("attention_mask", mask)[None]) == 0:
            return i
    return 0


def _first_padded_left(mask: Tensor) -> int | None:
    """The first row in which a token stands after padding, if there is one."""
    found = (mask[:, 1:].bool() & ~mask[:, :-1].bool()).any(1).nonzero()
    return int(found[0]) if len(found) else None
