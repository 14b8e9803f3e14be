"""Where the teacher's distribution comes from: a model, a file that a model filled, or your own.

A teacher is anything with ``targets(batch)``: for the positions of a batch that have a next token
it returns logits ``[B, T − 1, V]``, or the likeliest tokens as a :class:`TopK`. What else it may
have is in :class:`Teacher`.

A full distribution over 50,000 tokens takes 200 kB a position. Its k likeliest tokens and the
probability of all others together, the *tail*, take about four bytes times k; lab 4.3 shows what a
student loses by it. :class:`TopKTeacher` reads such a file, so the teacher need run only once, or
elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor
from tqdm.auto import tqdm

from kdlab.arguments import check_temperature, check_whole, checked
from kdlab.batches import Rows, batch_of, check_rows, telling_row
from kdlab.causality import check_causal, check_no_future
from kdlab.devices import device_of, stays
from kdlab.divergences import log_softmax
from kdlab.files import named
from kdlab.fingerprints import model_sha256
from kdlab.heads import find_head, unchanged
from kdlab.inputs import check_ids, logits_for, model_inputs
from kdlab.models import logits_of
from kdlab.modes import in_evaluation_mode
from kdlab.packing import check_packing, is_packed
from kdlab.topk import TopK
from kdlab.topk_file import (
    HEADER_BYTES,
    ROW,
    beginning,
    check_numbers,
    encode,
    header_of,
    is_written,
    positions_done,
    present,
    read_header,
    record_type,
    records_begin,
    row_keys,
    table_of,
    unpack_ids,
)

__all__ = [
    "LiveTeacher",
    "Teacher",
    "TopK",
    "TopKTeacher",
    "write_topk_store",
]


class Teacher(Protocol):
    """What a trainer asks for targets. Only :meth:`targets` is needed.

    A trainer also uses, where they are there:

    - ``head``: the ``nn.Linear`` that makes the logits. For the linear objective the trainer
      bypasses it while it calls ``targets``, which then returns hidden states. None: there is none
      to show.
    - ``any_text``: False if the teacher knows one data set and nothing else. It is then not asked
      about text of the student's own, nor for evaluations.
    - ``temperature``: at which its probabilities were taken; the objective must have the same.
    - ``to(device)``: called once, with the device of the run.
    - ``fingerprint()``: a text by which a checkpoint knows its teacher again.

    >>> class Uniform:
    ...     def targets(self, batch):
    ...         return torch.zeros(*batch["input_ids"][:, 1:].shape, 8)
    >>> Uniform().targets({"input_ids": torch.zeros(2, 5)}).shape
    torch.Size([2, 4, 8])
    """

    def targets(self, batch: Mapping[str, Tensor]) -> Tensor | TopK:
        """What it predicts after all but the last token of each row, without a gradient.

        Returns:
            ``[B, T − 1, V]`` logits, or the likeliest tokens.
        """


def as_teacher(teacher: Any) -> Teacher | None:
    """A teacher as it is; a model, frozen, as a :class:`LiveTeacher`.

    Raises:
        TypeError: it is neither.
    """
    if teacher is None or callable(getattr(teacher, "targets", None)):
        found: Teacher | None = teacher
        return found
    if isinstance(teacher, nn.Module):
        return LiveTeacher(teacher)
    raise TypeError(
        f"a teacher is a model, or anything with targets(batch); {type(teacher).__name__} is not"
    )


@checked
class LiveTeacher(nn.Module):
    """A model that teaches: frozen, in evaluation mode, and it stays so.

    Args:
        model: any causal language model that :func:`kdlab.logits_of` can read. Its parameters are
            frozen in place.

    Raises:
        ValueError: the model has an encoder, or sees what comes after a token.

    >>> teacher = LiveTeacher(nn.Sequential(nn.Embedding(10, 4), nn.Dropout(), nn.Linear(4, 10)))
    >>> teacher.train().training
    False
    >>> teacher(torch.zeros(1, 3, dtype=torch.long)).requires_grad
    False
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        check_causal(model)
        self.model = model.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> LiveTeacher:
        """Does nothing but return the teacher: dropout would make it contradict itself."""
        return super().train(False)

    def to(self, *where: Any, **named: Any) -> LiveTeacher:
        """Move the model as ``nn.Module.to`` does, unless it is spread out or quantised."""
        return self if stays(self.model) else super().to(*where, **named)

    @property
    def head(self) -> nn.Linear | None:
        """The model's linear head, if it shows one."""
        head = find_head(self.model)
        return head if isinstance(head, nn.Linear) else None

    @torch.no_grad()
    def forward(self, input_ids: Tensor, **inputs: Any) -> Tensor:
        """Next-token logits ``[B, T, V]``, a constant, for token ids ``[B, T]``."""
        return logits_of(self.model, input_ids, **inputs)

    def targets(self, batch: Mapping[str, Tensor]) -> Tensor:
        """The teacher's logits ``[B, T − 1, V]`` for the positions that have a next token."""
        logits: Tensor = self(**model_inputs(self.model, batch))
        return logits[:, :-1]

    def fingerprint(self) -> str:
        """A text by which a checkpoint knows its teacher again: of a part of each weight."""
        return model_sha256(self.model, at_most=4096)


