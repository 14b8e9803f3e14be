"""Lab 4.7 with a pretrained teacher: SmolLM2-135M-Instruct and students made of its layers.

The teacher is asked the lab's questions as it is; then its last layers are fine-tuned on answers
that no student is told, and it is asked again. Its 64 likeliest tokens after every token of the
students' conversations go into a file, once. A student is every tenth of its layers, three in all,
before the fine-tuning. Vocabularies are cut to their first 8,192 tokens, which spell the questions.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch.nn as nn

from benchmarks.experiments import assistant
from benchmarks.experiments.pretrained import FEW, MODEL, K, unpack
from kdlab import (
    ChatDataset,
    CombinedObjective,
    Conversation,
    DistillationTrainer,
    Sweep,
    TopKTeacher,
    TrainConfig,
    count_parameters,
    evaluate,
    evaluate_answers,
    every_nth_layer,
    write_topk_store,
)
from kdlab.files import write_atomically
from kdlab.pretrained import load_both

FOLDER = Path("runs", "experiments", "assistant_pretrained")
STORE, FACTS = FOLDER / "teacher.topk", FOLDER / "teacher.json"
QUESTIONS = assistant.Assistant.questions  # that are drawn: the lab's own
TOLD, HELD_OUT = 300, 120  # of them, so many as can be afforded
SYSTEM = "Answer with one number."
LAST = 6  # layers of the teacher that are fine-tuned
TEACHER_STEPS, TEACHER_RATE = 60, 2e-4
NEW_TOKENS = 6  # an answer has at most four digits and its end
AT_LENGTH = 64  # tokens for the teacher as it is, which explains before it answers


@dataclass(frozen=True)
class Student:
    """What one student learns from: λ = 0 is the answers alone, None the teacher alone."""

    lam: float | None
    answers: int = 240
    steps: int = 80
    batch_size: int = 8
    learning_rate: float = 1e-3
    every: int = 10  # layer of the teacher


def asked(conversation: Conversation) -> Conversation:
    """The question under a system message that says what is wanted."""
    system = {"role": "system", "content": SYSTEM}
    return replace(conversation, messages=(system, *conversation.messages))


@cache
def pretrained() -> tuple[nn.Module, Any]:
    """SmolLM2 and its tokenizer, over the first tokens."""
    return load_both(MODEL.as_posix(), FEW)


@cache
def parts() -> dict[str, list[Conversation]]:
    """What students are told, what the teacher is told, and what is held out."""
    found = assistant.questions(QUESTIONS)
    return {
        "told": [asked(each) for each in found.told[:TOLD]],
        "elsewhere": [asked(each) for each in found.elsewhere],
        "held_out": [asked(each) for each in found.held_out[:HELD_OUT]],
    }


def answers_of(model: nn.Module, **how: Any) -> Any:
    """What a model answers to the held-out questions."""
    how = {"new_tokens": NEW_TOKENS, "batch_size": 24} | how
    return evaluate_answers(model, parts()["held_out"], pretrained()[1], **how)


def ends_right(conversation: Conversation, said: str) -> bool:
    """Whether the last number that was said is the right one, whatever stands around it."""
    numbers = re.findall(r"\d+", said.replace(",", ""))
    return numbers[-1:] == [conversation.answer]


def shown() -> list[int]:
    """Of each kind of question, the first that is held out."""
    kinds = [each.kind for each in parts()["held_out"]]
    return [kinds.index(kind) for kind in assistant.KINDS]


def fit(
    model: nn.Module,
    data: Any,
    objective: CombinedObjective,
    source: Any,
    out: Path | None = None,
    **how: Any,
) -> None:
    """Train, which changes the model; in a folder, a run that was cut off goes on."""
    config = TrainConfig(warmup_steps=10, device="cpu", **how)
    trainer = DistillationTrainer(model, source, objective, config=config, out=out)
    trainer.fit(data, resume=out is not None)


def prepare(sweep: Sweep) -> None:
    """The teacher, asked, fine-tuned, asked again; and its answers in a file."""
    if not (MODEL / "config.json").exists():
        unpack()
    FOLDER.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = json.loads(FACTS.read_text("utf-8")) if FACTS.exists() else {}
    if "bytes" in facts:
        return
    teacher, tokenizer = pretrained()
    if not facts:
        facts["params"] = count_parameters(teacher)
        facts["as_it_is"] = _told(answers_of(teacher, new_tokens=AT_LENGTH, right=ends_right))
        write_atomically(FACTS, json.dumps(facts, ensure_ascii=False))
    teacher.requires_grad_(False)
    for layer in teacher.model.layers[-LAST:]:
        layer.requires_grad_(True)
    data = ChatDataset(parts()["elsewhere"], tokenizer)
    how = {"steps": TEACHER_STEPS, "batch_size": 16, "learning_rate": TEACHER_RATE}
    out = FOLDER / "fine-tuning"
    fit(teacher, data, CombinedObjective(lam=0.0), None, out, checkpoint_every=20, **how)
    facts["trained"] = sum(p.numel() for p in teacher.parameters() if p.requires_grad)
    facts["fine_tuned"] = _told(answers_of(teacher))
    told = ChatDataset(parts()["told"], tokenizer)
    write_topk_store(teacher, told, STORE, K)
    facts["tokens"], facts["bytes"] = told.report.tokens, STORE.stat().st_size
    write_atomically(FACTS, json.dumps(facts, ensure_ascii=False))
    pretrained.cache_clear()  # students begin as it was before


def _told(found: Any) -> dict[str, Any]:
    """Accuracy and some answers, as a record has them."""
    return {
        "accuracy": found.accuracy,
        "ended": found.ended,
        **{f"accuracy_{kind}": share for kind, share in found.by_kind.items()},
        "writes": [found.answers[i].text for i in shown()],
    }


def run(spec: Student, seed: int, folder: Path) -> dict[str, Any]:
    """Fine-tune one student, and let it answer the questions that were held out."""
    model, tokenizer = pretrained()
    told = random.Random(seed).sample(parts()["told"], spec.answers)
    data = ChatDataset(told, tokenizer)
    student = every_nth_layer(model, spec.every)
    final: dict[str, Any] = {}
    if seed == 0:
        final["writes_before"] = [answers_of(student).answers[i].text for i in shown()]
    convex = {"form": "convex"} if spec.lam is None else {}
    objective = CombinedObjective(lam=1.0 if spec.lam is None else spec.lam, **convex)
    source = None if spec.lam == 0 else TopKTeacher(STORE, data)
    how = {"steps": spec.steps, "batch_size": spec.batch_size, "learning_rate": spec.learning_rate}
    fit(student, data, objective, source, seed=seed, **how)
    found = answers_of(student)
    final |= _told(found)
    final["lm_loss"] = evaluate(student, ChatDataset(parts()["held_out"], tokenizer)).lm_loss
    final["student_params"] = count_parameters(student)
    if seed == 0:
        held_out = parts()["held_out"]
        final["asked"] = [held_out[i].messages[1]["content"] for i in shown()]
        final["right"] = [held_out[i].answer for i in shown()]
        final["teacher"] = json.loads(FACTS.read_text(encoding="utf-8"))
    else:
        del final["writes"]
    return {"final": final, "curve": {}}


SWEEP = Sweep(
    "assistant_pretrained",
    {"labels": Student(0.0), "teacher": Student(None)},
    seeds=1,
    prepare=prepare,
    run=run,
)
