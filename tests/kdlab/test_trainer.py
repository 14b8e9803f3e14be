"""The trainer: the loop against a bare one, what it promises, and what it writes."""

import itertools
import json
import math
import os
import re
import signal
import threading
from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from accelerate.state import PartialState
from torch.distributed.fsdp import FullyShardedDataParallel

import kdlab.trainer
from kdlab import (
    CombinedObjective,
    DistillationTrainer,
    History,
    LinearLambda,
    LiveTeacher,
    PlateauLambda,
    RatioLambda,
    TinyGPT,
    TrainConfig,
    evaluate,
    jensen_shannon,
)
from kdlab.devices import resolve_device

CONFIG = TrainConfig(steps=6, batch_size=4, warmup_steps=2, device="cpu")


def blocks(n=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 30, (n, 10), generator=generator)
    return [{"input_ids": row, "labels": row} for row in ids]


def model(seed, **changes):
    torch.manual_seed(seed)
    return TinyGPT("tiny-student", vocab_size=30, block_size=10, **changes)


def trainer(config=CONFIG, lam=0.5, schedule=None, teacher=True, **options):
    objective = CombinedObjective("forward_kl", lam=lam, temperature=2.0)
    teacher = model(2) if teacher else None
    return DistillationTrainer(model(1), teacher, objective, schedule, config, **options)


def without_times(history):
    return [
        {key: value for key, value in record.items() if key != "tokens_per_second"}
        for record in history.train + history.eval
    ]


def weights(trainer):
    return torch.cat([parameter.detach().flatten() for parameter in trainer.student.parameters()])


