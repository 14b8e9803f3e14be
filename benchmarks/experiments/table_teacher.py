"""The setting of pages 2.1 and 3.1: a table of bytes teaches a transformer. No experiment itself.

Tokens are bytes. The teacher is a table that says how often each byte followed each; the student is
a small transformer, which sees up to 47 bytes back. The pages show the same functions; a test holds
the two together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kdlab import (
    CombinedObjective,
    DistillationTrainer,
    PackedDataset,
    TinyGPT,
    TrainConfig,
    load_corpus,
    make_schedule,
    train_tokenizer,
)

V, BLOCK_SIZE = 257, 48  # 256 bytes and the end of text; tokens in a block
WEAK = 200  # the weak teacher has counted one byte in so many


@dataclass(frozen=True)
class Student:
    """What one student learns from.

    Args:
        lam: the constant λ; None is the teacher alone.
        schedule: by which λ moves instead, with its options.
        blocks: about how many blocks of text it has, spread evenly over the corpus; None is all.
        counted: one in so many bytes of the corpus is what the teacher has counted.
        steps, batch_size, eval_every: of the run.
    """

    lam: float | None = 1.0
    schedule: str | None = None
    options: dict[str, float] = field(default_factory=dict)
    blocks: int | None = None
    counted: int = WEAK
    steps: int = 200
    batch_size: int = 16
    eval_every: int = 25


def bigram_table(tokens: Tensor) -> nn.Embedding:
    """How often each followed each, and a little of how often it came."""
    pairs = tokens[:-1] * V + tokens[1:]
    followed = torch.bincount(pairs, minlength=V * V).view(V, V)
    came = torch.bincount(tokens, minlength=V) + 0.5
    p = followed + 10 * came / came.sum()
    return nn.Embedding(V, V, _weight=(p / p.sum(-1, keepdim=True)).log())


@cache
def texts() -> tuple[PackedDataset, list[dict[str, Tensor]]]:
    """What is trained on, and 51 blocks that are held out."""
    corpus = load_corpus("pydocs")
    tokenizer = train_tokenizer(corpus, vocab_size=V)
    train, held_out = (
        PackedDataset(split, tokenizer, block_size=BLOCK_SIZE)
        for split in (corpus.train, corpus.validation)
    )
    return train, [held_out[i] for i in range(0, len(held_out), len(held_out) // 50)]


def run(spec: Student, seed: int, folder: Path) -> dict[str, Any]:
    """Train one student, and measure it on held-out text at each evaluation."""
    train, held_out = texts()
    tokens = train.blocks.flatten()
    teacher = bigram_table(tokens[: len(tokens) // spec.counted])
    data = train
    if spec.blocks is not None:
        data = [train[i] for i in range(0, len(train), len(train) // spec.blocks)]

    torch.manual_seed(seed)
    student = TinyGPT("tiny-student", vocab_size=V, block_size=BLOCK_SIZE)
    schedule = None
    if spec.schedule is not None:
        schedule = make_schedule(spec.schedule, **spec.options)
        objective = CombinedObjective(lam=schedule.value)
    elif spec.lam is None:
        objective = CombinedObjective(lam=1.0, form="convex")
    else:
        objective = CombinedObjective(lam=spec.lam)
    config = TrainConfig(
        steps=spec.steps,
        batch_size=spec.batch_size,
        learning_rate=4e-3,
        eval_every=spec.eval_every,
        seed=seed,
        device="cpu",
    )
    trainer = DistillationTrainer(student, teacher, objective, schedule, config)
    history = trainer.fit(data, held_out)
    lams = {record["step"]: record["lam"] for record in history.train}
    curve = {name: history.column(name, of="eval") for name in ("step", "lm_loss", "kl_to_teacher")}
    curve["lam"] = [lams[step] for step in curve["step"]]
    end = history.eval[-1]
    teacher_lm_loss = math.log(end["teacher_perplexity"])
    final = {
        "lm_loss": end["lm_loss"],
        "perplexity": end["perplexity"],
        "teacher_lm_loss": teacher_lm_loss,
        "gap": end["lm_loss"] - teacher_lm_loss,
        "kl_to_teacher": end["kl_to_teacher"],
        "best_lm_loss": min(curve["lm_loss"]),
    }
    return {"final": final, "curve": curve}
