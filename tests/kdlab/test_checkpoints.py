"""Students of which not all is trained: what a checkpoint holds of the rest."""

import signal
from dataclasses import replace

import pytest
import torch
import torch.nn as nn

import kdlab.checkpoints
from kdlab import (
    CombinedObjective,
    DistillationTrainer,
    LambdaSchedule,
    PlateauLambda,
    TinyGPT,
    TrainConfig,
)
from kdlab.metrics import METRICS, MetricsFile
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


def test_what_was_measured_survives_a_full_disk(tmp_path):
    """Nothing that is kept is written again, so a resume that fails there loses nothing."""
    resource = pytest.importorskip("resource")
    first = trainer(tmp_path)
    first._due = lambda every, at_end=False: first.step == 2
    first.fit(rows())
    path = tmp_path / METRICS
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handled = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        file = MetricsFile(tmp_path, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handled)
    kept = path.read_bytes()
    assert before.startswith(kept)
    assert len(file.history.train) == 2
    assert file.written == len(kept)


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


class OwnPlateau(PlateauLambda):
    """A schedule of one's own that watches the gap."""


class Own(LambdaSchedule):
    """A schedule of one's own that watches nothing."""

    value = 1.0


@pytest.mark.parametrize("schedule", [PlateauLambda, OwnPlateau, Own])
def test_a_schedule_that_watches_evaluations_goes_on_with_as_many(tmp_path, schedule):
    """λ would fall at other steps; to other schedules, evaluations are only shown."""

    def made(every):
        objective, config = CombinedObjective(), replace(CONFIG, eval_every=every)
        teacher = TinyGPT("tiny-student", vocab_size=48, block_size=16, d_model=16, n_layer=1)
        return DistillationTrainer(student(), teacher, objective, schedule(), config, out=tmp_path)

    first = made(1)
    first._batches = lambda data: [*type(first)._batches(first, data)][:2]
    torch.manual_seed(0)
    first.fit(rows(), rows())
    if schedule is not Own:
        with pytest.raises(ValueError, match="of a run with eval_every 1, but this one has 2"):
            made(2).fit(rows(), rows(), resume=True)
    second = made(2 if schedule is Own else 1)
    second.teacher = first.teacher
    assert len(second.fit(rows(), rows(), resume=True).train) == 4


def test_rows_with_numbers_in_bfloat16_are_known_again():
    def found(dtype):
        row = {"input_ids": torch.arange(4), "labels": torch.arange(4)}
        return kdlab.checkpoints._data_sha256([row | {"x": torch.ones(4, 2, dtype=dtype)}])

    assert found(torch.bfloat16) != found(torch.float16)
    assert found(torch.float32) == "1 rows, 0323c9fc00696fb2"


def test_a_run_goes_on_where_fewer_gpus_are_seen(monkeypatch):
    set_again = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: ["first", "second"])
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", set_again.extend)
    kdlab.checkpoints._set_random_states(kdlab.checkpoints._random_states())
    assert set_again == ["first"]
