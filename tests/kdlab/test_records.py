"""What kdlab writes is read by others: as strict as they are, and by kdlab without loss."""

import json
import math

import pytest
import torch

from kdlab import (
    CombinedObjective,
    DistillationTrainer,
    History,
    PlateauLambda,
    SweepResults,
    TinyGPT,
    TrainConfig,
)
from kdlab.records import to_json, with_numbers
from tests.kdlab.tiny_models import V, rows

ODD = {"a": math.inf, "b": [-math.inf, {"c": 1.5}], "d": None, "e": "NaN?", "f": (1, True)}


def strictly(text):
    """As JavaScript, jq and pandas read it."""

    def refuse(word):
        raise ValueError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_numbers_that_json_has_no_word_for_come_back():
    with pytest.raises(ValueError, match="Infinity is no JSON"):
        strictly(json.dumps(ODD))
    assert with_numbers(strictly(to_json(ODD))) == ODD | {"f": [1, True]}
    assert math.isnan(with_numbers(strictly(to_json({"x": math.nan})))["x"])


def run(folder, **options):
    torch.manual_seed(0)
    models = [TinyGPT("tiny-student", vocab_size=V, block_size=16, d_model=16) for _ in range(2)]
    with torch.no_grad():
        models[0].lm_head.weight.mul_(1e5)  # its perplexity is beyond all floats
    options = {"batch_size": 4, "eval_every": 1, "checkpoint_every": 2, "device": "cpu"} | options
    config = TrainConfig(steps=3, max_grad_norm=math.inf, **options)
    schedule = PlateauLambda(start=0.5)  # the best so far is infinite at first
    return DistillationTrainer(*models, CombinedObjective(), schedule, config, out=folder)


def test_every_record_of_a_run_that_diverges_can_be_read(tmp_path):
    first = run(tmp_path)
    history = first.fit(rows(), rows(seed=1))
    assert history.column("perplexity", of="eval") == [math.inf] * 3
    for path in (tmp_path / "metrics.jsonl", tmp_path / "checkpoint" / "progress.json"):
        text = path.read_bytes()
        assert b"\r" not in text
        for part in text.splitlines() if path.suffix == ".jsonl" else [text]:
            strictly(part.decode("ascii"))
    assert History.read(tmp_path / "metrics.jsonl") == history
    resumed = run(tmp_path).fit(rows(), rows(seed=1), resume=True)
    assert resumed.column("loss") == history.column("loss")


def test_results_of_runs_that_diverged_can_be_read(tmp_path):
    arm = {"arm": "Infinity", "seed": 0, "final": {"perplexity": math.inf}}
    results = SweepResults("odd", runs=[arm | {"curve": {"step": [1], "perplexity": [math.inf]}}])
    results.write(tmp_path / "results.json")
    strictly((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert SweepResults.read(tmp_path / "results.json") == results
