"""What cannot work is one sentence at the start; what would go wrong on the way stops it."""

import copy
import json
import math
import random
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn as nn

from kdlab import (
    CombinedObjective,
    ConstantLambda,
    DistillationTrainer,
    ExponentialLambda,
    History,
    LinearCombinedObjective,
    LinearLambda,
    LiveTeacher,
    PackedRows,
    PlateauLambda,
    RatioLambda,
    Recipe,
    TinyGPT,
    TopK,
    TopKTeacher,
    TrainConfig,
    collate,
    distill,
    evaluate,
    forward_kl,
    generate,
    load_corpus,
    trained_teacher,
    write_topk_store,
)
from kdlab.recipes import read_recipe
from kdlab.saving import save_student
from tests.kdlab.tiny_models import rows, tiny

V = 48
CONFIG = TrainConfig(steps=4, batch_size=4, warmup_steps=1, checkpoint_every=2, device="cpu")


def gpt(seed=0, **changes):
    torch.manual_seed(seed)
    changes = {"vocab_size": V, "block_size": 16, "d_model": 32, "n_layer": 1} | changes
    return TinyGPT("tiny-student", **changes)


def trainer(student=None, teacher=None, objective=None, schedule=None, config=CONFIG, **options):
    models = student or gpt(), teacher or gpt(1)
    return DistillationTrainer(
        *models, objective or CombinedObjective(lam=0.5), schedule, config, **options
    )


# --- configurations ---


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"learning_rate": -1}, "learning_rate must be above 0, got -1"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0, got 0.0"),
        ({"learning_rate": math.nan}, "learning_rate must be above 0, got nan"),
        ({"learning_rate": math.inf}, "learning_rate must be above 0, got inf"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0, got -0.1"),
        ({"warmup_steps": -1}, "warmup_steps must be at least 0, got -1"),
        ({"max_grad_norm": 0.0}, "max_grad_norm must be above 0, got 0.0"),
        ({"betas": (0.9, 1.0)}, r"betas must be at least 0 and below 1, got \(0.9, 1.0\)"),
        ({"seed": -3}, "seed must be at least 0, got -3"),
        ({"device": "cuda:1"}, "device must be .* got 'cuda:1'; .* CUDA_VISIBLE_DEVICES=1"),
        ({"device": "gpu"}, "device must be .* got 'gpu'"),
        ({"mixed_precision": "fp16"}, "mixed_precision must be .* got 'fp16'"),
        ({"mixed_precision": "bfloat16"}, "mixed_precision must be .* got 'bfloat16'"),
    ],
)
def test_numbers_outside_their_range_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**fields)


def test_a_device_is_checked_wherever_it_is_given(tmp_path):
    for run in (
        lambda: distill(tmp_path, Recipe(teacher_steps=1), device="cuda:1"),
        lambda: trained_teacher(load_corpus("pydocs"), steps=1, device="cuda:1"),
    ):
        with pytest.raises(ValueError, match="device must be"):
            run()


# --- students, teachers, schedules ---


def test_a_frozen_student_and_one_that_is_its_teacher_are_refused():
    with pytest.raises(ValueError, match="no weights to train: all of them are frozen"):
        trainer(gpt().requires_grad_(False))
    student = gpt()
    with pytest.raises(ValueError, match=r"share the weight .*copy.deepcopy\(model\)"):
        trainer(student, student)
    part = gpt(1)
    part.token_embedding = student.token_embedding
    with pytest.raises(ValueError, match="share the weight token_embedding"):
        trainer(student, part)
    trainer(student, copy.deepcopy(student))


def test_a_student_that_is_not_in_memory_is_refused():
    student = gpt()
    student.blocks.to("meta")
    with pytest.raises(ValueError, match=r"weight blocks\.0\..* is not in memory"):
        trainer(student)


def test_how_a_frozen_student_is_thawed_is_told():
    """A teacher is frozen in place, and it may have been somebody's student."""
    with pytest.raises(ValueError, match=r"frozen; student.requires_grad_\(True\) thaws them"):
        trainer(gpt().requires_grad_(False))
    student = gpt()
    with pytest.raises(ValueError, match=r"its teacher shares them.*AdaptersOffTeacher\(student\)"):
        trainer(student, LiveTeacher(student))
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(target_modules=["qkv"], inference_mode=True)
    with pytest.raises(ValueError, match="loaded to be trained with is_trainable=True"):
        trainer(peft.get_peft_model(gpt(), config))


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_where_gradients_are_off_nothing_is_trained(off):
    run = trainer()
    with off(), pytest.raises(ValueError, match="gradients are switched off here"):
        run.fit(rows())
    run.fit(rows())


