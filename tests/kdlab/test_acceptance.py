"""Twelve architectures of transformers, with adapters or without, on both paths, on one process and
on two; and what only two processes can show. All of it is run by `pair.py`."""

import json
from pathlib import Path

import pytest
import torch
from packaging.version import Version

from tests.kdlab import pair
from tests.kdlab.forked import started
from tests.kdlab.tiny_models import ARCHITECTURES, DENSE, MORE, others, table

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What one process found, and each of two."""
    pytest.importorskip("peft")
    folder = tmp_path_factory.mktemp("pair")
    logs = {run: folder / f"{run[0]}-of-{run[1]}.log" for run in [(0, 1), (0, 2), (1, 2)]}
    processes = [started(pair.write, folder, *run, log=log) for run, log in logs.items()]
    try:
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.kill()
    for process, log in zip(processes, logs.values(), strict=True):
        assert process.exitcode == 0, log.read_text()[-3000:]
    return [json.loads(log.with_suffix(".json").read_text()) for log in logs.values()]


def same(a, b, rel=2e-4):
    assert a["losses"] == pytest.approx(b["losses"], rel=rel)
    assert a["norms"] == pytest.approx(b["norms"], rel=20 * rel)
    if "kl" in a:
        assert a["kl"] == pytest.approx(b["kl"], rel=20 * rel)


@pytest.mark.slow
@pytest.mark.parametrize("adapters", ["plain", "LoRA"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_trains_alike_on_both_paths_and_on_two_processes(found, name, adapters):
    one, first, second = found
    for path in ("dense", "linear"):
        key = f"{name}, {adapters}, {path}"
        same(one[key], one[f"{name}, {adapters}, dense"])
        same(first[key], one[key])
        assert second[key]["losses"] == first[key]["losses"]
        expected = "dense" if path == "dense" or name in DENSE else "linear"
        assert one[key]["path"].startswith(expected), one[key]["path"]
        assert first[key]["path"] == one[key]["path"]


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_other_architectures_train_alike_on_both_paths(name):
    dense, linear = (pair.of_an_architecture(name, False, wanted) for wanted in (False, True))
    same(linear, dense)
    assert linear["path"].startswith("dense" if name in DENSE else "linear"), linear["path"]


@pytest.mark.slow
@pytest.mark.parametrize("path", ["dense", "linear"])
@pytest.mark.parametrize("kind", ["tied", "tied, resharded", "head apart", "resharded"])
def test_sharded_models_train_go_on_and_are_measured_as_whole_ones(found, kind, path):
    one, first, second = found
    if refusal := first["averages"]:
        assert Version(torch.__version__) < Version("2.13"), refusal
        pytest.skip(refusal)
    key = f"FSDP, {kind}, {path}"
    assert one[key]["path"].startswith(path)
    assert first[key]["path"] == second[key]["path"] == one[key]["path"]
    assert len(first[key]["losses"]) == 4
    same(first[key], one[key])
    assert second[key]["losses"][-1] == first[key]["losses"][-1]
    if path == "linear" and kind != "tied":  # that one is whole while its root is
        assert first[key]["heads"] == second[key]["heads"] == ["in pieces"]


@pytest.mark.slow
def test_a_model_in_pieces_whose_gradients_are_added_up_is_refused(found):
    one, *two = found
    assert not one["adds up"]
    for run in two:
        assert "adds up the gradients of a model in pieces" in run["adds up"]


@pytest.mark.slow
def test_ctrl_c_on_one_of_two_processes_stops_both_after_the_same_step(found):
    assert {run["interrupted"] for run in found} == {"stopped after step 3 of 9"}


@pytest.mark.slow
def test_options_of_accelerate_reach_it(found):
    one, first, _ = found
    same(first["unused parameters"], one["unused parameters"])
    assert "find_unused_parameters" in first["unused parameters"]["path"]


def test_the_reference_shows_the_list_that_is_tried():
    page = (ROOT / "book/reference/library-machines.md").read_text(encoding="utf-8")
    anew = "write them anew: python -m tests.kdlab.tiny_models"
    assert table() in page, anew
    assert others() in " ".join(page.split()), anew
