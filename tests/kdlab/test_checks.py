"""Parts of one's own: what a trainer could not use, train or keep is refused before a step."""

import warnings

import numpy as np
import pytest
import torch
import torch.nn as nn

from kdlab import (
    CombinedObjective,
    DistillationTrainer,
    LambdaSchedule,
    LiveTeacher,
    TinyGPT,
    TrainConfig,
    evaluate,
    generate,
    write_topk_store,
)
from tests.kdlab.tiny_models import rows, tiny

CONFIG = TrainConfig(steps=2, batch_size=4, device="cpu")


def gpt(seed=0):
    torch.manual_seed(seed)
    return TinyGPT("tiny-student", vocab_size=48, block_size=16, d_model=16, n_layer=1)


def trainer(objective=None, schedule=None, **options):
    objective = objective or CombinedObjective()
    return DistillationTrainer(gpt(), gpt(1), objective, schedule, CONFIG, **options)


class Own(nn.Module):
    """An objective that is a module, over logits that it turns first."""

    ignore_index = -100

    def __init__(self):
        super().__init__()
        self.lam = 1.0
        self.turn = nn.Linear(48, 48)

    def forward(self, student_logits, teacher_logits, labels, *, num_items=None):
        inside = CombinedObjective(lam=self.lam)
        return inside(self.turn(student_logits), teacher_logits, labels, num_items=num_items)


def test_an_objective_with_weights_that_nobody_trains_is_refused():
    with pytest.raises(ValueError, match=r"a weight of its own, turn\.weight, and only the stud"):
        trainer(Own())
    assert len(trainer(Own().requires_grad_(False)).fit(rows()).train) == 2


class WithoutIndex:
    lam = 1.0

    def __call__(self, *given, **named):
        return CombinedObjective()(*given, **named)


class WithoutSuper(LambdaSchedule):
    value = 1.0

    def __init__(self):
        self.lam = 1.0


def test_parts_are_whole():
    for objective in (CombinedObjective, WithoutIndex()):
        with pytest.raises(TypeError, match=r"objective must be an objective, .* its lam and its"):
            trainer(objective)
    with pytest.raises(TypeError, match=r"schedule must be .*calls super\(\).__init__\(\)"):
        trainer(schedule=WithoutSuper())


class Returns(CombinedObjective):
    def __init__(self, change):
        super().__init__()
        self.change = change

    def __call__(self, *given, **named):
        return self.change(super().__call__(*given, **named))


@pytest.mark.parametrize(
    "change",
    [
        lambda output: output.loss,
        lambda output: tuple(output),
        lambda output: output._replace(lm_loss=output.lm_loss.item()),
        lambda output: output._replace(kd_loss=0.0),
        lambda output: None,
    ],
    ids=["loss", "tuple", "number", "zero", "nothing"],
)
def test_what_an_objective_returns_is_looked_at(change):
    with pytest.raises(ValueError, match=r"Returns returned .*; it must return an ObjectiveOutput"):
        trainer(Returns(change)).fit(rows())


class Table(LambdaSchedule):
    def __init__(self, lams):
        super().__init__()
        self.lams = lams

    @property
    def value(self):
        return self.lams[self.step_count]


def test_a_schedule_that_no_checkpoint_holds_is_refused_before_a_step(tmp_path):
    """It was told when the first checkpoint was written, and the steps before it were lost."""
    for lams in (np.ones(3), torch.ones(3), {0: abs, 1: 1.0}):
        run = trainer(schedule=Table(lams), out=tmp_path)
        with pytest.raises(ValueError, match=r"the schedule's lams is of type .*no checkpoint"):
            run.fit(rows())
        assert not run.history.train
    assert trainer(schedule=Table(np.ones(3))).fit(rows()).column("lam") == [1.0, 1.0]
    kept = trainer(schedule=Table([np.float32(0.5), 1.0, 1.0]), out=tmp_path)
    assert kept.fit(rows()).column("lam") == [0.5, 1.0]


class OwnTeacher:
    def targets(self, batch):
        return torch.zeros(*batch["input_ids"][:, 1:].shape, 48)