@pytest.mark.parametrize("gaps", [False, True], ids=["", "a weight with gaps in memory"])
@pytest.mark.parametrize("linear_objective", [True, False])
def test_the_loop_is_the_plain_one(linear_objective, gaps):
    """The same steps by hand, with PyTorch's own losses.

    In float64: where a gradient is nearly 0, AdamW makes steps of its rounding.
    """
    config = replace(CONFIG, linear_objective=linear_objective)
    ours = trainer(config, schedule=LinearLambda(1.0, 0.0, steps=6))
    ours.student.double(), ours.teacher.double()
    if gaps:  # AdamW's own kernel is silently wrong about one
        layer = ours.student.blocks[0].attention.qkv
        layer.weight = torch.nn.Parameter(layer.weight.detach().repeat_interleave(2, 1)[:, ::2])
    history = ours.fit(blocks())

    student, teacher, data = model(1).double(), model(2).double(), blocks()
    matrices = [p for p in student.parameters() if p.dim() >= 2]
    vectors = [p for p in student.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95))
    for step in range(6):
        order = torch.randperm(24, generator=torch.Generator().manual_seed(0)).tolist()
        ids = torch.stack([data[i]["input_ids"] for i in order[4 * step : 4 * step + 4]])
        q, labels = student(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten()
        with torch.no_grad():
            p = teacher(ids)[:, :-1].flatten(0, 1)
        lm = F.cross_entropy(q, labels)
        kd = 4 * F.kl_div(
            (q / 2).log_softmax(-1), (p / 2).log_softmax(-1), reduction="batchmean", log_target=True
        )
        lam = 1 - step / 6
        (lm + lam * kd).backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        lr = 2e-3 * (
            (step + 1) / 2 if step < 2 else 0.1 + 0.45 * (1 + math.cos(math.pi * (step - 2) / 4))
        )
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.step()
        optimizer.zero_grad()
        record = history.train[step]
        assert record["lm_loss"] == pytest.approx(lm.item(), rel=1e-6)
        assert record["kd_loss"] == pytest.approx(kd.item(), rel=1e-6)
        assert record["loss"] == pytest.approx((lm + lam * kd).item(), rel=1e-6)
        assert record["lam"] == pytest.approx(lam)
        assert record["learning_rate"] == pytest.approx(lr)
    torch.testing.assert_close(
        weights(ours),
        torch.cat([p.detach().flatten() for p in student.parameters()]),
        rtol=1e-6,
        atol=1e-9,
    )


def test_the_same_seed_gives_the_same_numbers_and_another_does_not():
    first, second = trainer(), trainer()
    assert without_times(first.fit(blocks())) == without_times(second.fit(blocks()))
    assert torch.equal(weights(first), weights(second))
    other = trainer(TrainConfig(steps=6, batch_size=4, seed=1, device="cpu"))
    assert other.fit(blocks()).column("loss") != first.history.column("loss")


def test_every_sequence_is_seen_once_an_epoch():
    seen = []

    class Watched(list):
        def __getitem__(self, index):
            seen.append(index)
            return super().__getitem__(index)

    trainer(TrainConfig(steps=6, batch_size=4, linear_objective=False, device="cpu")).fit(
        Watched(blocks(24))
    )
    assert sorted(seen[-24:]) == list(range(24))  # after a look at what rows hold


@pytest.mark.parametrize("accumulation", [2, 4])
def test_accumulation_changes_nothing_even_where_labels_are_uneven(accumulation):
    data = blocks()
    for i, item in enumerate(data):
        item["labels"] = item["labels"].clone()
        item["labels"][2 + i % 8 :] = -100
    whole, parts = (
        trainer(),
        trainer(
            TrainConfig(
                steps=6, batch_size=4, warmup_steps=2, accumulation=accumulation, device="cpu"
            )
        ),
    )
    before = weights(whole).clone()
    losses = whole.fit(data).column("loss")
    assert parts.fit(data).column("loss") == pytest.approx(losses, rel=1e-5)
    # Adam makes whole steps of gradients that are only rounding, so single weights may differ.
    moved, apart = weights(whole) - before, weights(parts) - weights(whole)
    assert apart.norm() < 1e-3 * moved.norm()


def test_the_teacher_stays_frozen_and_in_evaluation_mode():
    teacher = model(2, dropout=0.5)
    before = [parameter.clone() for parameter in teacher.parameters()]
    run = DistillationTrainer(
        model(1, dropout=0.1), teacher.train(), CombinedObjective(), config=CONFIG
    )
    run.fit(blocks())
    run.teacher.train()
    assert not teacher.training
    for parameter, old in zip(teacher.parameters(), before, strict=True):
        assert torch.equal(parameter, old)
        assert parameter.grad is None
        assert not parameter.requires_grad


def test_training_without_a_teacher_needs_lambda_zero():
    run = trainer(lam=0.0, teacher=False)
    history = run.fit(blocks())
    assert history.column("kd_loss") == [None] * 6
    assert history.column("loss") == history.column("lm_loss")
    with pytest.raises(ValueError, match=r"no teacher, but the objective has lam=0\.5"):
        trainer(lam=0.5, teacher=False)


def test_a_student_comes_to_resemble_its_teacher():
    teacher = model(2)
    with torch.no_grad():
        for parameter in teacher.parameters():
            parameter.mul_(3)  # sure of itself, so that there is something to learn
    objective = CombinedObjective(lam=1.0, form="convex")
    config = TrainConfig(steps=60, batch_size=8, device="cpu")
    run = DistillationTrainer(model(1), teacher, objective, config=config)
    before = evaluate(run.student, blocks(), teacher)
    run.fit(blocks())
    after = evaluate(run.student, blocks(), teacher)
    assert after.kl_to_teacher < 0.5 * before.kl_to_teacher
    assert after.agreement_top1 > before.agreement_top1


def test_evaluation_comes_on_time_and_at_the_end(tmp_path):
    config = TrainConfig(steps=5, batch_size=4, eval_every=2, device="cpu")
    history = trainer(config, out=tmp_path).fit(blocks(), blocks(seed=1))
    assert history.column("step", of="eval") == [2, 4, 5]
    assert all(value > 0 for value in history.column("kl_to_teacher", of="eval"))


def test_metrics_are_written_as_they_come(tmp_path):
    history = trainer(out=tmp_path).fit(blocks())
    assert without_times(History.read(tmp_path / "metrics.jsonl")) == without_times(history)
    assert [json.loads(line)["kind"] for line in (tmp_path / "metrics.jsonl").open()] == [
        "train"
    ] * 6


def test_a_run_goes_on_from_its_checkpoint_bit_for_bit(tmp_path):
    config = TrainConfig(steps=7, batch_size=4, eval_every=3, checkpoint_every=2, device="cpu")
    whole = trainer(config, schedule=LinearLambda(1.0, 0.0, steps=7))
    whole.fit(blocks(), blocks(seed=1))

    class Stop(Exception):
        pass

    class Breaks(list):
        def __getitem__(self, index):
            if first.step == 5:
                raise Stop
            return super().__getitem__(index)

    data = Breaks(blocks())
    first = trainer(config, schedule=LinearLambda(1.0, 0.0, steps=7), out=tmp_path)
    with pytest.raises(Stop):
        first.fit(data, blocks(seed=1))
    second = trainer(config, schedule=LinearLambda(1.0, 0.0, steps=7), out=tmp_path)
    second.fit(blocks(), blocks(seed=1), resume=True)
    assert without_times(second.history) == without_times(whole.history)
    assert torch.equal(weights(second), weights(whole))


def test_the_checkpoint_of_another_run_is_refused(tmp_path):
    config = TrainConfig(steps=4, batch_size=4, checkpoint_every=2, device="cpu")
    trainer(config, out=tmp_path).fit(blocks())
    other = TrainConfig(steps=4, batch_size=4, checkpoint_every=2, learning_rate=1e-4, device="cpu")
    with pytest.raises(ValueError, match=r"learning_rate 0\.002, but this one has 0\.0001"):
        trainer(other, out=tmp_path).fit(blocks(), resume=True)
    reverse = CombinedObjective("reverse_kl", lam=0.5, temperature=2.0)
    other = DistillationTrainer(model(1), model(2), reverse, config=config, out=tmp_path)
    with pytest.raises(ValueError, match="divergence forward_kl, but this one has reverse_kl"):
        other.fit(blocks(), resume=True)


def test_a_checkpoint_knows_the_options_of_a_divergence_and_not_where_it_is_in_memory(tmp_path):
    config = TrainConfig(steps=4, batch_size=4, checkpoint_every=2, device="cpu")

    def mixing(beta):
        objective = CombinedObjective(partial(jensen_shannon, beta=beta), lam=0.5)
        return DistillationTrainer(model(1), model(2), objective, config=config, out=tmp_path)

    mixing(0.1).fit(blocks())
    first, other = r"jensen_shannon\(beta=0\.1\)", r"jensen_shannon\(beta=0\.9\)"
    with pytest.raises(ValueError, match=f"divergence {first}, but this one has {other};"):
        mixing(0.9).fit(blocks(), resume=True)
    assert len(mixing(0.1).fit(blocks(), resume=True).train) == 4


def test_the_cpu_is_used_where_it_is_asked_for_whatever_was_used_before(monkeypatch):
    PartialState(cpu=True)
    monkeypatch.setitem(PartialState._shared_state, "device", torch.device("meta"))
    assert PartialState().device.type == "meta"  # as if it had been elsewhere
    assert resolve_device("cpu").type == "cpu"
    run = trainer()
    run.fit(blocks())
    assert run.accelerator.device.type == "cpu"
    assert PartialState().device.type == "meta"


def test_resuming_without_a_folder_is_refused():
    with pytest.raises(ValueError, match="resume=True needs the folder"):
        trainer().fit(blocks(), resume=True)


def test_ctrl_c_ends_after_the_step_and_the_run_can_go_on(tmp_path):
    class Interrupting(list):
        def __getitem__(self, index):
            if run.step == 2 and not self.interrupted:  # while the third batch is read
                self.interrupted = True
                os.kill(os.getpid(), signal.SIGINT)
            return super().__getitem__(index)

    assert threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT)
    data = Interrupting(blocks())
    data.interrupted = False
    run = trainer(out=tmp_path)
    with pytest.raises(KeyboardInterrupt, match=r"stopped after step 3 of 6; .*resume=True"):
        run.fit(data)
    resumed = trainer(out=tmp_path)
    assert without_times(resumed.fit(blocks(), resume=True)) == without_times(
        trainer().fit(blocks())
    )
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.parametrize("at", ["_evaluate", "save_checkpoint"])
def test_ctrl_c_after_the_last_step_is_heard_too(tmp_path, monkeypatch, at):
    """Otherwise a loop over runs, such as a sweep, would go on to the next one."""
    run = trainer(replace(CONFIG, checkpoint_every=6), out=tmp_path)
    place = run if at == "_evaluate" else kdlab.trainer
    inner = getattr(place, at)

    def interrupting(*arguments):
        monkeypatch.undo()
        os.kill(os.getpid(), signal.SIGINT)
        return inner(*arguments)

    monkeypatch.setattr(place, at, interrupting)
    with pytest.raises(KeyboardInterrupt, match=r"stopped after step 6 of 6; .*resume=True"):
        run.fit(blocks(), blocks(4, seed=1))
    resumed = trainer(out=tmp_path).fit(blocks(), blocks(4, seed=1), resume=True)
    assert without_times(resumed) == without_times(trainer().fit(blocks(), blocks(4, seed=1)))


