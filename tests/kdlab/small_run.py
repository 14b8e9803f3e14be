"""A small distillation in a process of its own, for tests that start, share out or kill one."""

import torch

from kdlab import (
    CombinedObjective,
    DistillationTrainer,
    LinearLambda,
    TinyGPT,
    TrainConfig,
)

STEPS = 30


def blocks(n=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 30, (n, 10), generator=generator)
    labels = ids.clone()
    for i, row in enumerate(labels):  # uneven: a mean of means would be another number
        row[3 + i % 7 :] = -100
    return [{"input_ids": ids[i], "labels": labels[i]} for i in range(n)]


def model(seed, **changes):
    torch.manual_seed(seed)
    return TinyGPT("tiny-student", vocab_size=30, block_size=10, **changes)


def main(out, resume=False, even=False):
    torch.set_num_threads(1)
    trainer = DistillationTrainer(
        model(1, dropout=0.0 if even else 0.1),
        model(2),
        CombinedObjective("forward_kl", lam=0.5, temperature=2.0),
        LinearLambda(1.0, 0.0, steps=STEPS),
        TrainConfig(
            steps=STEPS,
            batch_size=8,
            accumulation=2,
            eval_every=5,
            checkpoint_every=1,
            device="cpu",
        ),
        out=out,
    )
    trainer.fit(blocks(), blocks(seed=1), resume=resume)
    if even:
        print(trainer.accelerator.num_processes, "processes")
    if trainer.accelerator.is_main_process:
        torch.save(trainer.student.state_dict(), f"{out}/student.pt")
