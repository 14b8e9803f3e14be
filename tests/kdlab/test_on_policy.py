"""Steps on text that the student writes: KD loss alone, on its own tokens alone."""

from dataclasses import replace

import pytest
import torch
from torch.utils.data import ConcatDataset, Subset

from kdlab import (
    CombinedObjective,
    ConstantLambda,
    DistillationTrainer,
    LinearCombinedObjective,
    RatioLambda,
    TinyGPT,
    TopKTeacher,
    TrainConfig,
    reverse_kl,
    write_topk_store,
)

CONFIG = TrainConfig(
    steps=6, batch_size=4, warmup_steps=2, device="cpu", on_policy=1.0, prompt_tokens=3
)


def blocks(n=24):
    ids = torch.randint(0, 30, (n, 10), generator=torch.Generator().manual_seed(0))
    return [{"input_ids": row, "labels": row} for row in ids]


def model(seed):
    torch.manual_seed(seed)
    return TinyGPT("tiny-student", vocab_size=30, block_size=10)


def trainer(config=CONFIG, lam=0.5, teacher_seed=2, schedule=None, form="additive", **options):
    objective = CombinedObjective("reverse_kl", lam=lam, form=form)
    return DistillationTrainer(
        model(1), model(teacher_seed), objective, schedule, config, **options
    )


def weights(trainer):
    return torch.cat([parameter.detach().flatten() for parameter in trainer.student.parameters()])


@pytest.mark.parametrize("form", ["additive", "convex"])
@pytest.mark.parametrize("linear_objective", [True, False])
def test_the_loss_is_lambda_times_the_divergence_on_what_the_student_wrote(linear_objective, form):
    config = replace(CONFIG, steps=1, linear_objective=linear_objective)
    ours, texts = trainer(config, form=form), []
    ours.teacher.model.token_embedding.register_forward_hook(
        lambda module, inputs, output: texts.append(inputs[0])
    )
    (record,) = ours.fit(blocks()).train
    text = texts[-1]
    starts = {tuple(block["input_ids"][:3].tolist()) for block in blocks()}
    assert text.shape == (4, 10)
    assert all(tuple(row[:3].tolist()) in starts for row in text)
    with torch.no_grad():
        q, p = model(1)(text), model(2)(text)
    expected = reverse_kl(q, p)[:, 2:-1].mean().item()  # position 2 predicts the first own token
    assert record["num_items"] == 4 * 7
    assert record["lm_loss"] is None
    assert record["kd_loss"] == pytest.approx(expected, rel=1e-4)
    assert record["loss"] == pytest.approx(0.5 * expected, rel=1e-4)


@pytest.mark.parametrize("lam", [0.5, 2.0])
def test_an_objective_from_hidden_states_stays_as_it_was(lam):
    """Its twin is the objective itself, and a step on the student's own text needs another form."""
    config = replace(CONFIG, on_policy=0.5)
    objective = LinearCombinedObjective("reverse_kl", lam=lam)
    found = DistillationTrainer(model(1), model(2), objective, config=config).fit(blocks())
    assert objective.form == "additive"
    expected = trainer(config, lam=lam).fit(blocks())
    assert found.column("lam") == expected.column("lam")
    assert found.column("loss") == pytest.approx(expected.column("loss"))


def test_own_words_are_no_labels():
    """A student that equals its teacher has no gradient on them; on labels it has."""
    config = replace(CONFIG, weight_decay=0.0)
    own, data = (trainer(replace(config, on_policy=share), teacher_seed=1) for share in (1.0, 0.0))
    before = weights(own).clone()
    for run in (own, data):
        run.fit(blocks())
    assert (weights(own) - before).norm() < 1e-2 * (weights(data) - before).norm()


@pytest.mark.parametrize("linear_objective", [True, False])
def test_a_student_writes_only_what_its_teacher_has_an_entry_for(linear_objective):
    """Its own vocabulary is padded to three times that of the teacher."""
    torch.manual_seed(1)
    student = TinyGPT("tiny-student", vocab_size=90, block_size=10)
    objective = CombinedObjective(lam=0.5, match_vocab="truncate")
    config = replace(CONFIG, steps=2, linear_objective=linear_objective)
    history = DistillationTrainer(student, model(2), objective, None, config).fit(blocks())
    assert history.column("num_items") == [4 * 7] * 2


@pytest.mark.slow
@pytest.mark.parametrize("accumulation", [1, 2])
def test_the_share_of_steps_is_kept_and_their_choice_is_the_seeds(accumulation):
    config = replace(CONFIG, steps=60, on_policy=0.3, batch_size=2, accumulation=accumulation)
    first, second = (trainer(config).fit(blocks()).column("lm_loss") for _ in range(2))
    assert first == second
    assert 8 <= first.count(None) <= 30  # 18 are expected; five deviations are 18
    other = trainer(replace(config, seed=1)).fit(blocks()).column("lm_loss")
    assert [x is None for x in other] != [x is None for x in first]