def test_under_autocast_nothing_is_trained():
    """It keeps what it made of the weights for the first step, until it ends."""
    run = trainer()
    with torch.autocast("cpu"), pytest.raises(ValueError, match=r"autocast is on .*=.bf16"):
        run.fit(rows())


def test_losses_are_recorded_in_float32_whatever_the_default_dtype_is():
    expected = trainer().fit(rows())
    run = trainer()
    torch.set_default_dtype(torch.bfloat16)
    try:
        found = run.fit(rows())
    finally:
        torch.set_default_dtype(torch.float32)
    assert found.column("loss") == expected.column("loss")


def test_a_checkpoint_without_its_metrics_is_refused(tmp_path):
    trainer(config=replace(CONFIG, checkpoint_every=2), out=tmp_path).fit(rows())
    (tmp_path / "metrics.jsonl").unlink()
    with pytest.raises(ValueError, match=r"metrics.jsonl has 0 of the 4 steps"):
        trainer(config=replace(CONFIG, checkpoint_every=2), out=tmp_path).fit(rows(), resume=True)


def test_a_disk_that_is_full_leaves_the_last_checkpoint_whole(tmp_path, monkeypatch):
    config, save = replace(CONFIG, checkpoint_every=2), torch.save

    def full(state, path):
        if History.read(tmp_path / "metrics.jsonl").train[-1]["step"] == 4:
            raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos")
        save(state, path)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match=r"checkpoint.partial could not be written; is the disk full"):
        trainer(config=config, out=tmp_path).fit(rows())
    monkeypatch.undo()
    found = trainer(config=config, out=tmp_path).fit(rows(), resume=True)
    assert found.column("loss") == trainer().fit(rows()).column("loss")