@pytest.mark.parametrize("breaks", [False, True])
def test_after_a_run_the_objective_has_its_own_lam_again(breaks):
    """A further run without a schedule took the last λ of the one before for the objective's."""
    run = trainer(lam=0.5, schedule=LinearLambda(1.0, 0.0, steps=6))
    if breaks:
        with torch.no_grad():
            run.student.norm.weight.fill_(math.inf)
        with pytest.raises(FloatingPointError, match=r"the loss of step 1 is nan .*λ 1\.0"):
            run.fit(blocks())
    else:
        assert run.fit(blocks()).column("lam")[0] == 1.0
    assert run.objective.lam == 0.5


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_batch(tmp_path):
    run = trainer(out=tmp_path)
    with torch.no_grad():
        run.student.norm.weight.fill_(math.inf)
    with pytest.raises(FloatingPointError, match=r"the loss of step 1 is nan .*bad-batch-1\.pt"):
        run.fit(blocks())
    (batch,) = torch.load(tmp_path / "bad-batch-1.pt")
    assert batch["input_ids"].shape == (4, 10)


def test_bf16_autocast_trains_about_as_well():
    plain = trainer(TrainConfig(steps=20, batch_size=8, device="cpu")).fit(blocks())
    mixed = trainer(TrainConfig(steps=20, batch_size=8, mixed_precision="bf16", device="cpu")).fit(
        blocks()
    )
    assert mixed.column("loss") != plain.column("loss")
    assert mixed.column("loss")[-1] == pytest.approx(plain.column("loss")[-1], rel=0.05)