def test_a_run_goes_on_bit_for_bit(tmp_path):
    config = replace(CONFIG, steps=8, on_policy=0.5, checkpoint_every=3)
    whole = trainer(config).fit(blocks())
    stopped = trainer(config, out=tmp_path)
    step = stopped._train_step

    def fall(*arguments):
        if stopped.step == 5:
            raise RuntimeError("the lights went out")
        return step(*arguments)

    stopped._train_step = fall
    with pytest.raises(RuntimeError, match="lights"):
        stopped.fit(blocks())
    again = trainer(config, out=tmp_path).fit(blocks(), resume=True)
    for name in ("loss", "lm_loss", "kd_loss", "lam"):
        assert again.column(name) == whole.column(name)


@pytest.mark.slow
def test_on_its_own_text_a_student_comes_to_resemble_its_teacher():
    config = replace(CONFIG, steps=150, batch_size=8, learning_rate=5e-3)
    kd = trainer(config, lam=1.0).fit(blocks()).column("kd_loss")
    assert sum(kd[-10:]) < 0.5 * sum(kd[:10])


def test_what_does_not_go_together_is_refused(tmp_path):
    write_topk_store(model(2), blocks(), tmp_path / "teacher.topk", 4)
    objective = CombinedObjective(lam=0.5)
    for teacher, schedule, config, message in (
        (TopKTeacher(tmp_path / "teacher.topk", blocks()), None, CONFIG, "live teacher"),
        (model(2), RatioLambda(0.5), CONFIG, "RatioLambda compares both losses"),
        (model(2), ConstantLambda(0.5), replace(CONFIG, prompt_tokens=10), "prompt_tokens 10"),
    ):
        run = DistillationTrainer(model(1), teacher, objective, schedule, config)
        with pytest.raises(ValueError, match=message):
            run.fit(blocks())
    with pytest.raises(ValueError, match="live teacher"):
        DistillationTrainer(model(1), None, CombinedObjective(lam=0.0), None, CONFIG).fit(blocks())
    for field, message in (
        ("token_type_ids", "the data has 'token_type_ids' of the old ones"),
        ("position_ids", "give the rows as they were before they were packed"),
    ):
        data = [block | {field: torch.arange(10) % 5} for block in blocks()]
        with pytest.raises(ValueError, match=message):
            trainer().fit(data)
    for wrong in ({"on_policy": 1.5}, {"on_policy": -0.1}, {"prompt_tokens": 0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            TrainConfig(**wrong)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padded_rows_give_their_own_prompts_and_padding_never_counts(side):
    """Rows of 5 and 8 tokens, padded to 10: the student goes on to 10 after 3 of their own."""
    data = []
    for i, block in enumerate(blocks()):
        ids, n = block["input_ids"], 5 + 3 * (i % 2)
        pad = (10 - n, 0) if side == "left" else (0, 10 - n)
        mask = torch.nn.functional.pad(torch.ones(n, dtype=torch.long), pad)
        ids = torch.nn.functional.pad(ids[:n], pad, value=29)
        labels = ids.masked_fill(mask == 0, -100)
        data.append({"input_ids": ids, "labels": labels, "attention_mask": mask})
    ours, texts = trainer(replace(CONFIG, steps=1, linear_objective=False)), []
    ours.teacher.model.token_embedding.register_forward_hook(
        lambda module, inputs, output: texts.append(inputs[0])
    )
    (record,) = ours.fit(data).train
    starts = {tuple(block["input_ids"][:3].tolist()) for block in blocks()}
    assert all(tuple(row[:3].tolist()) in starts for row in texts[-1])
    assert record["num_items"] == 4 * 7


def always_ending():
    """A student that always ends at once, with token 5."""
    student = model(1)
    bias = torch.zeros(30)
    bias[5] = 1e4
    student.lm_head.bias = torch.nn.Parameter(bias)
    return student


def positions(student, data, **changes):
    """What counts in one step on what the student writes."""
    config = replace(CONFIG, steps=1, **changes)
    run = DistillationTrainer(student, model(2), CombinedObjective("reverse_kl"), config=config)
    return run.fit(data).train[0]["num_items"]


def test_nothing_counts_after_the_end_of_a_text():
    """The end itself is one position a row to learn from."""
    assert positions(always_ending(), blocks(), end_of_text=5) == 4
    assert positions(model(1), blocks()) == 4 * 7


def test_the_ends_of_a_data_set_are_known_in_a_part_of_it_and_beside_others():
    class Chats(list):
        end_ids = (5,)

    chats = Chats(blocks())
    for data in (chats, Subset(chats, range(4)), ConcatDataset([blocks(4), Subset(chats, [0])])):
        assert positions(always_ending(), data) == 4


def test_a_student_of_one_s_own_writes_texts_as_long_as_the_data_has_them():
    """Nothing but an error tells how many tokens it reads."""

    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model(1)

        def forward(self, input_ids, attention_mask=None, position_ids=None):
            return self.model(input_ids, None, attention_mask, position_ids)

    texts = [block["input_ids"][: 4 + i % 5] for i, block in enumerate(blocks())]
    data = [{"input_ids": ids, "labels": ids} for ids in texts]
    for changes in ({}, {"prompt_tokens": None}, {"new_tokens": 2}):
        assert positions(Own(), data, **changes) == positions(model(1), data, **changes)