def test_a_student_that_does_not_fit_a_disk_is_told(tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")
    # Python 3.13.0 would cut off the bytecode of what is imported meanwhile, and keep it so.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        for model in (gpt(), tiny("Llama")):
            with pytest.raises(OSError, match=r"could not be written; is the disk full"):
                save_student(model, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_two_runs_in_one_folder_do_not_mix(tmp_path):
    config = replace(CONFIG, checkpoint_every=None)

    class Disturbed(CombinedObjective):
        def __call__(self, *arguments, **options):
            if (tmp_path / "metrics.jsonl").read_text().count("\n") == 2:
                (tmp_path / "metrics.jsonl").write_text("")  # as one that began beside it
                trainer(config=config, out=tmp_path).fit(rows())
            return super().__call__(*arguments, **options)

    with pytest.raises(ValueError, match=r"another run writes to .*metrics.jsonl; this one has"):
        trainer(objective=Disturbed(), config=config, out=tmp_path).fit(rows())
    assert len(History.read(tmp_path / "metrics.jsonl").train) == 4


def test_metrics_are_read_while_they_are_written(tmp_path):
    trainer(out=tmp_path).fit(rows())
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text(metrics.read_text()[:-9])
    assert len(History.read(metrics).train) == 3


def test_a_frozen_part_may_be_shared():
    student, teacher = gpt(), gpt(1)
    student.position_embedding = teacher.position_embedding.requires_grad_(False)
    trainer(student, teacher).fit(rows())


def test_a_trainer_trains_once():
    run = trainer()
    run.fit(rows())
    with pytest.raises(ValueError, match="has taken 4 steps; make a new one"):
        run.fit(rows())


def test_a_schedule_that_was_used_is_refused():
    schedule = LinearLambda(1.0, 0.0, steps=4)
    trainer(schedule=schedule).fit(rows())
    with pytest.raises(ValueError, match="schedule has taken 4 steps already"):
        trainer(schedule=schedule)


def test_a_ratio_needs_a_teacher():
    objective = CombinedObjective(lam=0.0)
    run = DistillationTrainer(gpt(), None, objective, RatioLambda(), CONFIG)
    with pytest.raises(ValueError, match="RatioLambda compares both losses, and there is no"):
        run.fit(rows())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_weights_are_spoken_of(dtype):
    with pytest.warns(UserWarning, match=rf"weights are {dtype}: a step smaller than .* is lost"):
        trainer(gpt().to(dtype))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer(gpt(), gpt(1).to(dtype))


class Exploding(TinyGPT):
    """Its loss is finite, and its gradient is not."""

    def forward(self, *arguments, **named):
        logits = super().forward(*arguments, **named)
        zero = (self.norm.bias * 0).abs().sum().sqrt()  # the slope of √ at 0 is infinite, and 0·∞
        return logits + zero


@pytest.mark.parametrize("linear", [True, False])
def test_a_gradient_that_is_not_finite_is_not_stepped_on(tmp_path, linear):
    torch.manual_seed(0)
    student = Exploding("tiny-student", vocab_size=V, block_size=16, d_model=32, n_layer=1)
    before = copy.deepcopy(student.state_dict())
    config = replace(CONFIG, linear_objective=linear)
    with pytest.raises(FloatingPointError, match=r"step 1 is .* gradient's norm nan; its batch"):
        trainer(student, config=config, out=tmp_path).fit(rows())
    assert all(torch.equal(student.state_dict()[name], before[name]) for name in before)
    assert (tmp_path / "bad-batch-1.pt").exists()


# --- top k ---


@pytest.mark.parametrize(
    ("ids", "probs", "tail", "message"),
    [
        ([5, 5], [0.4, 0.4], 0.2, "names token 5 twice at a position"),
        ([5, 6], [0.8, 0.8], 0.2, "have a mass of 1.8 at a position; it must be 1"),
        ([5, 6], [0.3, 0.2], 0.0, "have a mass of 0.5 at a position"),
        ([5, 6], [0.3, float("nan")], 0.5, "have a mass of nan"),
        ([5, V], [0.3, 0.3], 0.4, f"gives token {V} a probability"),
    ],
)
@pytest.mark.parametrize("linear", [True, False])
def test_what_is_no_distribution_is_refused(ids, probs, tail, message, linear):
    top = torch.tensor([ids]), torch.tensor([probs]).log(), torch.tensor([tail]).log()
    hidden, head, labels = torch.zeros(1, 8), nn.Linear(8, V), torch.tensor([1])
    dense, fused = CombinedObjective(), LinearCombinedObjective()
    with pytest.raises(ValueError, match=message):
        _ = (
            fused(hidden, head, TopK(*top), None, labels)
            if linear
            else dense(head(hidden), TopK(*top), labels)
        )


def test_what_stands_where_nothing_counts_is_not_looked_at():
    top = torch.tensor([[1, 2], [0, 0]]), torch.tensor([[0.5, 0.5], [9.0, 9.0]]).log()
    top_k = TopK(*top, torch.tensor([0.0, float("nan")]).log())
    labels = torch.tensor([1, -100])
    assert CombinedObjective()(torch.zeros(2, V), top_k, labels).loss.isfinite()


def test_a_tail_is_what_the_likeliest_leave():
    top_k = TopK.of(torch.tensor([[1, 2]]), torch.tensor([[0.5, 0.3]]).log())
    assert top_k.log_tail.exp().item() == pytest.approx(0.2)
    assert TopK.of(torch.tensor([[1]]), torch.tensor([[0.0]])).log_tail.item() == -math.inf


@pytest.mark.parametrize("linear", [True, False])
def test_reverse_kl_without_a_tail_is_refused_before_a_step(tmp_path, linear):
    write_topk_store(gpt(1), rows(), tmp_path / "store", 4)
    student, config = gpt(), replace(CONFIG, linear_objective=linear)
    before = copy.deepcopy(student.state_dict())
    cut = TopKTeacher(tmp_path / "store", tail=False)
    run = trainer(student, cut, CombinedObjective("reverse_kl"), config=config)
    with pytest.raises(ValueError, match="reverse_kl is infinite where the teacher gives a token"):
        run.fit(rows())
    assert all(torch.equal(student.state_dict()[name], before[name]) for name in before)
    for name, tail in (("reverse_kl", True), ("forward_kl", False), ("skew_reverse_kl", False)):
        teacher = TopKTeacher(tmp_path / "store", tail=tail)
        trainer(teacher=teacher, objective=CombinedObjective(name), config=config).fit(rows())


# --- vocabularies that differ in their padding ---


def cut_vocabularies():
    """A student with 44 entries, a teacher with 48, and the same text."""
    data = [{name: ids % 44 for name, ids in row.items()} for row in rows()]
    return gpt(vocab_size=44), gpt(1), data


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("turned", [False, True])
def test_truncated_vocabularies_train_and_are_measured(linear, turned):
    student, teacher, data = cut_vocabularies()
    if turned:
        student, teacher = teacher, student
    config = replace(CONFIG, eval_every=2, linear_objective=linear)
    objective = CombinedObjective(match_vocab="truncate")
    history = trainer(student, teacher, objective, config=config).fit(data, data)
    assert history.column("kl_to_teacher", of="eval")[-1] > 0
    with pytest.raises(ValueError, match="vocabulary has 4"):
        evaluate(student, data, teacher)
    both = evaluate(student, data, teacher, match_vocab="truncate")
    with torch.no_grad():
        ids = data[0]["input_ids"][None]
        q, p = (m.eval()(ids)[0, :-1, :44].double().log_softmax(-1) for m in (student, teacher))
    one = evaluate(student, data[:1], teacher, match_vocab="truncate")
    assert one.kl_to_teacher == pytest.approx((p.exp() * (p - q)).sum(-1).mean().item(), rel=1e-4)
    assert both.positions > one.positions


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("k", [6, 44])
def test_a_store_of_another_vocabulary_is_truncated_or_refused(tmp_path, linear, turned, k):
    student, teacher, data = cut_vocabularies()
    if turned:
        student, teacher = teacher, student
    write_topk_store(teacher, data, tmp_path / "store", k)
    config = replace(CONFIG, linear_objective=linear)
    stored = TopKTeacher(tmp_path / "store", data)
    with pytest.raises(ValueError, match=r"vocabulary has 4|gives token 4"):
        trainer(copy.deepcopy(student), stored, config=config).fit(data)
    cut = CombinedObjective(match_vocab="truncate")
    found = trainer(copy.deepcopy(student), stored, cut, config=config).fit(data)
    live = CombinedObjective(match_vocab="truncate")
    expected = trainer(copy.deepcopy(student), teacher, live, config=config).fit(data)
    kd, of_live = (history.column("kd_loss")[0] for history in (found, expected))
    assert 0 < kd < 1.02 * of_live
    if k == 44 and turned:
        assert kd == pytest.approx(of_live, rel=0.01)


def test_a_store_can_be_written_for_a_smaller_vocabulary(tmp_path):
    student, teacher, data = cut_vocabularies()
    write_topk_store(teacher, data, tmp_path / "store", 44, vocabulary=44)
    stored = TopKTeacher(tmp_path / "store", data)
    found = trainer(copy.deepcopy(student), stored).fit(data).column("kd_loss")
    live = trainer(student, teacher, CombinedObjective(lam=0.5, match_vocab="truncate")).fit(data)
    assert found == pytest.approx(live.column("kd_loss"), rel=0.01)
    with pytest.raises(ValueError, match="vocabulary is 99, but the teacher has 48 entries"):
        write_topk_store(teacher, data, tmp_path / "more", 4, vocabulary=99)


# --- checkpoints ---


def fallen(tmp_path, **options):
    """A run that stopped after its second step, with a checkpoint of it."""
    run = trainer(out=tmp_path, **options)
    step = run._train_step

    def fall(*arguments):
        if run.step == 2:
            raise RuntimeError("the lights went out")
        return step(*arguments)

    run._train_step = fall
    with pytest.raises(RuntimeError, match="lights"):
        run.fit(rows())
    return run


def test_a_checkpoint_holds_the_student_and_leaves_the_teacher_alone(tmp_path):
    fallen(tmp_path)
    teacher = gpt(1)
    before = copy.deepcopy(teacher.state_dict())
    trainer(teacher=teacher, out=tmp_path).fit(rows(), resume=True)
    assert all(torch.equal(teacher.state_dict()[name], before[name]) for name in before)
    names = {path.name for path in (tmp_path / "checkpoint").iterdir()}
    assert names == {"student.pt", "optimizer.pt", "progress.json", "random-0.pt"}
    held = torch.load(tmp_path / "checkpoint" / "student.pt")
    assert held.keys() == gpt().state_dict().keys()


def labelled_otherwise():
    data = rows()
    data[3] = data[3] | {"labels": data[3]["labels"].clone().fill_(7)}
    return data


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"schedule": LinearLambda(8.0, 4.0, steps=4)}, "schedule"),
        ({"schedule": ExponentialLambda(1.0, 0.1, steps=4)}, "schedule"),
        ({"teacher": gpt(2)}, "teacher"),
        ({"student": gpt(n_layer=2)}, "student"),
        ({"objective": CombinedObjective(lam=0.5, scale_by_temperature=False)}, "scale_by_temp"),
        ({"objective": CombinedObjective(lam=0.5, match_vocab="truncate")}, "match_vocab"),
        ({"objective": CombinedObjective(lam=0.5, ignore_index=-1)}, "ignore_index"),
        ({"objective": CombinedObjective("reverse_kl", lam=0.5)}, "divergence"),
        ({"objective": LinearCombinedObjective(lam=0.5)}, "objective"),
        ({"config": replace(CONFIG, learning_rate=1e-4)}, "learning_rate"),
        ({"data": rows(seed=1)}, "data"),
        ({"data": rows(9)}, "data"),
        ({"data": labelled_otherwise()}, "data"),
    ],
)
def test_a_checkpoint_knows_what_run_it_is_of(tmp_path, options, what):
    fallen(tmp_path, schedule=LinearLambda(1.0, 0.0, steps=4))
    options = dict(options)
    data = options.pop("data", rows())
    options.setdefault("schedule", LinearLambda(1.0, 0.0, steps=4))
    with pytest.raises(ValueError, match=f"is of a run with {what}.*, but this one has"):
        trainer(out=tmp_path, **options).fit(data, resume=True)


