"""Tokens a second of our trainer, of a bare PyTorch loop, and of TRL's GKD trainer.

    python benchmarks/trainer.py            both pairs of models, five rounds
    python benchmarks/trainer.py --pair tiny --rounds 3
    python benchmarks/trainer.py --threads 1    on a busy machine: then read the CPU's clock

Two pairs. ``tiny``: the course's own teacher and student, 2,048 tokens in the vocabulary.
``llama``: Hugging Face Llamas with random weights in the shape of the reference work of
objective.py, hidden sizes 192 and 576, V = 49,152. All train on the same blocks of 128 tokens with
AdamW and clipping to a norm of 1, in float32. We and the bare loop minimise
LM + KL(p‖q); TRL's trainer has no LM term, so it does less. It runs with lmbda=0, beta=0 (forward
KL on the data's own text) and takes the blocks as they are, without its chat template.

Each implementation runs in a process of its own, and they take turns. The first steps are not
counted; a step is timed from the end of the one before it, so that fetching data counts. Two clocks
are read: the wall's, and the CPU's of all threads together, which what else a machine does disturbs
less, but only with one thread, for one that waits for the other may count as busy.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

LEARNING_RATE = 1e-3
UNCOUNTED = 2  # steps


class Pair(NamedTuple):
    sequences: int  # in a batch
    steps: int
    vocabulary: int


PAIRS = {"tiny": Pair(16, 22, 2048), "llama": Pair(8, 8, 49152)}
CONTENDERS = {"tiny": ("ours", "bare loop"), "llama": ("ours", "bare loop", "TRL GKD")}


# --- in the measured process ---


def now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def make_models(name: str):
    """Teacher and student, the same in every process."""
    import torch

    torch.manual_seed(0)
    if name == "tiny":
        from kdlab import TinyGPT

        return TinyGPT("tiny-teacher"), TinyGPT("tiny-student")
    from transformers import AutoModelForCausalLM, LlamaConfig

    models = []
    for hidden, layers, heads in ((576, 4, 9), (192, 3, 3)):
        config = LlamaConfig(
            vocab_size=PAIRS[name].vocabulary,
            hidden_size=hidden,
            intermediate_size=hidden * 8 // 3,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=3,
            tie_word_embeddings=True,
            pad_token_id=0,
        )
        models.append(AutoModelForCausalLM.from_config(config))
    return tuple(models)


def make_data(pair: Pair) -> list[dict]:
    import torch

    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, pair.vocabulary, (pair.sequences * 4, 128), generator=generator)
    return [{"input_ids": row, "labels": row} for row in ids]


def ours(name: str, pair: Pair) -> list[tuple[float, float]]:
    from kdlab import CombinedObjective, ConstantLambda, DistillationTrainer, TrainConfig

    ends = []

    class Watch(ConstantLambda):
        def step(self, metric=None):
            super().step(metric)
            ends.append(now())

    teacher, student = make_models(name)
    config = TrainConfig(
        steps=pair.steps,
        batch_size=pair.sequences,
        learning_rate=LEARNING_RATE,
        warmup_steps=1,
        device="cpu",
    )
    objective = CombinedObjective("forward_kl", lam=1.0)
    trainer = DistillationTrainer(student, teacher, objective, Watch(1.0), config)
    trainer.fit(make_data(pair))
    return ends


def bare_loop(name: str, pair: Pair) -> list[tuple[float, float]]:
    import torch
    import torch.nn.functional as F
    from torch.utils.data import DataLoader

    teacher, student = make_models(name)
    teacher.eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(student.parameters(), lr=LEARNING_RATE, weight_decay=0.1)
    loader = DataLoader(make_data(pair), pair.sequences, shuffle=True, drop_last=True)
    ends = []

    def logits(model, ids):
        output = model(ids)
        return getattr(output, "logits", output)[:, :-1].flatten(0, 1)

    while len(ends) < pair.steps:
        for batch in loader:
            ids = batch["input_ids"]
            with torch.no_grad():
                p = logits(teacher, ids)
            q = logits(student, ids)
            lm = F.cross_entropy(q, ids[:, 1:].flatten())
            kd = F.kl_div(
                F.log_softmax(q, -1), F.log_softmax(p, -1), reduction="batchmean", log_target=True
            )
            (lm + kd).backward()
            torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            ends.append(now())
    return ends[: pair.steps]


def trl_gkd(name: str, pair: Pair) -> list[tuple[float, float]]:
    from datasets import Dataset
    from tokenizers import Tokenizer, models
    from torch.utils.data import default_collate
    from transformers import PreTrainedTokenizerFast, TrainerCallback
    from trl.experimental.gkd import GKDConfig, GKDTrainer

    ends = []

    class Watch(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            ends.append(now())

    teacher, student = make_models(name)
    teacher.requires_grad_(False)
    data = [
        {**{key: ids.tolist() for key, ids in item.items()}, "attention_mask": [1] * 128}
        for item in make_data(pair)
    ]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE(vocab={"<pad>": 0}, merges=[])), pad_token="<pad>"
    )
    with tempfile.TemporaryDirectory() as folder:
        arguments = GKDConfig(
            output_dir=folder,
            lmbda=0.0,
            beta=0.0,
            temperature=1.0,
            max_steps=pair.steps,
            per_device_train_batch_size=pair.sequences,
            learning_rate=LEARNING_RATE,
            weight_decay=0.1,
            max_grad_norm=1.0,
            optim="adamw_torch",
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        )
        trainer = GKDTrainer(
            model=student,
            teacher_model=teacher,
            args=arguments,
            data_collator=lambda items: default_collate(tensors(items)),
            train_dataset=Dataset.from_list(data),
            processing_class=tokenizer,
            callbacks=[Watch()],
        )
        trainer.train()
    return ends


def tensors(items):
    import torch

    return [{key: torch.as_tensor(value) for key, value in item.items()} for item in items]


RUNS = {"ours": ours, "bare loop": bare_loop, "TRL GKD": trl_gkd}


def measure(contender: str, name: str, threads: str) -> None:
    import torch

    torch.set_num_threads(int(threads))
    pair = PAIRS[name]
    ends = RUNS[contender](name, pair)
    tokens = pair.sequences * 127 * (len(ends) - UNCOUNTED)
    print(
        json.dumps([tokens / (b - a) for a, b in zip(ends[UNCOUNTED - 1], ends[-1], strict=True)])
    )


# --- in the measuring process ---


def run(contender: str, name: str, threads: int) -> list[float]:
    """Tokens a second by the wall's clock, and by the CPU's."""
    words = [sys.executable, __file__, "--measure", contender, name, str(threads)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    environment.pop("OMP_WAIT_POLICY", None)
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{contender} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pair", choices=PAIRS, help="only this pair of models")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="of each (default: 2)")
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        return measure(*options.measure)

    results = {}
    for name in [options.pair] if options.pair else PAIRS:
        rates = {contender: [] for contender in CONTENDERS[name]}
        for _ in range(options.rounds):
            for contender, seen in rates.items():
                seen.append(run(contender, name, options.threads))
        results[name] = rates
    if options.json:
        print(json.dumps(results))
        return None

    from rich.console import Console
    from rich.table import Table

    for name, rates in results.items():
        table = Table(
            "",
            "tokens/s, median",
            "lowest to highest",
            "ours / it",
            "by the CPU's clock",
            title=f"pair: {name}; {options.threads} threads",
        )
        for contender, seen in rates.items():
            pairs = list(zip(rates["ours"], seen, strict=True))
            wall, cpu = ([a[clock] / b[clock] for a, b in pairs] for clock in (0, 1))
            walls = [rate for rate, _ in seen]
            table.add_row(
                contender,
                f"{statistics.median(walls):,.0f}",
                f"{min(walls):,.0f} to {max(walls):,.0f}",
                f"{statistics.median(wall):.2f}",
                f"{statistics.median(cpu):.2f}",
            )
        Console().print(table)
    return None


if __name__ == "__main__":
    main()
