"""The file format of a top-k store: a header, a table of rows, and a record for each position.

The header is JSON, padded to a fixed size. The table has a line for each row of the data: a
fingerprint of what the row holds, by which it is found; where its records begin; and how many it
has, one for each token but the last. A record holds the k likeliest token ids, and, in half
precision, their log-probabilities and the tail's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

HEADER_BYTES = 4096
FORMAT = "kdlab top-k store 2"
ROW = np.dtype([("key", "V16"), ("start", "<u8"), ("positions", "<u4")])


def row_keys(batch: Mapping[str, Tensor]) -> list[bytes]:
    """For each row, a fingerprint of all that a model reads of it; padding does not change it."""
    ids = batch["input_ids"].cpu().numpy()
    there = present(batch).cpu().numpy()
    keys = []
    others = {
        name: value.cpu().double().numpy()  # NumPy has no bfloat16
        for name, value in sorted(batch.items())
        if name not in ("input_ids", "labels", "index", "attention_mask")
    }
    for i, row in enumerate(ids):
        digest = hashlib.blake2b(row[there[i]].astype("<i8").tobytes(), digest_size=16)
        for name, values in others.items():
            value = values[i][there[i]] if values.shape[:2] == ids.shape else values[i]
            usual = name == "position_ids" and (value == np.arange(len(value))).all()
            if not usual:
                digest.update(name.encode() + value.astype("<f8").tobytes())
        keys.append(digest.digest())
    return keys


def present(batch: Mapping[str, Tensor]) -> Tensor:
    """Which positions of a batch hold a token: ``[B, T]`` bool."""
    mask = batch.get("attention_mask")
    return torch.ones_like(batch["input_ids"], dtype=torch.bool) if mask is None else mask.bool()


def record_type(header: Mapping[str, Any]) -> np.dtype:
    """The type of a record. Ids are split: the low 16 bits as they are, those above bit-packed."""
    k = header["k"]
    return np.dtype(
        [
            ("ids", "<u2", (k,)),
            ("high", "u1", ((k * _high_bits(header) + 7) // 8,)),
            ("log_probs", "<f2", (k,)),
            ("log_tail", "<f2"),
        ]
    )


def _high_bits(header: Mapping[str, Any]) -> int:
    vocabulary: int = header["vocabulary"]
    return max(0, (vocabulary - 1).bit_length() - 16)


def encode(log_p: Tensor, header: Mapping[str, Any]) -> np.ndarray:
    """Records ``[...]`` of the log-probabilities ``[..., V]``."""
    top = log_p.topk(header["k"], dim=-1)
    if header["k"] == header["vocabulary"]:
        tail = torch.full_like(top.values[..., 0], -torch.inf)
    else:
        tail = log_p.scatter(-1, top.indices, -torch.inf).logsumexp(-1)
    # Half precision ends at −65,504; a probability below exp(−65,504) is 0 in any precision.
    log_probs = top.values.clamp_min(-65504.0)
    return records_of(
        top.indices.cpu().numpy(), log_probs.cpu().numpy(), tail.cpu().numpy(), header
    )


def records_of(
    ids: np.ndarray, log_probs: np.ndarray, log_tail: np.ndarray, header: Mapping[str, Any]
) -> np.ndarray:
    """Records ``[...]`` of token ids ``[..., k]``, their log-probabilities and the tail's."""
    records = np.empty(ids.shape[:-1], dtype=record_type(header))
    records["ids"] = ids & 0xFFFF
    bits = (ids[..., None] >> (16 + np.arange(_high_bits(header)))) & 1
    records["high"] = np.packbits(bits.reshape(*ids.shape[:-1], -1).astype(np.uint8), axis=-1)
    records["log_probs"] = log_probs
    records["log_tail"] = log_tail
    return records


def unpack_ids(records: np.ndarray, header: Mapping[str, Any]) -> np.ndarray:
    """The token ids of records, ``[..., k]``."""
    ids = records["ids"].astype(np.int64)
    high_bits = _high_bits(header)
    if high_bits:
        bits = np.unpackbits(records["high"], axis=-1, count=header["k"] * high_bits)
        bits = bits.reshape(*ids.shape, high_bits).astype(np.int64)
        ids |= (bits << (16 + np.arange(high_bits))).sum(-1)
    return ids