def test_the_same_trainer_goes_on_after_it_was_stopped(tmp_path):
    run = fallen(tmp_path, schedule=LinearLambda(1.0, 0.0, steps=4))
    del run._train_step
    found = run.fit(rows(), resume=True)
    whole = trainer(schedule=LinearLambda(1.0, 0.0, steps=4)).fit(rows())
    assert found.column("loss") == whole.column("loss")
    no_checkpoint = trainer(config=replace(CONFIG, checkpoint_every=None), out=tmp_path / "none")
    no_checkpoint.fit(rows())
    with pytest.raises(ValueError, match="has taken 4 steps, and there is no checkpoint"):
        no_checkpoint.fit(rows(), resume=True)


def test_a_checkpoint_of_another_version_is_refused(tmp_path):
    (tmp_path / "checkpoint").mkdir()
    with pytest.raises(ValueError, match="was written by another version of kdlab"):
        trainer(out=tmp_path).fit(rows(), resume=True)
    (tmp_path / "checkpoint" / "trainer_state.json").write_text("{}")  # as another trainer's has
    with pytest.raises(ValueError, match="checkpoint is no checkpoint of this kdlab"):
        trainer(out=tmp_path).fit(rows(), resume=True)


# --- folders and draws ---


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "counting.txt"
    path.write_text(
        "\n\n".join(" ".join(f"{i} and {j}," for j in range(i, i + 30)) for i in range(120))
    )
    return str(path)