@checked
class TopKTeacher:
    """A teacher in a file, for training: it knows the rows that it was asked about, and no others.

    A row is found by what it holds. So the data may be shuffled, split, joined or padded
    differently from what the file was written for.

    Args:
        path: what :func:`write_topk_store` wrote.
        data: if given, the data that will be trained on: all its rows must be in the file.
        model: if given, the model that the store must be of.
        tail: keep the mass of all other tokens as one more token's. If not, the k probabilities are
            scaled up to sum to 1, as if the teacher ruled the others out. That is a bias; the
            option is there to measure it.

    Raises:
        ValueError: the file is no store, or it is of other data, another tokenizer or model.

    >>> import tempfile
    >>> ids = torch.arange(8)
    >>> data = [{"input_ids": ids, "labels": ids}]
    >>> path = Path(tempfile.mkdtemp()) / "teacher.topk"
    >>> write_topk_store(nn.Embedding(8, 8), data, path, k=3)
    >>> teacher = TopKTeacher(path, data)
    >>> teacher.targets({"input_ids": ids[None]}).ids.shape  # 7 positions have a next token
    torch.Size([1, 7, 3])
    """

    any_text = False

    def __init__(
        self,
        path: str | Path,
        data: Rows | None = None,
        model: nn.Module | None = None,
        *,
        tail: bool = True,
    ):
        self.path, self.tail = Path(path), tail
        self.header = header = read_header(self.path)
        record = record_type(header)
        self.table = np.fromfile(self.path, ROW, header["items"], offset=HEADER_BYTES)
        self.rows = {bytes(key): i for i, key in enumerate(self.table["key"])}
        self.records = np.memmap(
            self.path, record, "r", offset=records_begin(header), shape=(header["positions"],)
        )
        if data is not None:
            check_rows(data, "data", labels=False)
            found = getattr(data, "tokenizer_sha256", None)
            _check_same(self.path, "tokenizer", header["tokenizer"], found)
            for i in range(len(data)):
                self._rows_of(batch_of(data, [i], labels=False))
        if model is not None:
            model = model.model if isinstance(model, LiveTeacher) else model
            _check_same(self.path, "model", header["model"], model_sha256(model))

    @property
    def temperature(self) -> float:
        """The temperature at which the probabilities were taken."""
        taken_at: float = self.header["temperature"]
        return taken_at

    @property
    def bytes_per_position(self) -> int:
        """What a position takes in the file."""
        return self.records.dtype.itemsize

    def targets(self, batch: Mapping[str, Tensor]) -> TopK:
        """The teacher's distributions for the positions of a batch that have a next token.

        Raises:
            ValueError: a row of the batch is not in the file.
        """
        device, (size, width) = batch["input_ids"].device, batch["input_ids"].shape
        records = np.zeros((size, width - 1), self.records.dtype)
        records["log_tail"] = np.nan  # where no token follows: nothing may count it
        there = present(batch).cpu()
        for row, i in enumerate(self._rows_of(batch)):
            start, positions = int(self.table["start"][i]), int(self.table["positions"][i])
            places = there[row].nonzero().flatten()[:-1].numpy()
            records[row, places] = self.records[start : start + positions]
        return self._decoded(records).to(device)

    def read(self, rows: Tensor) -> TopK:
        """The teacher's distributions for rows by their number, in the order of writing.

        Args:
            rows: ``[B]``, of rows that are equally long.

        Returns:
            Fields of shape ``[B, T − 1, ...]``, in float32; the k + 1 probabilities sum to 1.
        """
        lines = self.table[rows.cpu().numpy()]
        records = [self.records[int(s) : int(s) + int(n)] for s, n in lines[["start", "positions"]]]
        return self._decoded(np.stack(records))

    def _decoded(self, records: np.ndarray) -> TopK:
        ids = torch.from_numpy(unpack_ids(records, self.header))
        log_probs = torch.from_numpy(records["log_probs"].astype(np.float32))
        log_tail = torch.from_numpy(records["log_tail"].astype(np.float32))
        if not self.tail:
            log_tail = torch.where(log_tail.isnan(), log_tail, -torch.inf)
        # Half precision moved each probability a little; make them a distribution again.
        buckets = torch.cat([log_probs, log_tail.unsqueeze(-1)], -1).log_softmax(-1)
        vocabulary = self.header["vocabulary"]
        return TopK(ids, buckets[..., :-1], buckets[..., -1], self.temperature, vocabulary)

    def _rows_of(self, batch: Mapping[str, Tensor]) -> list[int]:
        keys = row_keys(batch)
        unknown = [row for row, key in enumerate(keys) if key not in self.rows]
        if unknown:
            row = unknown[0]
            start = batch["input_ids"][row][present(batch)[row]][:6].tolist()
            raise ValueError(
                f"{self.path} was written for another corpus: it has no row that begins with the "
                f"tokens {start}; write it anew with write_topk_store"
            )
        return [self.rows[key] for key in keys]

    def fingerprint(self) -> str:
        """A text by which a checkpoint knows its teacher again."""
        header = {key: self.header[key] for key in ("model", "k", "temperature", "positions")}
        return f"{header}, tail {self.tail}"


