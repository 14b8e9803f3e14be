"""A store's file: what stands under its name already, and what may not be written into it."""

from contextlib import suppress

import numpy as np
import pytest
import torch
import torch.nn as nn

import kdlab.teachers
from kdlab import TopKTeacher, write_topk_store

V = 12
DATA = [{"input_ids": torch.arange(6) + i, "labels": torch.arange(6) + i} for i in range(4)]


class Table(nn.Module):
    """A model that says the same after a token, wherever it stands; and counts who asks."""

    def __init__(self, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.says = nn.Parameter(torch.randn(V, V, generator=generator))
        self.asked = 0

    def forward(self, input_ids):
        self.asked += len(input_ids)
        return self.says[input_ids]


def test_a_store_that_is_complete_is_not_written_again(tmp_path):
    path, teacher = tmp_path / "t.topk", Table()
    write_topk_store(teacher, DATA, path, np.int64(3))
    found, asked = path.read_bytes(), teacher.asked
    write_topk_store(teacher, DATA, path, 3, batch_size=1)
    assert path.read_bytes() == found
    assert teacher.asked - asked < len(DATA)  # one row, to see what it is


@pytest.mark.parametrize("other", ["k", "teacher", "data", "temperature", "text", "folder", "cut"])
def test_nothing_else_is_replaced_by_a_store(tmp_path, other):
    path = tmp_path / "t.topk"
    if other == "text":
        path.write_text("my notes")
    elif other == "folder":
        path.mkdir()
    else:
        write_topk_store(
            Table(seed=int(other == "teacher")),
            DATA[: -1 if other == "data" else None],
            path,
            4 if other == "k" else 3,
            temperature=2.0 if other == "temperature" else 1.0,
        )
    if other == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    found = path.is_file() and path.read_bytes()
    with pytest.raises(ValueError, match=r"t\.topk holds another store, or something else, which"):
        write_topk_store(Table(), DATA, path, 3)
    assert (path.is_file() and path.read_bytes()) == found
    assert [each.name for each in tmp_path.iterdir()] == ["t.topk"]


def test_what_was_cut_off_before_its_first_row_is_begun_anew(tmp_path):
    write_topk_store(Table(), DATA, tmp_path / "whole", 3)
    whole = (tmp_path / "whole").read_bytes()
    (tmp_path / "t.topk.partial").write_bytes(whole[:100])
    write_topk_store(Table(), DATA, tmp_path / "t.topk", 3)
    assert (tmp_path / "t.topk").read_bytes() == whole


def test_a_teacher_that_says_what_is_no_number_is_told_with_the_row(tmp_path):
    """Its position would be read as one of which the teacher says nothing."""
    teacher = Table()
    with torch.no_grad():
        teacher.says[7, 0] = torch.nan  # a token that the last row has, and not as its own last one
    with pytest.raises(ValueError, match="logits for row 3 of the data are not finite"):
        write_topk_store(teacher, DATA, tmp_path / "t.topk", 3, batch_size=2)
    with torch.no_grad():
        teacher.says[7] = torch.full((V,), -torch.inf).index_fill(0, torch.tensor(3), 0.0)
    write_topk_store(teacher, DATA, tmp_path / "own.topk", 3)
    assert TopKTeacher(tmp_path / "own.topk", DATA).header["k"] == 3


@pytest.mark.parametrize("stops", [False, True])
def test_two_calls_at_once_leave_one_whole_store(tmp_path, monkeypatch, stops):
    """The later one ended in a FileNotFoundError, or wrote behind a gap in the other's store."""
    write_topk_store(Table(), DATA, tmp_path / "alone", 3)
    path, encode, calls = tmp_path / "t.topk", kdlab.teachers.encode, []

    def meanwhile(log_p, header):
        calls.append(len(log_p))
        if len(calls) == 2:  # of the first call; it has written a row
            with suppress(KeyboardInterrupt):
                write_topk_store(Table(), DATA, path, 3, batch_size=1)
        elif stops and len(calls) == 4:
            raise KeyboardInterrupt
        return encode(log_p, header)

    monkeypatch.setattr(kdlab.teachers, "encode", meanwhile)
    with pytest.raises(ValueError, match=r"another call writes to .*t\.topk\.partial; this one"):
        write_topk_store(Table(), DATA, path, 3, batch_size=1)
    write_topk_store(Table(), DATA, path, 3, batch_size=1)
    assert path.read_bytes() == (tmp_path / "alone").read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["alone", "t.topk"]


def test_of_two_calls_that_end_together_both_are_content(tmp_path, monkeypatch):
    path, replace = tmp_path / "t.topk", type(tmp_path).replace

    def twice(partial, target):
        replace(partial, target)
        return replace(partial, target)

    monkeypatch.setattr(type(tmp_path), "replace", twice)
    write_topk_store(Table(), DATA, path, 3)
    assert TopKTeacher(path, DATA).header["k"] == 3


def test_rows_of_one_token_each_make_no_store(tmp_path):
    """It was written, and could not be opened."""
    rows = [{"input_ids": torch.tensor([i]), "labels": torch.tensor([i])} for i in range(3)]
    with pytest.raises(ValueError, match="no row of data has a second token"):
        write_topk_store(Table(), rows, tmp_path / "t.topk", 3)
    assert not list(tmp_path.iterdir())
    write_topk_store(Table(), [*rows, *DATA], tmp_path / "t.topk", 3)
    assert TopKTeacher(tmp_path / "t.topk", [*rows, *DATA]).header["positions"] == 20


@pytest.mark.parametrize(
    ("k", "message"), [(2.5, "a whole number, got 2.5"), ("2", "a whole number")]
)
def test_tokens_are_counted_whole(tmp_path, k, message):
    with pytest.raises(ValueError, match=f"k must be {message}"):
        write_topk_store(Table(), DATA, tmp_path / "t.topk", k)