@pytest.fixture
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("KDLAB_CACHE", str(tmp_path_factory.getbasetemp() / "starts-cache"))


def test_a_folder_that_is_used_again_keeps_nothing_of_the_last_run(
    text, tmp_path, own_cache, monkeypatch
):
    recipe = Recipe(corpus=text, teacher_steps=2, steps=2, batch_size=4)
    distill(tmp_path, recipe, device="cpu")
    (tmp_path / "summary.json").unlink()  # cut off while it wrote what it leaves

    def fall(self, *arguments):
        raise RuntimeError("the lights went out")

    monkeypatch.setattr(DistillationTrainer, "_train_step", fall)
    with pytest.raises(RuntimeError, match="lights"):
        distill(tmp_path, replace(recipe, seed=1), device="cpu")
    assert json.loads((tmp_path / "recipe.json").read_text())["seed"] == 1
    assert {path.name for path in tmp_path.iterdir()} == {"recipe.json", "metrics.jsonl"}
    assert (tmp_path / "metrics.jsonl").read_text() == ""


def test_a_run_that_cannot_begin_leaves_the_last_one_whole(text, tmp_path, own_cache):
    recipe = Recipe(corpus=text, teacher_steps=2, steps=2, batch_size=4)
    distill(tmp_path, recipe, device="cpu")
    (tmp_path / "summary.json").unlink()  # cut off while it wrote what it leaves
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(FileNotFoundError):
        distill(tmp_path, replace(recipe, teacher_file="no-such-file"), device="cpu")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == found


