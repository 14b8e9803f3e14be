"""Lab 4.6: ten losses that train and are wrong, and what each says to the test that tells it.

Page 4.6 shows the same functions; a test holds the two together. A loss takes the logits of both
models, [B, L, V], the tokens and their labels, [B, L], and returns LM and KD. Nothing is shifted:
labels[i] belongs to the token i, which logits[i - 1] predict; -100 marks what does not count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdlab import Sweep, TinyGPT, TrainConfig, evaluate, load_corpus, train_tokenizer

V, LENGTH = 257, 48  # 256 bytes and the end of text; tokens in a row, padding included
STEPS = 200
EVERY = 10  # steps that a point of a curve is the mean of
Loss = Callable[..., tuple[Tensor, Tensor]]
Batch = tuple[Tensor, Tensor, Tensor, Tensor]

# --- Right --------------------------------------------------------------------------------------


def counted(student, teacher, labels):
    """Logits and their tokens where these count: [N, V] twice, [N]."""
    student, teacher, labels = student[:, :-1], teacher[:, :-1], labels[:, 1:]
    where = labels != -100
    return student[where], teacher[where], labels[where]


def kl(log_front, log_behind):
    """KL(front‖behind) at each position."""
    return (log_front.exp() * (log_front - log_behind)).sum(-1)


def right(student, teacher, ids, labels, temperature=1.0):
    q, p, tokens = counted(student, teacher, labels)
    log_q = (q / temperature).log_softmax(-1)
    log_p = (p / temperature).log_softmax(-1)
    kd = temperature**2 * kl(log_p, log_q).mean()
    return F.cross_entropy(q, tokens), kd


def right_jsd(student, teacher, ids, labels, beta=0.1):
    q, p, tokens = counted(student, teacher, labels)
    log_q, log_p = q.log_softmax(-1), p.log_softmax(-1)
    log_m = (beta * log_p.exp() + (1 - beta) * log_q.exp()).log()
    jsd = beta * kl(log_p, log_m) + (1 - beta) * kl(log_q, log_m)
    return F.cross_entropy(q, tokens), jsd.mean()


def right_heated(student, teacher, ids, labels, temperature=4.0):
    return right(student, teacher, ids, labels, temperature)


# --- Wrong --------------------------------------------------------------------------------------


def vocabulary_mean(student, teacher, ids, labels):
    q, p, tokens = counted(student, teacher, labels)
    log_q, log_p = q.log_softmax(-1), p.log_softmax(-1)
    kd = (log_p.exp() * (log_p - log_q)).mean()
    return F.cross_entropy(q, tokens), kd


def arguments_swapped(student, teacher, ids, labels):
    q, p, tokens = counted(student, teacher, labels)
    log_q, log_p = q.log_softmax(-1), p.log_softmax(-1)
    kd = F.kl_div(log_p, log_q, reduction="batchmean", log_target=True)
    return F.cross_entropy(q, tokens), kd


def divided_by_texts(student, teacher, ids, labels):
    q, _, tokens = counted(student, teacher, labels)
    log_q, log_p = (x[:, :-1].log_softmax(-1) for x in (student, teacher))
    kd = kl(log_p, log_q).masked_fill(labels[:, 1:] == -100, 0.0)
    return F.cross_entropy(q, tokens), kd.sum() / len(kd)


def padding_counted(student, teacher, ids, labels):
    q, _, tokens = counted(student, teacher, labels)
    log_q, log_p = (x[:, :-1].log_softmax(-1) for x in (student, teacher))
    keep = (ids[:, 1:] >= 0).float()  # a marked position is -100
    kd = (kl(log_p, log_q) * keep).sum() / keep.sum()
    return F.cross_entropy(q, tokens), kd


def logarithm_missing(student, teacher, ids, labels):
    q, p, tokens = counted(student, teacher, labels)
    kd = F.kl_div(q.softmax(-1), p.softmax(-1), reduction="batchmean")
    return F.cross_entropy(q, tokens), kd


def logarithms_mixed(student, teacher, ids, labels, beta=0.1):
    q, p, tokens = counted(student, teacher, labels)
    log_q, log_p = q.log_softmax(-1), p.log_softmax(-1)
    log_m = torch.lerp(log_q, log_p, beta)
    jsd = beta * kl(log_p, log_m) + (1 - beta) * kl(log_q, log_m)
    return F.cross_entropy(q, tokens), jsd.mean()


def beta_swapped(student, teacher, ids, labels, beta=0.1):
    q, p, tokens = counted(student, teacher, labels)
    log_q, log_p = q.log_softmax(-1), p.log_softmax(-1)
    log_m = torch.lerp(log_p.exp(), log_q.exp(), beta).log()
    jsd = beta * kl(log_p, log_m) + (1 - beta) * kl(log_q, log_m)
    return F.cross_entropy(q, tokens), jsd.mean()


def shifted_twice(student, teacher, ids, labels):
    labels = F.pad(labels[:, 1:], (0, 1), value=-100)  # the collator's
    return right(student, teacher, ids, labels)  # and the loss's own


def parts_added_up(student, teacher, ids, labels):
    lm_loss = kd_loss = 0.0
    for start in range(0, len(ids), 4):
        part = (x[start : start + 4] for x in (student, teacher, ids, labels))
        lm, kd = right(*part)
        lm_loss, kd_loss = lm_loss + lm, kd_loss + kd
    return lm_loss, kd_loss


def t_squared_lost(student, teacher, ids, labels, temperature=4.0):
    q, p, tokens = counted(student, teacher, labels)
    log_q = (q / temperature).log_softmax(-1)
    log_p = (p / temperature).log_softmax(-1)
    return F.cross_entropy(q, tokens), kl(log_p, log_q).mean()


# --- The tests ----------------------------------------------------------------------------------


def itself(loss, batch):
    """KD of the teacher against itself: 0."""
    _, teacher, ids, labels = batch
    return loss(teacher, teacher, ids, labels)[1]


def twice(loss, batch):
    """KD of the batch and its copy, over KD of the batch: 1."""
    doubled = [torch.cat([x, x]) for x in batch]
    return loss(*doubled)[1] / loss(*batch)[1]


def padded(loss, batch):
    """KD with nonsense in eight columns of padding, over KD: 1."""
    student, *rest = batch
    nonsense = torch.cat([student[:, :-8], -student[:, -8:]], dim=1)
    return loss(nonsense, *rest)[1] / loss(*batch)[1]


def longer(loss, batch):
    """KD of 48 equal positions, over KD of 24 of them: 1."""

    def kd(length):
        ids = torch.zeros(len(batch[0]), length, dtype=torch.long)
        logits = (x[:, 4:5].expand(-1, length, -1) for x in batch[:2])
        return loss(*logits, ids, ids)[1]

    return kd(49) / kd(25)


def larger(loss, batch):
    """KD with V impossible tokens added, divided by KD: 1."""
    student, teacher, ids, labels = batch
    more = torch.full_like(student, -50.0)
    student, teacher = torch.cat([student, more], -1), torch.cat([teacher, more], -1)
    return loss(student, teacher, ids, labels)[1] / loss(*batch)[1]


def oracle(loss, batch):
    """LM of a student that knows the next token: 0."""
    _, teacher, ids, labels = batch
    knows = F.one_hot(ids.roll(-1, dims=1), teacher.shape[-1])
    return loss(50.0 * knows, teacher, ids, labels)[0]


def at_one_position(loss, student, teacher):
    """KD of two models, each alike everywhere, on two tokens."""
    ids = torch.zeros(4, 2, dtype=torch.long)
    logits = (F.pad(torch.tensor(x), (0, 6), value=-50.0) for x in (student, teacher))
    return loss(*(x.expand(4, 2, -1) for x in logits), ids, ids)[1]


def forgetful(loss, batch):
    """KD of a student that has forgotten one of two tokens."""
    return at_one_position(loss, [0.0, -20.0], [0.0, 0.0])


def strangers(loss, batch):
    """KD of two models that are sure of different tokens."""
    return at_one_position(loss, [0.0, -50.0], [-50.0, 0.0])


def near_zero(loss, batch):
    """KD at β = 0.001, where a JSD is nearly 0."""
    return loss(*batch, beta=0.001)[1]


def hotter(loss, batch):
    """The norm of KD's gradient at T = 8, over that at T = 4."""
    student, *rest = batch

    def norm(temperature):
        z = student.clone().requires_grad_()
        loss(z, *rest, temperature=temperature)[1].backward()
        return z.grad.norm()

    return norm(8.0) / norm(4.0)


