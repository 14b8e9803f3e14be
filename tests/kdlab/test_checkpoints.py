"""Students of which not all is trained: what a checkpoint holds of the rest."""

import pytest
import torch
import torch.nn as nn

from kdlab import CombinedObjective, DistillationTrainer, TinyGPT, TrainConfig
from tests.kdlab.tiny_models import rows

CONFIG = TrainConfig(steps=4, batch_size=4, checkpoint_every=2, device="cpu")


class Packed(nn.Parameter):
    """A weight in a class of its own."""


class PackedLinear(nn.Linear):
    """A layer that writes the scales of its weight, and that no state_dict gives back."""

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "weight.absmax"] = self.weight.detach().abs().amax(1)


def student(seed=0):
    torch.manual_seed(seed)
    model = TinyGPT("tiny-student", vocab_size=48, block_size=16, d_model=16, n_layer=1)
    frozen = PackedLinear(16, 16)
    frozen.weight = Packed(model.blocks[0].attention.out.weight.detach(), requires_grad=False)
    model.blocks[0].attention.out = frozen
    return model


def trainer(out, seed=0):
    objective = CombinedObjective(lam=0)
    return DistillationTrainer(student(seed), None, objective, config=CONFIG, out=out)


def test_a_run_goes_on_beside_weights_that_are_not_trained_and_not_written(tmp_path):
    whole = trainer(None)
    whole.fit(rows())
    first = trainer(tmp_path)
    first._due = lambda every, at_end=False: first.step == 2
    first.fit(rows())
    held = torch.load(tmp_path / "checkpoint" / "student.pt")
    assert {name for name in held if "attention.out" in name} == {"blocks.0.attention.out.bias"}
    (tmp_path / "metrics.jsonl").write_text(
        "".join((tmp_path / "metrics.jsonl").read_text().splitlines(keepends=True)[:2])
    )
    second = trainer(tmp_path)
    with torch.no_grad():
        second.student.norm.weight.add_(1.0)  # what is trained comes from the checkpoint
    assert second.fit(rows(), resume=True).column("loss") == whole.history.column("loss")
    with pytest.raises(ValueError, match=r"of a run with frozen_weights .*, but this one has"):
        trainer(tmp_path, seed=1).fit(rows(), resume=True)


class WithImages(TinyGPT):
    """A student with a part for images, whose second part counts from the third step on."""

    def __init__(self):
        torch.manual_seed(0)
        super().__init__("tiny-student", vocab_size=48, block_size=16, d_model=16, n_layer=1)
        self.vision, self.late = nn.Linear(4, 16), nn.Linear(16, 16)
        self.asked = 0

    def hidden(self, *inputs, **named):
        found = super().hidden(*inputs, **named)
        self.asked += self.training
        return found + self.late(found) if self.asked > 2 else found


def test_a_run_goes_on_where_some_weights_had_no_gradient_yet(tmp_path):
    """A text gives the part for images none, and AdamW keeps nothing for such weights."""

    def made(out, asked=0):
        student = WithImages()
        found = DistillationTrainer(student, None, CombinedObjective(lam=0), config=CONFIG, out=out)
        student.asked = asked
        return found

    whole, first, second = made(None), made(tmp_path), made(tmp_path, asked=2)
    whole.fit(rows())
    first._batches = lambda data: [*type(first)._batches(first, data)][:2]
    first.fit(rows())
    second.fit(rows(), resume=True)
    for name, weight in second.student.state_dict().items():
        assert torch.equal(weight, whole.student.state_dict()[name]), name