def test_a_run_that_is_finished_or_can_go_on_is_not_replaced(text, tmp_path, own_cache):
    recipe = Recipe(corpus=text, teacher_steps=2, steps=2, batch_size=4)
    summary = distill(tmp_path, recipe, checkpoint_every=1, device="cpu")
    again = replace(recipe, seed=1)
    finished = (
        r"holds a finished run, which a new one would replace; --resume \(resume=True\) gives"
    )
    with pytest.raises(ValueError, match=finished):
        distill(tmp_path, again, device="cpu")
    assert distill(tmp_path, recipe, resume=True, device="cpu") == summary
    (tmp_path / "summary.json").unlink()
    with pytest.raises(ValueError, match=r"holds a run that was stopped, .* goes on with it, and"):
        distill(tmp_path, again, device="cpu")
    assert read_recipe(tmp_path) == recipe


def test_a_trainer_replaces_no_run(tmp_path):
    config = replace(CONFIG, checkpoint_every=None)
    trainer(config=config, out=tmp_path).fit(rows())
    found = (tmp_path / "metrics.jsonl").read_bytes()
    for resume, message in ((False, "holds the metrics of another"), (True, "no checkpoint")):
        with pytest.raises(ValueError, match=rf"{message}.*a folder of its own"):
            trainer(config=config, out=tmp_path).fit(rows(), resume=resume)
    (tmp_path / "checkpoint").mkdir()
    with pytest.raises(ValueError, match=r"holds a checkpoint of another .*resume=True goes on"):
        trainer(config=config, out=tmp_path).fit(rows())
    assert (tmp_path / "metrics.jsonl").read_bytes() == found


@pytest.mark.parametrize(
    "left", ["tsconfig.json", "model.safetensors", "tokenizer.json", "checkpoint/weights.bin"]
)
def test_a_folder_of_something_else_is_left_alone(tmp_path, left):
    """A run clears its folder first: here, that would be somebody's project or model."""
    path = tmp_path / left
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    with pytest.raises(ValueError, match=r"holds .*, which is of no run of .* a folder of its own"):
        distill(tmp_path, Recipe(), device="cpu")
    assert path.read_text() == "mine"


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ValueError, match="out is a file; a run needs a folder"):
        distill(tmp_path / "out", Recipe(), device="cpu")
    for resume in (False, True):
        with pytest.raises(ValueError, match="out is a file; a run needs a folder"):
            trainer(out=tmp_path / "out" / "run").fit(rows(), resume=resume)
    with pytest.raises(ValueError, match=r"\\udcc3' is no path in UTF-8; .*PYTHONUTF8=1"):
        distill(tmp_path / "\udcc3", Recipe(), device="cpu")


def test_a_trainer_leaves_a_folder_that_is_only_called_as_checkpoints_are(tmp_path):
    path = tmp_path / "checkpoint" / "config.json"
    path.parent.mkdir()
    path.write_text("mine")
    with pytest.raises(ValueError, match="is no checkpoint of this kdlab"):
        trainer(gpt(), out=tmp_path).fit(rows())
    assert path.read_text() == "mine"


@pytest.mark.parametrize("whose", ["teacher", "student"])
@pytest.mark.parametrize("resume", [False, True])
def test_a_run_does_not_write_over_a_model_that_it_reads(tmp_path, whose, resume):
    (tmp_path / "recipe.json").write_text("{}")  # the model is of an earlier run
    names = {"teacher": "hf:elsewhere", "student": "hf:elsewhere", whose: f"hf:{tmp_path}/"}
    with pytest.raises(ValueError, match=f"the {whose} is read from .* would write over it"):
        distill(tmp_path, Recipe(**names), resume=resume, device="cpu")


def drawn():
    return torch.rand(1).item(), np.random.rand(), random.random()  # noqa: NPY002


def seeded(seed):
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    random.seed(seed)


@pytest.mark.parametrize("what", ["teacher", "teacher again", "fit", "distill"])
def test_what_is_drawn_afterwards_is_the_caller_s(text, tmp_path, own_cache, what):
    def run():
        if what == "fit":
            trainer(gpt(dropout=0.1)).fit(rows())
        elif what == "distill":
            recipe = Recipe(corpus=text, teacher_steps=2, steps=1, batch_size=4)
            distill(tmp_path, recipe, device="cpu")
        else:
            trained_teacher(load_corpus(text), steps=2, device="cpu")

    models = gpt(dropout=0.1), gpt(1)
    assert models
    if what == "teacher again":
        run()
    seeded(5)
    if what == "fit":
        run_it = trainer(*models)
        seeded(5)
        run_it.fit(rows())
    else:
        run()
    after = drawn()
    seeded(5)
    assert after == drawn()