# --- A run --------------------------------------------------------------------------------------


def rows(documents, tokenizer):
    """Ids and labels of lines of 8 to 47 bytes, padded by their end."""
    lines = {line.strip() for text in documents for line in text.splitlines()}
    lines = sorted(x for x in lines if 8 <= len(x.encode()) < LENGTH)
    end = tokenizer.token_to_id("<|endoftext|>")
    ids = torch.full((len(lines), LENGTH), end)
    labels = torch.full((len(lines), LENGTH), -100)
    for row, encoded in enumerate(tokenizer.encode_batch(lines)):
        text = torch.tensor([*encoded.ids, end])
        ids[row, : len(text)] = text
        labels[row, 1 : len(text)] = text[1:]  # nothing predicts the first
    return ids, labels


def bigram_table(ids, labels):
    """How often each followed each, smoothed by each one's share."""
    where = labels[:, 1:] != -100
    before, after = ids[:, :-1][where], labels[:, 1:][where]
    followed = torch.bincount(before * V + after, minlength=V * V).view(V, V)
    came = torch.bincount(after, minlength=V) + 0.5
    p = followed + 10 * came / came.sum()
    return nn.Embedding(V, V, _weight=(p / p.sum(-1, keepdim=True)).log())


def train_student(loss, teacher, data, lam=1.0, steps=200, seed=0):
    """A student, and each step's reported total, LM and KD."""
    torch.manual_seed(seed)
    student = TinyGPT("tiny-student", vocab_size=V, block_size=LENGTH)
    optimizer = torch.optim.AdamW(student.parameters(), betas=(0.9, 0.95), weight_decay=0.1)
    rates = TrainConfig(steps=steps, learning_rate=4e-3)
    reported = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rates.learning_rate_at(step)
        batch = torch.randint(len(data[0]), (16,))
        ids, labels = (x[batch] for x in data)
        with torch.no_grad():
            p = teacher(ids)
        lm, kd = loss(student(ids), p, ids, labels)
        total = lm + lam * kd
        optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        reported.append([x.item() for x in (total, lm, kd)])
    return student, reported


