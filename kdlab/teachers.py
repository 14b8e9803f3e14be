"""Where the teacher's distribution comes from: a model, a file that a model filled, or your code.

A teacher is any object with ``targets(batch)``. For the positions of a batch that have a next
token, it returns logits ``[B, T − 1, V]``, or the likeliest tokens as a :class:`TopK`.
:class:`Teacher` lists what else a teacher may have.

A full distribution over 50,000 tokens takes 200 kB a position. Its k likeliest tokens and the
probability of all others together, the *tail*, take about 4k bytes; lab 4.3 shows what a student
loses by this. :func:`write_topk_store` writes them to a file and :class:`TopKTeacher` reads it, so
the teacher need run only once, or elsewhere.
"""

from __future__ import annotations

import hashlib
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

SAMPLE = 4096  # positions of a store, or fewer than twice as many, that are read to know it


class Teacher(Protocol):
    """What a trainer needs of a teacher. Only :meth:`targets` is required.

    A trainer also uses these, if the teacher has them:

    - ``head``: the ``nn.Linear`` that makes the logits, or None. For the linear objective the
      trainer bypasses the head while it calls ``targets``, which then returns hidden states.
    - ``any_text``: False if the teacher knows one data set and nothing else. The trainer then
      leaves the teacher out of evaluations, and refuses to train on text that the student wrote.
    - ``temperature``: the T at which its probabilities were taken; the objective must have this T.
    - ``to(device)``: called once, with the device of the run.
    - ``fingerprint()``: a text that identifies the teacher in a checkpoint.

    >>> class Uniform:
    ...     def targets(self, batch):
    ...         return torch.zeros(*batch["input_ids"][:, 1:].shape, 8)
    >>> Uniform().targets({"input_ids": torch.zeros(2, 5)}).shape
    torch.Size([2, 4, 8])
    """

    def targets(self, batch: Mapping[str, Tensor]) -> Tensor | TopK:
        """The teacher's predictions after each token of a row but the last, without a gradient.

        Returns:
            ``[B, T − 1, V]`` logits, or a :class:`TopK` for the positions ``[B, T − 1]``.
        """


def as_teacher(teacher: Any) -> Teacher | None:
    """Return a teacher, or None, as it is; freeze a model and return it as a :class:`LiveTeacher`.

    Raises:
        TypeError: ``teacher`` is neither a model nor an object with ``targets``.
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
    """A model as a teacher: it is frozen, and stays in evaluation mode.

    Args:
        model: any causal language model that :func:`kdlab.logits_of` can read. Its parameters are
            frozen in place.

    Raises:
        ValueError: the model's configuration says that it has an encoder or sees later tokens; or
            the model is on the device meta, without weights.

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
        """Stay in evaluation mode, whatever ``mode`` is: dropout would make the targets random."""
        return super().train(False)

    def to(self, *where: Any, **named: Any) -> LiveTeacher:
        """Move the model as ``nn.Module.to`` does, unless it is on several devices or quantised."""
        return self if stays(self.model) else super().to(*where, **named)

    @property
    def head(self) -> nn.Linear | None:
        """The model's linear head; None if it has none that a trainer could bypass."""
        head = find_head(self.model)
        return head if isinstance(head, nn.Linear) else None

    @torch.no_grad()
    def forward(self, input_ids: Tensor, **inputs: Any) -> Tensor:
        """Next-token logits ``[B, T, V]``, without a gradient, for token ids ``[B, T]``."""
        return logits_of(self.model, input_ids, **inputs)

    def targets(self, batch: Mapping[str, Tensor]) -> Tensor:
        """The teacher's logits ``[B, T − 1, V]`` for the positions that have a next token."""
        logits: Tensor = self(**model_inputs(self.model, batch))
        return logits[:, :-1]

    def fingerprint(self) -> str:
        """A text that identifies the teacher in a checkpoint: a hash of a sample of each weight."""
        return model_sha256(self.model, at_most=4096)