# --- devices without float64 ---


def test_nothing_asks_a_device_without_float64_for_it(monkeypatch):
    """As on Apple's GPUs, here on a CPU that refuses float64 until results are brought to it."""
    made, brought = torch.zeros, torch.Tensor.double

    def zeros(*arguments, dtype=None, **named):
        assert dtype != torch.float64, "this device has no float64"
        return made(*arguments, dtype=dtype, **named)

    on_the_cpu = []

    def cpu(self, *arguments, **named):
        on_the_cpu.append(self)
        return self

    def double(self):
        assert any(self is tensor for tensor in on_the_cpu), "this device has no float64"
        return brought(self)

    monkeypatch.setattr(torch, "zeros", zeros)
    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    monkeypatch.setattr(torch.Tensor, "double", double)
    assert evaluate(gpt(), rows(), gpt(1)).kl_to_teacher > 0


def test_an_evaluation_never_has_all_logits_at_once(monkeypatch):
    """Hidden states at a time, and no more logits than a chunk has."""
    monkeypatch.setitem(sys.modules["kdlab.evaluation"].CHUNK, "cpu", 5 * V)
    monkeypatch.setattr(sys.modules["kdlab.evaluation"], "LEAST", 1)
    seen, linear = [], nn.functional.linear

    def noted(x, weight, bias=None):
        out = linear(x, weight, bias)
        if out.shape[-1] == V:
            seen.append(out.shape[:-1].numel())
        return out

    monkeypatch.setattr(nn.functional, "linear", noted)
    chunked = evaluate(gpt(), rows(), gpt(1))
    assert [size for size in seen if size > 5] == 6 * [
        12
    ]  # one row, to see what heads do, and that no model reads ahead
    assert len(seen) > 10
    monkeypatch.undo()
    whole = evaluate(gpt(), rows(), gpt(1))
    assert chunked.kl_to_teacher == pytest.approx(whole.kl_to_teacher, rel=1e-5)
    assert chunked.calibration.count == whole.calibration.count


def test_a_plateau_without_logits_says_so():
    class Server:
        def targets(self, batch):
            ids = torch.zeros(*batch["input_ids"].shape, 1, dtype=torch.long)[:, :-1]
            return TopK.of(ids, torch.full(ids.shape, -1.0))

    config = replace(CONFIG, eval_every=1)
    run = trainer(teacher=Server(), schedule=PlateauLambda(), config=config)
    with pytest.raises(ValueError, match=r"PlateauLambda reacts .*Server gives no logits"):
        run.fit(rows(), rows(seed=1))
    plain = trainer(teacher=Server(), schedule=ConstantLambda(0.5), config=config)
    assert plain.fit(rows(), rows(seed=1)).column("kl_to_teacher", of="eval") == [None] * 4


# --- what is something else ---


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 2.5),
        ("steps", True),
        ("seed", 1.5),
        ("batch_size", "16"),
        ("eval_every", 0.5),
        ("warmup_steps", 1.5),
        ("learning_rate", "1e-3"),
        ("weight_decay", None),
    ],
)
def test_numbers_are_numbers(name, value):
    with pytest.raises(ValueError, match=f"{name} must be .*, got {value!r}"):
        TrainConfig(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("student", "gpt2"),
        ("objective", "forward_kl"),
        ("objective", forward_kl),
        ("schedule", "linear"),
        ("schedule", 0.5),
        ("config", {"steps": 3}),
    ],
)
def test_parts_are_what_they_are_called(name, value):
    parts = {"student": gpt(), "teacher": gpt(1), "objective": CombinedObjective()} | {name: value}
    with pytest.raises(TypeError, match=f"{name} must be a"):
        DistillationTrainer(**parts)


@pytest.mark.parametrize("file", ["student.pt", "optimizer.pt", "progress.json", "random-0.pt"])
@pytest.mark.parametrize("left", [0.0, 0.5])
def test_a_damaged_checkpoint_is_one_sentence(tmp_path, file, left):
    config = TrainConfig(steps=2, batch_size=4, device="cpu", checkpoint_every=2)
    DistillationTrainer(gpt(), gpt(1), CombinedObjective(), config=config, out=tmp_path).fit(rows())
    path = tmp_path / "checkpoint" / file
    path.write_bytes(path.read_bytes()[: int(left * path.stat().st_size)])
    again = DistillationTrainer(gpt(), gpt(1), CombinedObjective(), config=config, out=tmp_path)
    with pytest.raises(ValueError, match=r"is damaged .* begin the run anew"):
        again.fit(rows(), resume=True)