def table_of(rows: Iterable[Mapping[str, Tensor]]) -> np.ndarray:
    """The table: for each row, given as a batch of one, its key and where its records are."""
    lines = [(row_keys(row)[0], 0, int(present(row).sum()) - 1) for row in rows]
    table = np.array(lines, ROW)
    table["start"] = np.concatenate([[0], np.cumsum(table["positions"][:-1])])
    return table


def header_of(
    table: np.ndarray,
    k: int,
    vocabulary: int,
    temperature: float,
    model: str | None,
    tokenizer: str | None,
) -> dict[str, Any]:
    """The header of a store; ``model`` and ``tokenizer`` are their fingerprints."""
    return {
        "format": FORMAT,
        "k": k,
        "vocabulary": vocabulary,
        "items": len(table),
        "positions": int(table["positions"].sum()),
        "temperature": temperature,
        "model": model,
        "tokenizer": tokenizer,
    }


def beginning(header: Mapping[str, Any], table: np.ndarray) -> bytes:
    """The part of a store before its records: header and table."""
    return json.dumps(header).encode().ljust(HEADER_BYTES - 1) + b"\n" + table.tobytes()


def read_header(path: Path) -> dict[str, Any]:
    """The header of a store.

    Raises:
        ValueError: the file is not a store of this format, or it is not complete.
    """
    with path.open("rb") as file:
        raw = file.read(HEADER_BYTES)
    try:
        header: dict[str, Any] = json.loads(raw)
        if header["format"] != FORMAT:
            raise ValueError(
                f"{path} is a {header['format']!r}, which this version does not read; write it "
                "anew with write_topk_store"
            )
        expected = records_begin(header) + header["positions"] * record_type(header).itemsize
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise ValueError(f"{path} is not a top-k store: its header cannot be read") from None
    if path.stat().st_size != expected:
        raise ValueError(f"{path} has {path.stat().st_size} bytes, but its header says {expected}")
    return header


def records_begin(header: Mapping[str, Any]) -> int:
    """The offset of the first record, in bytes from the beginning of the file."""
    items: int = header["items"]
    return HEADER_BYTES + items * ROW.itemsize


def is_written(path: Path, header: Mapping[str, Any], table: np.ndarray) -> bool:
    """Whether the path holds this store already, complete; False if nothing is there.

    Raises:
        ValueError: the path holds something else, which would be replaced.
    """
    if not path.exists():
        return False
    if path.is_file():
        begins = beginning(header, table)
        size = len(begins) + header["positions"] * record_type(header).itemsize
        with path.open("rb") as file:
            if path.stat().st_size == size and file.read(len(begins)) == begins:
                return True
    raise ValueError(
        f"{path} holds another store, or something else, which this one would replace; give this "
        "one a path of its own"
    )


def check_numbers(log_p: Tensor, there: Tensor, first: int) -> None:
    """Raise ValueError if log-probabilities are NaN at a position that has a next token.

    Args:
        log_p: ``[B, T − 1, V]``, of consecutive rows of the data.
        there: ``[B, T]`` bool, False where a row is padded.
        first: the number of the first of these rows, for the message.
    """
    wrong = (log_p.isnan().any(-1) & there[:, :-1] & there[:, 1:]).any(-1)
    if wrong.any():
        raise ValueError(
            f"the teacher's logits for row {first + int(wrong.nonzero()[0])} of the data are not "
            "finite: there is no distribution to keep"
        )


def positions_done(partial: Path, header: Mapping[str, Any], table: np.ndarray) -> int | None:
    """How many positions an interrupted call has written; None if it wrote no whole table.

    Raises:
        ValueError: the partial file belongs to another store, which would be replaced.
    """
    if not partial.exists():
        return None
    begins = beginning(header, table)
    with partial.open("rb") as file:
        found = file.read(len(begins))
    if found != begins:
        if begins.startswith(found):
            return None
        raise ValueError(
            f"{partial} is the beginning of another store, which this one would replace; remove "
            "it, or give this one a path of its own"
        )
    return (partial.stat().st_size - len(begins)) // record_type(header).itemsize