def test_what_is_no_model_is_named_wherever_one_is_needed(tmp_path):
    for needs_one in (
        lambda: evaluate("gpt2", rows()),
        lambda: generate(None, torch.tensor([[1]]), 2),
        lambda: write_topk_store(OwnTeacher(), rows(), tmp_path / "t.topk", 2),
        lambda: LiveTeacher(OwnTeacher()),
    ):
        with pytest.raises(TypeError, match="must be a torch module; got"):
            needs_one()
    with pytest.raises(TypeError, match=r"a teacher is a model, or anything with targets\(batch\)"):
        evaluate(gpt(), rows(), "gpt2")


def test_a_model_whose_activations_share_a_scale_over_the_batch_is_refused():
    quantization = pytest.importorskip("torch.ao.quantization")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated
        teacher = quantization.quantize_dynamic(gpt(1), {nn.Linear}, dtype=torch.qint8)
    with pytest.raises(ValueError, match="rounds its activations on a scale of the whole batch"):
        evaluate(gpt(), rows(), teacher)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"input_ids": [1, 2], "labels": ["a", "b"]}, "the field 'labels' holds text"),
        ({"input_ids": [1, 2, 3], "labels": [1]}, "'labels' of a row must be as long"),
        ({"input_ids": [1, 48], "labels": [1, 2]}, "the data has token id 48"),
        (None, "a row must be a mapping"),
    ],
)
def test_a_row_that_is_wrong_is_told_by_its_number(tmp_path, bad, message):
    data = rows()
    data[5] = bad
    with pytest.raises(ValueError, match=f"row 5 of train: {message}"):
        trainer().fit(data)
    with pytest.raises(ValueError, match=f"row 5 of data: {message}"):
        evaluate(gpt(), data)
    if bad is None or "id 48" in message:
        with pytest.raises(ValueError, match=f"row 5 of data: {message}"):
            write_topk_store(gpt(), data, tmp_path / "a.topk", k=2)


def test_a_run_stays_in_its_folder_when_the_working_folder_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = trainer(out="run")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    run.fit(rows())
    assert (tmp_path / "run" / "metrics.jsonl").exists()
    assert not list((tmp_path / "other").iterdir())


def test_a_student_in_4_bits_is_refused_on_a_processor_that_cuts_its_gradient():
    """bitsandbytes packs such a layer anew when it is first asked, for a kernel without one."""
    student = gpt()
    student.blocks[0].mlp[0].support_avx512bf16_for_cpu = False
    DistillationTrainer(student, gpt(1), CombinedObjective(), config=CONFIG)
    student.blocks[0].mlp[0].support_avx512bf16_for_cpu = True
    with pytest.raises(ValueError, match=r"Linear of bitsandbytes .* load it in 8 bits"):
        DistillationTrainer(student, gpt(1), CombinedObjective(), config=CONFIG)


def test_what_is_left_out_of_adalora_is_told():
    peft = pytest.importorskip("peft")
    options = {"target_modules": ["q_proj"], "task_type": "CAUSAL_LM", "total_step": 10}
    student = peft.get_peft_model(tiny("Llama"), peft.AdaLoraConfig(init_r=3, **options))
    with pytest.warns(UserWarning, match="penalty on them is left out.*keeps its init_r"):
        DistillationTrainer(student, tiny("Llama", 1), CombinedObjective(), config=CONFIG)


def test_gradients_that_a_student_has_already_are_not_of_the_first_step():
    """Somebody tried a loss before, or a run was broken off in the middle of a step."""
    fresh, used = trainer(), trainer()
    for each in (fresh, used):
        each.student.norm.requires_grad_(False)  # its gradient would count in the norm of all
    for parameter in used.student.parameters():
        parameter.grad = torch.ones_like(parameter)
    expected, found = fresh.fit(rows()), used.fit(rows())
    assert found.column("loss") == expected.column("loss")
    assert found.column("grad_norm") == expected.column("grad_norm")


def test_models_are_measured_and_asked_in_inference_mode_too(tmp_path):
    expected = evaluate(gpt(), rows(), gpt(1))
    with torch.inference_mode():
        assert evaluate(gpt(), rows(), gpt(1)) == expected
        write_topk_store(gpt(1), rows(), tmp_path / "teacher.topk", k=4)
        assert generate(gpt(), rows()[0]["input_ids"][None, :4], 2).shape == (1, 6)
        student = gpt()
        student.register_buffer("scale", torch.ones(1))
    assert evaluate(student, rows(), gpt(1)) == expected
    with pytest.raises(ValueError, match=r"weight .* was made in inference mode"):
        DistillationTrainer(student, gpt(1), CombinedObjective(), config=CONFIG)