@checked
class TopKTeacher:
    """A teacher in a file, for training: it knows the rows that the file has, and no others.

    A row is found by its content. So the training data may be some or all rows of the file, in any
    order and padded in any way; rows that are packed together count as other rows.

    Args:
        path: a store that :func:`write_topk_store` or :func:`kdlab.write_served_store` wrote.
        data: if given, the training data; all its rows must be in the file.
        model: if given, the model whose predictions the store must hold. A store from a server
            names no model, and is not checked against ``model``.
        tail: keep the tail, the mass of all other tokens, as the mass of one more token. With
            ``tail=False`` the k probabilities are scaled up to sum to 1, as if the teacher ruled
            all other tokens out. This is a bias; the option serves to measure it.

    Raises:
        ValueError: the file is not a store; or it was written for other data, another tokenizer or
            another model.

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
        """The size of a position's record in the file."""
        return self.records.dtype.itemsize

    def targets(self, batch: Mapping[str, Tensor]) -> TopK:
        """The teacher's distributions for the positions of a batch that have a next token.

        Raises:
            ValueError: a row of the batch is not in the file.
        """
        device, (size, width) = batch["input_ids"].device, batch["input_ids"].shape
        records = np.zeros((size, width - 1), self.records.dtype)
        records["log_tail"] = np.nan  # stays where no token follows: such a position must not count
        there = present(batch).cpu()
        for row, i in enumerate(self._rows_of(batch)):
            start, positions = int(self.table["start"][i]), int(self.table["positions"][i])
            places = there[row].nonzero().flatten()[:-1].numpy()
            records[row, places] = self.records[start : start + positions]
        return self._decoded(records).to(device)

    def read(self, rows: Tensor) -> TopK:
        """The teacher's distributions for rows, given by number in the order of writing.

        Args:
            rows: ``[B]``, the numbers of rows that all have the same length T.

        Returns:
            Fields of shape ``[B, T − 1, ...]``, log-probabilities in float32. The k + 1
            probabilities sum to 1, or are NaN where a server's teacher gave none.
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
        # Half precision changed each probability a little; renormalise.
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
        """A text that identifies the teacher in a checkpoint: a hash of a sample of its records."""
        names = ("model", "k", "temperature", "positions", "vocabulary")
        header = {key: self.header[key] for key in names}
        records = self.records[:: max(1, len(self.records) // SAMPLE)]
        digest = hashlib.sha256(self.table.tobytes() + records.tobytes())
        return f"{header}, tail {self.tail}, {digest.hexdigest()[:16]}"


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
    """Run a teacher over every position of a data set, and store its k likeliest next tokens.

    The file appears at ``path`` when it is complete. Until then it grows as ``path`` with
    ``.partial`` added; after an interruption, the same call continues where the first one stopped.
    If the file is complete already, the teacher runs on one row only, to be checked.

    Args:
        teacher: any causal language model, or a :class:`LiveTeacher`.
        data: rows ``{"input_ids": [T], ...}``, of any length.
        path: the file.
        k: tokens to keep at each position, at most the number of entries of the vocabulary.
        temperature: T > 0 of the softmax; the objective that reads the store must have the same.
        vocabulary: use only the first ``vocabulary`` entries of the teacher's vocabulary, those
            that a student with fewer entries shares; their probabilities are renormalised.
        batch_size: rows in each forward pass.
        progress: show a bar.

    Raises:
        TypeError: the teacher is not a model.
        ValueError: ``k``, the temperature or the vocabulary is outside its range; the teacher is
            not a causal language model, lets packed texts see each other, or has logits that are
            NaN; no row has a second token; ``path``, or its ``.partial``, holds something else,
            which is not replaced; or another call writes to it at the same time.

    A position takes ``4k + 2`` bytes for a vocabulary of up to 65,536 entries, and ``k/8`` bytes
    more for each further bit of the token ids: with k = 64, 258 bytes, or 274 for 262,144 entries.
    Each row takes 28 bytes in addition, and the header of the file 4,096.

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
        if not table["positions"].any():
            raise ValueError("no row of data has a second token, which a teacher could predict")
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
                if os.fstat(file.fileno()).st_size != file.tell():
                    raise ValueError(
                        f"another call writes to {partial}; this one has stopped. When that one "
                        "has ended, the same call goes on from there"
                    )
                for row, there in zip(records, present(batch), strict=True):
                    followed = there.nonzero().flatten()[:-1].cpu().numpy()
                    file.write(row[followed].tobytes())
                file.flush()
                bar.update(len(rows))
            os.fsync(file.fileno())
    try:
        partial.replace(path)
    except FileNotFoundError:  # another call, which ended at the same time, has done it
        if not is_written(path, header, table):
            raise


def _check_same(path: Path, field: str, stored: str | None, found: str | None) -> None:
    if stored is not None and found is not None and stored != found:
        raise ValueError(
            f"{path} was written for another {field}: its hash is {stored[:12]}…, that of the "
            f"{field} given is {found[:12]}…; give the {field} that it was written for (a model "
            "in the same dtype, too), or write it anew with write_topk_store"
        )
