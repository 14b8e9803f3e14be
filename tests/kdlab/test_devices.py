"""Models whose weights are put aside, in memory or on a disk, and fetched when they are used."""

import pytest
import torch
from accelerate import cpu_offload, disk_offload

from kdlab import (
    CombinedObjective,
    DistillationTrainer,
    TopKTeacher,
    TrainConfig,
    evaluate,
    every_nth_layer,
    generate,
    write_topk_store,
)
from kdlab.fingerprints import model_sha256
from tests.kdlab.tiny_models import V, rows, tiny

CONFIG = TrainConfig(steps=1, batch_size=8, device="cpu")


@pytest.fixture(params=["memory", "disk"])
def offloaded(request, tmp_path):
    """A model with no weight on the device that it is asked on."""

    def made(seed=0):
        model = tiny("Llama", seed)
        if request.param == "memory":
            return cpu_offload(model, torch.device("cpu"))
        return disk_offload(model, str(tmp_path / f"of-{seed}"), torch.device("cpu"))

    return made


def losses(teacher):
    run = DistillationTrainer(tiny("Llama"), teacher, CombinedObjective(), config=CONFIG)
    return run.fit(rows()).column("loss")


def test_a_model_that_is_put_aside_says_what_it_says_in_memory(offloaded, tmp_path):
    data, ids = rows(), rows()[0]["input_ids"][None]
    expected = losses(tiny("Llama", 1))
    assert losses(offloaded(1)) == pytest.approx(expected, rel=1e-5)
    write_topk_store(offloaded(1), data, tmp_path / "t.topk", V)
    assert losses(TopKTeacher(tmp_path / "t.topk", data)) == pytest.approx(expected, rel=1e-3)
    found, plain = (evaluate(of(0), data, of(1)) for of in (offloaded, lambda i: tiny("Llama", i)))
    assert found.lm_loss == pytest.approx(plain.lm_loss, rel=1e-5)
    assert found.kl_to_teacher == pytest.approx(plain.kl_to_teacher, rel=1e-5)
    written = (generate(of, ids, 3, temperature=0) for of in (offloaded(), tiny("Llama")))
    assert torch.equal(*written)


def test_it_is_known_by_its_weights(offloaded, tmp_path):
    """Not by their shapes alone: a store of another model would be taken for its own."""
    assert model_sha256(offloaded(1)) == model_sha256(tiny("Llama", 1))
    write_topk_store(offloaded(1), rows(), tmp_path / "t.topk", 3)
    with pytest.raises(ValueError, match="another model"):
        TopKTeacher(tmp_path / "t.topk", model=offloaded(0))


def test_layers_are_taken_of_a_model_in_memory(offloaded):
    with pytest.raises(ValueError, match="not all weights of LlamaForCausalLM are in memory"):
        every_nth_layer(offloaded(), 2)


@pytest.mark.parametrize(
    "use",
    [
        losses,
        lambda model: evaluate(model, rows()),
        lambda model: generate(model, rows()[0]["input_ids"][None], 3),
        lambda model: write_topk_store(model, rows(), "unwritten.topk", 3),
    ],
    ids=["teacher", "evaluate", "generate", "store"],
)
def test_a_model_without_weights_is_told(use):
    with torch.device("meta"):
        model = tiny("Llama")
    with pytest.raises(ValueError, match="LlamaForCausalLM is on the device meta, which holds sh"):
        use(model)
