"""How to train: each option is of its kind, and a number is Python's own."""

import json
from dataclasses import asdict

import numpy as np
import pytest
import torch

from kdlab import History, Recipe, TrainConfig
from kdlab.records import to_json


def test_numbers_of_numpy_become_python_s():
    """A record of them is written, and a generator is seeded with them."""
    config = TrainConfig(
        steps=np.int64(3),
        learning_rate=np.float32(0.5),
        seed=np.uint8(7),
        betas=[np.float64(0.5), np.float32(0.25)],
        end_of_text=np.array([3, 4]),
    )
    assert config == TrainConfig(
        steps=3, learning_rate=0.5, seed=7, betas=(0.5, 0.25), end_of_text=(3, 4)
    )
    json.dumps(asdict(config))
    assert type(config.steps) is int
    assert type(Recipe(lam=np.float32(0.5)).lam) is float


@pytest.mark.parametrize("kind", [TrainConfig, Recipe])
def test_a_word_is_no_truth(kind):
    """Any word but the empty one would be taken for True."""
    name = "compile" if kind is TrainConfig else "teacher_tail"
    with pytest.raises(ValueError, match=f"{name} must be True or False, got 'no'"):
        kind(**{name: "no"})


@pytest.mark.parametrize("betas", [0.9, (0.9,), (0.9, 0.9, 0.9), None])
def test_betas_are_two(betas):
    with pytest.raises(ValueError, match="betas must be two numbers, got"):
        TrainConfig(betas=betas)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [(np.int64(3), (3,)), (torch.tensor(3), (3,)), (torch.tensor([3, 4]), (3, 4)), ([3], (3,))],
)
def test_ends_of_text_are_tokens(ends, expected):
    assert TrainConfig(end_of_text=ends).end_of_text == expected
    with pytest.raises(ValueError, match="end_of_text must be a whole number, got '</s>'"):
        TrainConfig(end_of_text="</s>")


@pytest.mark.parametrize("line", ["hello", '{"step": 1}', '{"kind": "other"}', "[1]"])
def test_what_is_no_record_of_a_run_is_told(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(ValueError, match=r"metrics\.jsonl holds what is no record of a run: "):
        History.read(path)


def test_a_record_has_numpy_s_numbers_as_plain_ones():
    record = {"a": np.float32(0.5), "b": [np.int64(3)], "c": np.float32("inf"), "d": True}
    assert json.loads(to_json(record)) == {"a": 0.5, "b": [3], "c": "Infinity", "d": True}
