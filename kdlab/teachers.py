"""Where the teacher's distribution comes from: a model, or a file that a model was asked to fill.

A full distribution over 50,000 tokens takes 200 kB a position. Its k likeliest tokens and the
probability of all others together, the *tail*, take about four bytes times k, and hold nearly all
of it. :class:`TopKTeacher` reads such a file, so the teacher need run only once, or elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor
from torch.utils.data import Dataset, default_collate
from tqdm.auto import tqdm

from kdlab.divergences import check_temperature, log_softmax
from kdlab.models import logits_of, model_inputs

__all__ = ["LiveTeacher", "TopK", "TopKTeacher", "write_topk_store"]


class LiveTeacher(nn.Module):
    """A model that teaches: frozen, in evaluation mode, and it stays so.

    Args:
        model: any causal language model that :func:`kdlab.logits_of` can read. Its parameters are
            frozen in place.

    >>> teacher = LiveTeacher(nn.Sequential(nn.Embedding(10, 4), nn.Dropout(), nn.Linear(4, 10)))
    >>> teacher.train().training
    False
    >>> teacher(torch.zeros(1, 3, dtype=torch.long)).requires_grad
    False
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> LiveTeacher:
        """Does nothing but return the teacher: dropout would make it contradict itself."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, input_ids: Tensor, **inputs: Tensor) -> Tensor:
        """Next-token logits ``[B, T, V]``, a constant, for token ids ``[B, T]``."""
        return logits_of(self.model, input_ids, **inputs)

    def targets(self, batch: Mapping[str, Tensor]) -> Tensor:
        """The teacher's logits ``[B, T − 1, V]`` for the positions that have a next token."""
        return self(**model_inputs(batch))[:, :-1]


@dataclass(frozen=True)
class TopK:
    """A distribution by its k likeliest tokens and the mass of the rest.

    The k + 1 buckets make a coarser distribution, and a divergence between two such is at most the
    full one. KL(p‖q) is larger by exactly the tail's mass times the KL of the two distributions
    *within* the tail (the chain rule of the KL): nothing is lost where the tail is light, or where
    the student has the teacher's proportions in it.

    >>> half = torch.tensor([0.5]).log()
    >>> teacher = TopK(torch.tensor([[2]]), log_probs=half[None], log_tail=half)
    >>> teacher.student_buckets(torch.zeros(1, 4)).exp()  # token 2, and the three others
    tensor([[0.2500, 0.7500]])
    """

    ids: Tensor  # [..., k] token ids, likeliest first
    log_probs: Tensor  # [..., k] their natural log-probabilities
    log_tail: Tensor  # [...] the log of what is left, −inf if nothing is

    def teacher_buckets(self) -> Tensor:
        """log-probabilities of the k tokens and of the tail: ``[..., k + 1]``."""
        return torch.cat([self.log_probs, self.log_tail.unsqueeze(-1)], dim=-1)

    def student_buckets(self, student_logits: Tensor, temperature: float = 1.0) -> Tensor:
        """The student's log-probabilities of the same buckets, with gradient.

        Args:
            student_logits: ``[..., V]``.
            temperature: that at which the store was written.

        Returns:
            ``[..., k + 1]``.
        """
        log_q = log_softmax(student_logits, temperature)
        top = log_q.gather(-1, self.ids)
        if self.ids.shape[-1] == log_q.shape[-1]:
            tail = torch.full_like(top[..., :1], -torch.inf)
        else:  # log(1 − Σ top) would be noise where the tail is light
            tail = log_q.scatter(-1, self.ids, -torch.inf).logsumexp(-1, keepdim=True)
        return torch.cat([top, tail], dim=-1)

    def __getitem__(self, positions: Tensor | slice) -> TopK:
        """The positions that a mask or a slice picks out of the leading axes."""
        return TopK(self.ids[positions], self.log_probs[positions], self.log_tail[positions])

    def to(self, device: torch.device | str) -> TopK:
        """The same on another device."""
        fields = self.ids, self.log_probs, self.log_tail
        return TopK(*(field.to(device, non_blocking=True) for field in fields))

    def check(self, logits_shape: torch.Size) -> None:
        """Raise ValueError if these are not distributions for logits of that shape."""
        positions, vocabulary = logits_shape[:-1], logits_shape[-1]
        if self.ids.shape[:-1] != positions:
            raise ValueError(
                f"the teacher's top k has positions {tuple(self.ids.shape[:-1])}, the student's "
                f"logits have {tuple(positions)}"
            )
        highest = self.ids.max().item() if self.ids.numel() else 0
        if highest >= vocabulary:
            raise ValueError(
                f"the teacher gives token {highest} a probability, but the student's vocabulary "
                f"has {vocabulary} entries"
            )