def test_two_precisions_can_follow_each_other_in_one_process():
    for precision in ("no", "bf16", "no"):
        run = trainer(TrainConfig(steps=1, batch_size=4, mixed_precision=precision, device="cpu"))
        run.fit(blocks())
        assert run.accelerator.mixed_precision == precision


def test_data_and_configurations_that_cannot_work_are_refused():
    with pytest.raises(ValueError, match="3 sequences do not fill a batch of 4"):
        trainer().fit(blocks(3))
    with pytest.raises(ValueError, match="batch_size 4 must be a multiple of accumulation 3"):
        TrainConfig(batch_size=4, accumulation=3)
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        TrainConfig(steps=0)


@pytest.mark.parametrize("by_environment", [False, True])
def test_accelerate_is_not_left_to_divide_gradients(monkeypatch, by_environment):
    if by_environment:
        monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "2")
    options = {} if by_environment else {"gradient_accumulation_steps": 2}
    with pytest.raises(ValueError, match="gradient_accumulation_steps is 2, by which"):
        trainer(accelerator_options=options).fit(blocks())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cpu": True}, 'TrainConfig(device="cpu")'),
        ({"mixed_precision": "bf16"}, "mixed_precision="),
    ],
)
def test_accelerate_is_told_device_and_precision_by_the_config(options, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        trainer(accelerator_options=options)


@pytest.mark.filterwarnings("ignore")  # FSDP 1 is deprecated, and needs no process beside this one
def test_a_student_in_pieces_of_fsdp_1_is_refused(tmp_path):
    """On several processes, they waited for each other for ever."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/here", rank=0, world_size=1)
    try:
        student = FullyShardedDataParallel(model(1), device_id=torch.device("cpu"))
        run = DistillationTrainer(student, model(2), CombinedObjective(), config=CONFIG)
        with pytest.raises(ValueError, match="in pieces of FSDP 1"):
            run.fit(blocks())
    finally:
        dist.destroy_process_group()


def test_a_live_teacher_gives_no_gradient():
    teacher = LiveTeacher(model(2))
    assert not teacher(torch.zeros(1, 3, dtype=torch.long)).requires_grad


def hugging_face(kind, seed):
    """A tiny causal language model of the architecture, with random weights."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(seed)
    shape = {
        "vocab_size": 30,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32,
    }
    config = {
        "llama": transformers.LlamaConfig,
        "qwen": transformers.Qwen3Config,
        "gemma": transformers.Gemma2Config,
    }[kind](**shape, pad_token_id=0, **({"head_dim": 8} if kind != "llama" else {}))
    return transformers.AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize(
    ("student", "teacher", "linear"),
    [
        ("llama", "llama", True),
        ("qwen", "llama", True),
        ("gemma", "qwen", False),  # Gemma 2 caps its logits: they are no product of a head
    ],
)
def test_hugging_face_models_are_trained_as_they_are(student, teacher, linear):
    def fit(config):
        models = hugging_face(student, 1), hugging_face(teacher, 2)
        run = DistillationTrainer(*models, CombinedObjective(lam=0.5), config=config)
        return run, run.fit(blocks(), blocks(seed=1))

    config = replace(CONFIG, steps=24)
    run, history = fit(config)
    assert (run.path == "linear") == linear, run.path
    _, dense = fit(replace(config, linear_objective=False))
    assert history.column("loss") == pytest.approx(dense.column("loss"), rel=1e-3)
    assert history.column("kl_to_teacher", of="eval")[0] > 0
    assert history.column("loss")[-1] < history.column("loss")[0]


def test_a_padded_batch_of_hugging_face_models_is_masked():
    """Left padding changes nothing for the tokens that follow it, if the mask is passed on."""
    data = blocks()
    padded = []
    for item in data:
        ids = torch.cat([torch.zeros(4, dtype=torch.long), item["input_ids"]])
        mask = torch.cat([torch.zeros(4, dtype=torch.long), torch.ones(10, dtype=torch.long)])
        labels = torch.where(mask.bool(), ids, -100)
        labels[4] = -100  # it has no token before it in the plain batch
        padded.append({"input_ids": ids, "attention_mask": mask, "labels": labels})

    def losses(data):
        models = hugging_face("llama", 1), hugging_face("llama", 2)
        config = replace(CONFIG, steps=2)
        return DistillationTrainer(*models, CombinedObjective(), config=config).fit(data)

    plain, with_padding = losses(data), losses(padded)
    assert with_padding.column("num_items") == plain.column("num_items")
    # Positions are rotary: what is four places later is as far from its neighbours.
    assert with_padding.column("loss") == pytest.approx(plain.column("loss"), rel=1e-3)


def test_a_custom_divergence_trains_through_the_dense_objective():
    def squared(student_logits, teacher_logits, *, temperature=1.0):
        return (student_logits.softmax(-1) - teacher_logits.softmax(-1)).square().sum(-1)

    run = DistillationTrainer(model(1), model(2), CombinedObjective(squared), config=CONFIG)
    run.fit(blocks())
    assert run.path.startswith("dense: squared has no closed-form gradient")


def test_reacting_schedules_are_told_what_they_watch():
    config = replace(CONFIG, steps=8, eval_every=1)
    plateau = trainer(config, schedule=PlateauLambda(1.0, patience=0, threshold=1e9))
    lam = plateau.fit(blocks(), blocks(seed=1)).column("lam")
    assert lam == [1.0, 1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625]
    ratio = trainer(replace(CONFIG, steps=8), schedule=RatioLambda(0.5, momentum=0.0, maximum=1e9))
    history = ratio.fit(blocks())
    for before, after in itertools.pairwise(history.train):
        assert after["lam"] == pytest.approx(0.5 * before["lm_loss"] / before["kd_loss"])


def test_a_plateau_without_evaluations_is_refused():
    with pytest.raises(ValueError, match="PlateauLambda reacts to the student's gap"):
        trainer(schedule=PlateauLambda()).fit(blocks(), blocks(seed=1))
