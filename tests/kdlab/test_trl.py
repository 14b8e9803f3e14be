"""Beside TRL, on the same pair and conversations: the same loss where it means the same."""

from functools import partial

import pytest
import torch

from kdlab import (
    ChatDataset,
    CombinedObjective,
    DistillationTrainer,
    TrainConfig,
    collate,
    jensen_shannon,
    reckoning,
    train_chat_tokenizer,
)
from kdlab.optimizers import adamw

trl = pytest.importorskip("trl", reason="needs TRL: pip install 'trl>=1.16,<1.17'")
transformers = pytest.importorskip("transformers")
datasets = pytest.importorskip("datasets")

# TRL's own: what it names experimental, and options that transformers renamed.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

CONVERSATIONS = reckoning(200).conversations[:4]  # of one turn: GKD learns the last one alone
OURS = {"steps": 1, "batch_size": 4, "device": "cpu"}
THEIRS = {
    "per_device_train_batch_size": 4,
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "report_to": [],
    "save_strategy": "no",
    "max_steps": 1,
}


@pytest.fixture(scope="module")
def tokenizer():
    return train_chat_tokenizer(reckoning(200), 400)


def model(tokenizer, seed, **changes):
    torch.manual_seed(seed)
    shape = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2}
    shape |= {"num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": len(tokenizer)}
    config = transformers.LlamaConfig(
        **shape | changes,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    made = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        made.lm_head.weight.mul_(30)  # far from uniform, so that a slip shows
    return made


def ours(tokenizer, rows, divergence):
    """The KD loss of our trainer's first step."""
    objective = CombinedObjective(divergence, lam=1.0, form="convex")
    config = TrainConfig(**OURS)
    run = DistillationTrainer(model(tokenizer, 0), model(tokenizer, 1), objective, config=config)
    return run.fit(rows).train[0]


@pytest.mark.parametrize(("beta", "divergence"), [(0.0, "forward_kl"), (1.0, "reverse_kl")])
def test_gkd_counts_the_same_tokens_and_has_the_same_loss(tokenizer, tmp_path, beta, divergence):
    from trl.experimental.gkd import GKDConfig, GKDTrainer

    rows = [{"messages": list(each.messages)} for each in CONVERSATIONS]
    options = {"lmbda": 0.0, "beta": beta, "temperature": 1.0, "output_dir": str(tmp_path)}
    student = model(tokenizer, 0)
    theirs = GKDTrainer(
        model=student,
        teacher_model=model(tokenizer, 1),
        args=GKDConfig(**THEIRS | options),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=tokenizer,
    )
    batch = theirs.data_collator(rows)
    record = ours(tokenizer, ChatDataset(CONVERSATIONS, tokenizer), divergence)
    assert record["num_items"] == (batch["labels"] != -100).sum()
    with torch.no_grad():
        loss = theirs.compute_loss(student, batch).item()
    assert record["kd_loss"] == pytest.approx(loss, rel=1e-4)
    assert record["kd_loss"] > 0.1


def test_a_run_of_gkd_has_the_same_losses_step_by_step(tokenizer, tmp_path):
    """With the same optimiser and all rows in a step, as the page on coming from TRL has it."""
    from trl.experimental.gkd import GKDConfig, GKDTrainer

    config = TrainConfig(**OURS | {"steps": 3, "warmup_steps": 1})
    student = model(tokenizer, 0)
    optimizer = adamw(student, config)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: config.learning_rate_at(step) / config.learning_rate
    )
    own = {"beta": 0.3, "temperature": 2.0, "lmbda": 0.0, "output_dir": str(tmp_path)}
    own |= {"max_steps": config.steps, "logging_steps": 1}
    theirs = GKDTrainer(
        model=student,
        teacher_model=model(tokenizer, 1),
        args=GKDConfig(**THEIRS | own),
        train_dataset=datasets.Dataset.from_list([{"messages": c.messages} for c in CONVERSATIONS]),
        processing_class=tokenizer,
        optimizers=(optimizer, rate),
    )
    theirs.train()
    expected = [record["loss"] for record in theirs.state.log_history if "loss" in record]
    divergence = partial(jensen_shannon, beta=0.3)  # at temperature 1: theirs is that of sampling
    objective = CombinedObjective(divergence, lam=1.0, form="convex")
    run = DistillationTrainer(model(tokenizer, 0), model(tokenizer, 1), objective, config=config)
    history = run.fit(ChatDataset(CONVERSATIONS, tokenizer))
    assert history.column("loss") == pytest.approx(expected, rel=1e-4)


def test_on_what_the_student_wrote_the_losses_agree(tokenizer, tmp_path):
    """Theirs writes and scores; our rows are its text, its prompts padded on the left."""
    prompts = [{"prompt": list(each.prompt)} for each in CONVERSATIONS]
    options = {"beta": 1.0, "temperature": 1.0, "max_completion_length": 8}
    student = model(tokenizer, 0)
    theirs = trl.DistillationTrainer(
        model=student,
        teacher_model=model(tokenizer, 1),
        args=trl.DistillationConfig(**THEIRS | options, output_dir=str(tmp_path)),
        train_dataset=datasets.Dataset.from_list(prompts),
        processing_class=tokenizer,
    )
    student.train()
    batch = theirs._generate_and_score_completions(prompts)
    with torch.no_grad():
        loss = theirs.compute_loss(student, batch).item()
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
    labels = ids.masked_fill(mask == 0, -100)
    labels[:, : batch["prompt_ids"].shape[1]] = -100
    rows = [
        {"input_ids": i, "attention_mask": m, "labels": own}
        for i, m, own in zip(ids, mask, labels, strict=True)
    ]
    record = ours(tokenizer, rows, "reverse_kl")
    assert record["num_items"] == batch["completion_mask"].sum()
    assert record["kd_loss"] == pytest.approx(loss, rel=1e-4)
    # The prompts are ours, token by token.
    template = ChatDataset(CONVERSATIONS, tokenizer).template
    own = collate(
        [{"input_ids": template.encode_prompt(each)} for each in CONVERSATIONS],
        labels=False,
        padding_side="left",
    )
    assert batch["prompt_mask"].equal(own["attention_mask"])
    at = own["attention_mask"].bool()
    assert batch["prompt_ids"][at].equal(own["input_ids"][at])