@torch.no_grad()
@checked
def write_topk_store(
    teacher: nn.Module,
    data: Rows,
    path: str | Path,
    k: int,
    *,
    temperature: float = 1.0,
    vocabulary: int | None = None,
    batch_size: int = 16,
    progress: bool = False,
) -> None:
    """Ask a teacher about every position of a data set, and keep its k likeliest answers.

    The file appears under its name when it is complete. Until then it grows under another name in
    the same folder, and the same call after an interruption goes on where it stopped. If the file
    is complete, nothing is asked.

    Args:
        teacher: any causal language model.
        data: rows ``{"input_ids": [T], ...}``, of any length.
        path: the file.
        k: tokens to keep at each position, at most V.
        temperature: T > 0 of the softmax; the objective that reads the store must have the same.
        vocabulary: take only this many entries of the teacher's vocabulary, the first, which it
            shares with a student of a smaller one; their probabilities are renormalised.
        batch_size: rows at a time.
        progress: show a bar.

    Raises:
        TypeError: the teacher is no model.
        ValueError: k, the temperature or the vocabulary is outside its range, the teacher is no
            causal language model or its logits are NaN, or the path holds another store or
            something else, which is not replaced.

    A position takes ``4k + 2`` bytes with a vocabulary of up to 65,536, and ``k/8`` more for each
    further bit of token id: 258 bytes at k = 64, 274 with 262,144 tokens. A row takes 28 more.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "teacher.topk"
    >>> write_topk_store(nn.Embedding(8, 8), [{"input_ids": torch.arange(8)}], path, k=3)
    >>> path.stat().st_size  # a header, a row, and 7 positions of 14 bytes
    4222
    """
    temperature = check_temperature(temperature)
    batch_size = check_whole("batch_size", batch_size, least=1)
    if vocabulary is not None:
        vocabulary = check_whole("vocabulary", vocabulary, least=1)  # −1 would leave the last out
    path = Path(path)
    if isinstance(teacher, LiveTeacher):
        teacher = teacher.model
    check_causal(teacher)
    check_rows(data, "data", labels=False)
    if is_packed(data):
        check_packing(teacher)
    device = device_of(teacher)

    def asked(numbers: Sequence[int]) -> tuple[dict[str, Tensor], Tensor]:
        batch = batch_of(data, numbers, check=lambda each: check_ids(each, teacher), labels=False)
        batch = {key: value.to(device) for key, value in batch.items()}
        return batch, logits_for(teacher, batch)[..., :vocabulary]

    with in_evaluation_mode(teacher):
        batch, logits = asked([telling_row(data)])
        with unchanged(teacher):
            check_no_future(teacher, lambda row: logits_for(teacher, row), batch)
        entries = logits.shape[-1]
        if vocabulary is not None and entries < vocabulary:
            raise ValueError(f"vocabulary is {vocabulary}, but the teacher has {entries} entries")
        if not 1 <= k <= entries:
            raise ValueError(f"k must be between 1 and the vocabulary's {entries}, got {k}")
        table = table_of(batch_of(data, [i], labels=False) for i in range(len(data)))
        tokenizer = getattr(data, "tokenizer_sha256", None)
        header = header_of(table, k, entries, temperature, model_sha256(teacher), tokenizer)
        if is_written(path, header, table):
            return
        partial = path.with_name(path.name + ".partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        done = positions_done(partial, header, table)
        first = 0 if done is None else int((table["start"] + table["positions"] <= done).sum())
        with (
            named(partial),
            partial.open("w+b" if done is None else "r+b") as file,
            tqdm(total=len(table), initial=first, unit="row", disable=not progress) as bar,
        ):
            if done is None:
                file.write(beginning(header, table))
            begin = int(table["start"][first]) if first < len(table) else header["positions"]
            file.seek(records_begin(header) + begin * record_type(header).itemsize)
            file.truncate()
            for start in range(first, len(table), batch_size):
                rows = range(start, min(start + batch_size, len(table)))
                batch, logits = asked(rows)
                log_p = log_softmax(logits[:, :-1], temperature)
                check_numbers(log_p, present(batch), start)
                records = encode(log_p, header)
                for row, there in zip(records, present(batch), strict=True):
                    followed = there.nonzero().flatten()[:-1].cpu().numpy()
                    file.write(row[followed].tobytes())
                bar.update(len(rows))
            file.flush()
            os.fsync(file.fileno())
    partial.replace(path)


def _check_same(path: Path, field: str, stored: str | None, found: str | None) -> None:
    if stored is not None and found is not None and stored != found:
        raise ValueError(
            f"{path} was written for another {field}: its hash is {stored[:12]}…, that of the "
            f"{field} given is {found[:12]}…; write it anew with write_topk_store"
        )