# --- The sweep ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Patient:
    """A loss, and the test that tells it from the loss which it was meant to be."""

    loss: str
    meant: str = "right"
    test: str | None = None
    lam: float = 1.0
    steps: int = STEPS


@cache
def ward() -> tuple[Any, tuple[Tensor, Tensor], list[dict[str, Tensor]], tuple[Tensor, Tensor]]:
    """The teacher, what is trained on, what is held out, and the batch of the tests."""
    corpus = load_corpus("pydocs")
    tokenizer = train_tokenizer(corpus, vocab_size=V)
    train, (ids, labels) = (rows(x, tokenizer) for x in (corpus.train, corpus.validation))
    teacher = bigram_table(*(x[::59] for x in train))
    held_out = [{"input_ids": i, "labels": y} for i, y in zip(ids[::4], labels[::4], strict=True)]
    short = (labels[:, -8:] == -100).all(-1)
    return teacher, train, held_out, (ids[short][::50][:16], labels[short][::50][:16])


def run(patient: Patient, seed: int, folder: Path) -> dict[str, Any]:
    """Train with the loss; report what it reports, what is true, and what the test says."""
    teacher, train, held_out, (ids, labels) = ward()
    loss = globals()[patient.loss]
    student, reported = train_student(loss, teacher, train, patient.lam, patient.steps, seed)
    points = [
        [fmean(column) for column in zip(*reported[start : start + EVERY], strict=True)]
        for start in range(0, patient.steps, EVERY)
    ]
    total, lm, kd = (list(column) for column in zip(*points, strict=True))
    measured = evaluate(student, held_out, teacher)
    final = {
        "reported_first": total[0],
        "reported_last": total[-1],
        "lm_loss": measured.lm_loss,
        "teacher_lm_loss": measured.teacher_lm_loss,
        "gap": measured.lm_loss - measured.teacher_lm_loss,
        "kl_to_teacher": measured.kl_to_teacher,
        "reverse_kl_to_teacher": measured.reverse_kl_to_teacher,
    }
    if patient.test is not None:
        with torch.no_grad():
            batch = (student(ids), teacher(ids), ids, labels)
        for name, of in {"found": patient.loss, "should": patient.meant}.items():
            final[name] = float(globals()[patient.test](globals()[of], batch))
    step = [start + EVERY for start in range(0, patient.steps, EVERY)]
    return {
        "final": final,
        "curve": {"step": step, "reported": total, "reported_lm": lm, "reported_kd": kd},
    }


BUGS = {
    "vocabulary_mean": Patient("vocabulary_mean", test="larger"),
    "arguments_swapped": Patient("arguments_swapped", test="forgetful"),
    "divided_by_texts": Patient("divided_by_texts", test="longer"),
    "padding_counted": Patient("padding_counted", test="padded"),
    "logarithm_missing": Patient("logarithm_missing", test="itself"),
    "logarithms_mixed": Patient("logarithms_mixed", "right_jsd", "strangers"),
    "beta_swapped": Patient("beta_swapped", "right_jsd", "near_zero"),
    "shifted_twice": Patient("shifted_twice", test="oracle"),
    "parts_added_up": Patient("parts_added_up", test="twice"),
    "t_squared_lost": Patient("t_squared_lost", "right_heated", "hotter"),
}
RIGHT = {name: Patient(name, name) for name in ("right", "right_jsd", "right_heated")}

SWEEP = Sweep(
    "bug_clinic",
    {**RIGHT, "labels_alone": Patient("right", lam=0.0), **BUGS},
    seeds=5,
    run=run,
)