class TopKTeacher:
    """A teacher in a file, for training: it knows this data and nothing else.

    Args:
        path: what :func:`write_topk_store` wrote.
        data: the data that will be trained on; each item has its ``index``, as those of
            :class:`kdlab.PackedDataset` do.
        model: if given, the model that the store must be of.
        tail: keep the mass of all other tokens as one more. If not, it is divided among the k in
            proportion, as if the teacher ruled the others out: a bias, here to be measured.

    Raises:
        ValueError: the file is no store, or it is of other data, another tokenizer or model.

    >>> import tempfile
    >>> ids = torch.arange(8)
    >>> data = [{"input_ids": ids, "labels": ids, "index": torch.tensor(0)}]
    >>> path = Path(tempfile.mkdtemp()) / "teacher.topk"
    >>> write_topk_store(nn.Embedding(8, 8), data, path, k=3)
    >>> teacher = TopKTeacher(path, data)
    >>> teacher.read(torch.tensor([0])).ids.shape  # one item, 7 positions that have a next token
    torch.Size([1, 7, 3])
    """

    def __init__(
        self,
        path: str | Path,
        data: Dataset,
        model: nn.Module | None = None,
        *,
        tail: bool = True,
    ):
        self.path, self.tail = Path(path), tail
        self.header = _read_header(self.path)
        for field, found in _fingerprints(data).items():
            _check_same(self.path, field, self.header[field], found)
        if model is not None:
            _check_same(self.path, "model", self.header["model"], model_sha256(model))
        self.record = _record_type(self.header)
        self.positions = np.memmap(
            self.path,
            dtype=self.record,
            mode="r",
            offset=HEADER_BYTES,
            shape=(self.header["items"], self.header["positions"]),
        )

    @property
    def temperature(self) -> float:
        """The temperature at which the probabilities were taken."""
        return self.header["temperature"]

    @property
    def bytes_per_position(self) -> int:
        """What a position takes in the file."""
        return self.record.itemsize

    def targets(self, batch: Mapping[str, Tensor]) -> TopK:
        """The teacher's distributions for the positions of a batch that have a next token."""
        if "index" not in batch:
            raise ValueError(
                f"a TopKTeacher finds its answers by batch['index']; this batch has {sorted(batch)}"
            )
        return self.read(batch["index"]).to(batch["index"].device)

    def read(self, index: Tensor) -> TopK:
        """The teacher's distributions for some items.

        Args:
            index: ``[B]``, which items of the data.

        Returns:
            Fields of shape ``[B, T − 1, ...]``, in float32; the k + 1 probabilities sum to 1.
        """
        rows = self.positions[index.cpu().numpy()]
        ids = torch.from_numpy(_unpack_ids(rows, self.header))
        log_probs = torch.from_numpy(rows["log_probs"].astype(np.float32))
        log_tail = torch.from_numpy(rows["log_tail"].astype(np.float32))
        if not self.tail:
            log_tail = torch.full_like(log_tail, -torch.inf)
        # Half precision moved each probability a little; make them a distribution again.
        buckets = torch.cat([log_probs, log_tail.unsqueeze(-1)], -1).log_softmax(-1)
        return TopK(ids, buckets[..., :-1], buckets[..., -1])


@torch.no_grad()
def write_topk_store(
    teacher: nn.Module,
    data: Dataset,
    path: str | Path,
    k: int,
    *,
    temperature: float = 1.0,
    batch_size: int = 16,
    progress: bool = False,
) -> None:
    """Ask a teacher about every position of a data set, and keep its k likeliest answers.

    The file appears under its name when it is complete. Until then it grows beside it, and the same
    call after an interruption goes on where it stopped.

    Args:
        teacher: any causal language model.
        data: items ``{"input_ids": [T], ...}``, all of one length.
        path: the file.
        k: tokens to keep at each position, at most V.
        temperature: T > 0 of the softmax; the objective that reads the store must have the same.
        batch_size: sequences at a time.
        progress: show a bar.

    Raises:
        ValueError: k or the temperature is outside its range, or the items differ in length.

    A position takes ``4k + 2`` bytes with a vocabulary of up to 65,536, and ``k/8`` more for each
    further bit of token id: 258 bytes at k = 64, 274 with 262,144 tokens.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "teacher.topk"
    >>> ids = torch.arange(8)
    >>> data = [{"input_ids": ids, "index": torch.tensor(0)}]
    >>> write_topk_store(nn.Embedding(8, 8), data, path, k=3)
    >>> path.stat().st_size  # a header, and 7 positions of 14 bytes
    4194
    """
    check_temperature(temperature)
    path = Path(path)
    if isinstance(teacher, LiveTeacher):
        teacher = teacher.model
    was_training = teacher.training
    teacher.eval()
    first = data[0]["input_ids"]
    device = next(teacher.parameters()).device
    vocabulary = logits_of(teacher, first[None].to(device)).shape[-1]
    if not 1 <= k <= vocabulary:
        raise ValueError(f"k must be between 1 and the vocabulary's {vocabulary}, got {k}")
    header = {
        "format": "kdlab top-k store 1",
        "k": k,
        "vocabulary": vocabulary,
        "items": len(data),
        "positions": len(first) - 1,
        "temperature": float(temperature),
        "model": model_sha256(teacher),
        **_fingerprints(data),
    }
    record = _record_type(header)
    item_bytes = record.itemsize * header["positions"]

    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    done = _items_done(partial, header, item_bytes)
    with (
        partial.open("r+b" if done is not None else "w+b") as file,
        tqdm(total=len(data), initial=done or 0, unit="seq", disable=not progress) as bar,
    ):
        if done is None:
            file.write(_encode_header(header))
        file.seek(HEADER_BYTES + (done or 0) * item_bytes)
        file.truncate()
        for start in range(done or 0, len(data), batch_size):
            items = [data[i] for i in range(start, min(start + batch_size, len(data)))]
            lengths = {len(item["input_ids"]) for item in items}
            if lengths != {len(first)}:
                raise ValueError(f"items must all have {len(first)} tokens; found {lengths}")
            batch = {key: value.to(device) for key, value in default_collate(items).items()}
            logits = logits_of(teacher, **model_inputs(batch))[:, :-1]
            file.write(_encode(log_softmax(logits, temperature), header).tobytes())
            bar.update(len(items))
        file.flush()
        os.fsync(file.fileno())
    teacher.train(was_training)
    partial.replace(path)