def test_a_checkpoint_that_holds_something_else_is_one_sentence(tmp_path):
    config = TrainConfig(steps=2, batch_size=4, device="cpu", checkpoint_every=2)
    DistillationTrainer(gpt(), gpt(1), CombinedObjective(), config=config, out=tmp_path).fit(rows())
    again = DistillationTrainer(gpt(), gpt(1), CombinedObjective(), config=config, out=tmp_path)
    progress = tmp_path / "checkpoint" / "progress.json"
    whole = progress.read_text()
    for odd in ([], {"step": 2}, json.loads(whole) | {"step": "two"}):
        progress.write_text(json.dumps(odd))
        with pytest.raises(ValueError, match=r"is damaged .* begin the run anew"):
            again.fit(rows(), resume=True)
    progress.write_text(whole)
    metrics = (tmp_path / "metrics.jsonl").read_text()
    (tmp_path / "metrics.jsonl").write_text("owls\n")
    with pytest.raises(ValueError, match=r"metrics\.jsonl has 0 of the 2 steps"):
        again.fit(rows(), resume=True)
    (tmp_path / "metrics.jsonl").write_text(metrics)
    for odd in ([1], {"token_embedding.weight": torch.zeros(1)}):
        torch.save(odd, tmp_path / "checkpoint" / "student.pt")
        with pytest.raises(ValueError, match=r"is damaged .* begin the run anew"):
            again.fit(rows(), resume=True)


def test_a_checkpoint_knows_what_was_trained(tmp_path):
    config = TrainConfig(steps=2, batch_size=4, device="cpu", checkpoint_every=2)
    DistillationTrainer(gpt(), gpt(1), CombinedObjective(), config=config, out=tmp_path).fit(rows())
    student = gpt()
    student.blocks[0].requires_grad_(False)
    run = DistillationTrainer(student, gpt(1), CombinedObjective(), config=config, out=tmp_path)
    with pytest.raises(ValueError, match="a run with student"):
        run.fit(rows(), resume=True)


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize(
    ("ids", "message"),
    [([[-1, 2]], "token id -1"), ([[1.0, 2.0]], "integer ids"), ([[1, 2, 3]], "as many log_probs")],
)
def test_ids_of_likeliest_tokens_are_ids(ids, message, linear):
    top = TopK(torch.tensor(ids), torch.tensor([[0.5, 0.3]]).log(), torch.tensor([0.2]).log())
    objective = LinearCombinedObjective() if linear else CombinedObjective()
    given = (
        (torch.zeros(1, 4), torch.zeros(5, 4), top, None) if linear else (torch.zeros(1, 5), top)
    )
    with pytest.raises(ValueError, match=message):
        objective(*given, torch.tensor([1]))


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (RatioLambda(), r"RatioLambda may raise it to 100; set its maximum to 1 or less"),
        (LinearLambda(0.0, 2.0, steps=4), r"LinearLambda may raise it to 2$"),
    ],
)
def test_a_schedule_that_would_leave_the_convex_form_is_refused_before_a_step(schedule, message):
    objective = CombinedObjective(lam=0.5, form="convex")
    run = trainer(objective=objective, schedule=schedule)
    with pytest.raises(ValueError, match=message):
        run.fit(rows())
    assert run.step == 0


def test_a_seed_that_some_generators_refuse_is_named():
    with pytest.raises(ValueError, match=r"seed must be below 2\*\*32, got 4294967296"):
        TrainConfig(seed=2**32)


def test_rows_are_read_on_the_cpu_whatever_the_default_device_is(tmp_path):
    """As in a notebook that says set_default_device("cuda"); meta stands for a GPU here."""
    expected = trainer().fit(rows()).column("loss")
    lists = [{name: ids.tolist() for name, ids in row.items()} for row in rows()]
    student, model, prompt = gpt(), gpt(1), torch.tensor([[3, 4]])
    with torch.device("meta"):
        run = trainer(student, model)
        assert run.fit(lists, lists).column("loss") == expected
        write_topk_store(model, lists, tmp_path / "teacher.topk", 4)
        batch = collate([PackedRows(lists, 24)[0]])
        assert TopKTeacher(tmp_path / "teacher.topk", lists).targets(collate(lists)).ids.is_cpu
        assert generate(model, prompt, 3).is_cpu
    assert batch["position_ids"].is_cpu