# --- the file: a header of fixed size, then one record for each position ---

HEADER_BYTES = 4096


def _record_type(header: Mapping) -> np.dtype:
    """ids are split: 16 bits as they are, and the bits above them packed, eight to a byte."""
    k = header["k"]
    return np.dtype(
        [
            ("ids", "<u2", (k,)),
            ("high", "u1", ((k * _high_bits(header) + 7) // 8,)),
            ("log_probs", "<f2", (k,)),
            ("log_tail", "<f2"),
        ]
    )


def _high_bits(header: Mapping) -> int:
    return max(0, (header["vocabulary"] - 1).bit_length() - 16)


def _encode(log_p: Tensor, header: Mapping) -> np.ndarray:
    """``[B, T − 1, V]`` log-probabilities as records ``[B, T − 1]``."""
    top = log_p.topk(header["k"], dim=-1)
    if header["k"] == header["vocabulary"]:
        tail = torch.full_like(top.values[..., 0], -torch.inf)
    else:
        tail = log_p.scatter(-1, top.indices, -torch.inf).logsumexp(-1)
    ids = top.indices.cpu().numpy()
    records = np.empty(ids.shape[:-1], dtype=_record_type(header))
    records["ids"] = ids & 0xFFFF
    bits = (ids[..., None] >> (16 + np.arange(_high_bits(header)))) & 1
    records["high"] = np.packbits(bits.reshape(*ids.shape[:-1], -1).astype(np.uint8), axis=-1)
    # Half precision ends at −65,504; a probability below exp of that is 0 in any precision.
    records["log_probs"] = top.values.clamp_min(-65504.0).cpu().numpy()
    records["log_tail"] = tail.cpu().numpy()
    return records


def _unpack_ids(records: np.ndarray, header: Mapping) -> np.ndarray:
    ids = records["ids"].astype(np.int64)
    high_bits = _high_bits(header)
    if high_bits:
        bits = np.unpackbits(records["high"], axis=-1, count=header["k"] * high_bits)
        bits = bits.reshape(*ids.shape, high_bits).astype(np.int64)
        ids |= (bits << (16 + np.arange(high_bits))).sum(-1)
    return ids


def _encode_header(header: Mapping) -> bytes:
    return json.dumps(header).encode().ljust(HEADER_BYTES - 1) + b"\n"


def _read_header(path: Path) -> dict:
    with path.open("rb") as file:
        raw = file.read(HEADER_BYTES)
    try:
        header = json.loads(raw)
        item_bytes = _record_type(header).itemsize * header["positions"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is not a top-k store: its header cannot be read") from None
    expected = HEADER_BYTES + header["items"] * item_bytes
    if path.stat().st_size != expected:
        raise ValueError(f"{path} has {path.stat().st_size} bytes, but its header says {expected}")
    return header


def _items_done(partial: Path, header: Mapping, item_bytes: int) -> int | None:
    """How many items an interrupted call has written; None if it was about something else."""
    if not partial.exists():
        return None
    with partial.open("rb") as file:
        if file.read(HEADER_BYTES) != _encode_header(header):
            return None
    return (partial.stat().st_size - HEADER_BYTES) // item_bytes


# --- fingerprints ---


def _check_same(path: Path, field: str, stored: str | None, found: str | None) -> None:
    if stored is not None and found is not None and stored != found:
        raise ValueError(
            f"{path} was written for another {field}: its hash is {stored[:12]}…, that of the "
            f"{field} given is {found[:12]}…; write it anew with write_topk_store"
        )


def _fingerprints(data: Dataset | Sequence) -> dict[str, str | None]:
    digest = hashlib.sha256()
    for i in range(len(data)):
        digest.update(data[i]["input_ids"].cpu().to(torch.int64).numpy().tobytes())
    tokenizer = getattr(data, "tokenizer_sha256", None)
    return {"tokenizer": tokenizer, "corpus": digest.hexdigest()}


def model_sha256(model: nn.Module) -> str:
    """A fingerprint of a model's weights, wherever they are."""
    if isinstance(model, LiveTeacher):
        model = model.model
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
