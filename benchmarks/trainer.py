"""Tokens a second and peak memory of our trainer, of a bare PyTorch loop, and of TRL's trainers.

    python benchmarks/trainer.py            all pairs of models, five rounds
    python benchmarks/trainer.py --pair tiny --rounds 3

``tiny``: the course's own teacher and student, V = 2,048, on blocks of 128 tokens.
``llama``: Hugging Face Llamas with random weights in the shape of the reference work of
objective.py, hidden sizes 192 and 576, V = 49,152, on the same blocks. All train with AdamW and
clipping to a norm of 1, in float32 on 2 threads. We and the bare loop minimise LM + KL(p‖q); TRL's
GKD trainer has no LM term, so it does less. It runs with lmbda=0, beta=0 (forward KL on the data's
own text) and takes the blocks as they are.

``chat``: the Llamas on conversations of pydocs-qa, forward KL alone, with a chat template in both;
``on-policy``: reverse KL on 32 tokens that the student writes, beside TRL's DistillationTrainer;
``generate``: those 32 tokens alone, beside Hugging Face's own method, prompts padded on the left.

Each implementation runs in a process of its own, and they take turns. The first steps are not
counted; a step is timed from the end of the one before it, so that fetching data counts. Memory is
the most that the process held from the first step on, less what it held before: on Linux alone.
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
from pathlib import Path
from typing import NamedTuple

THREADS = 2
LEARNING_RATE = 1e-3
UNCOUNTED = 2  # steps


class Pair(NamedTuple):
    sequences: int  # in a batch
    steps: int
    vocabulary: int


NEW_TOKENS = 32
PAIRS = {
    "tiny": Pair(16, 22, 2048),
    "llama": Pair(8, 8, 49152),
    "chat": Pair(8, 10, 49152),
    "on-policy": Pair(8, 8, 49152),
    "generate": Pair(8, 8, 49152),
}
CONTENDERS = {
    "tiny": ("ours", "bare loop"),
    "llama": ("ours", "bare loop", "TRL GKD"),
    "chat": ("ours", "TRL GKD"),
    "on-policy": ("ours", "TRL Distillation"),
    "generate": ("ours", "HF generate"),
}


# --- in the measured process ---


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


def conversations(pair: Pair) -> list:
    """Of one turn, so that all learn the same: TRL's GKD learns the last one alone."""
    from kdlab import Conversation, pydocs_qa

    found = pydocs_qa().conversations[:: 4301 // (pair.sequences * 4)][: pair.sequences * 4]
    return [Conversation(each.messages[:2]) for each in found]


def chat_tokenizer():
    from kdlab import pydocs_qa, train_chat_tokenizer

    return train_chat_tokenizer(pydocs_qa(), 2048)


def tokens_of_a_step(name: str, pair: Pair) -> float:
    if name in ("tiny", "llama"):
        return pair.sequences * 127
    if name in ("on-policy", "generate"):
        return pair.sequences * NEW_TOKENS
    from kdlab import ChatDataset

    report = ChatDataset(conversations(pair), chat_tokenizer()).report
    return pair.sequences * report.tokens / report.rows


def ours(name: str, pair: Pair) -> list[float]:
    from kdlab import (
        ChatDataset,
        CombinedObjective,
        ConstantLambda,
        DistillationTrainer,
        TrainConfig,
    )

    ends = []
    if name == "generate":
        return written(pair, own=True)

    class Watch(ConstantLambda):
        def step(self, metric=None):
            super().step(metric)
            ends.append(time.perf_counter())

    teacher, student = make_models(name)
    config = TrainConfig(
        steps=pair.steps,
        batch_size=pair.sequences,
        learning_rate=LEARNING_RATE,
        warmup_steps=1,
        device="cpu",
        on_policy=float(name == "on-policy"),
        new_tokens=NEW_TOKENS,
    )
    objective, data = CombinedObjective("forward_kl", lam=1.0), None
    if name in ("chat", "on-policy"):
        divergence = "forward_kl" if name == "chat" else "reverse_kl"
        objective = CombinedObjective(divergence, lam=1.0, form="convex")
        data = ChatDataset(conversations(pair), chat_tokenizer())
    trainer = DistillationTrainer(student, teacher, objective, Watch(1.0), config)
    trainer.fit(data or make_data(pair))
    return ends


def written(pair: Pair, *, own: bool) -> list[float]:
    """The student goes on from the prompts of a batch, as often as there are steps."""
    from kdlab import collate, generate
    from kdlab.templates import ChatTemplate

    _, student = make_models("generate")
    template, student = ChatTemplate(chat_tokenizer()), student.eval()
    prompts = [template.encode_prompt(each) for each in conversations(pair)[: pair.sequences]]
    batch = collate([{"input_ids": p} for p in prompts], labels=False, padding_side="left")
    ids, mask, ends = batch["input_ids"], batch["attention_mask"], []
    options = {"max_new_tokens": NEW_TOKENS, "min_new_tokens": NEW_TOKENS, "top_k": 0}
    for _ in range(pair.steps):
        if own:
            generate(student, ids, NEW_TOKENS, attention_mask=mask)
        else:
            student.generate(ids, attention_mask=mask, do_sample=True, **options)
        ends.append(time.perf_counter())
    return ends


def hf_generate(name: str, pair: Pair) -> list[float]:
    return written(pair, own=False)


def bare_loop(name: str, pair: Pair) -> list[float]:
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
            ends.append(time.perf_counter())
    return ends[: pair.steps]


SHARED = {
    "temperature": 1.0,
    "learning_rate": LEARNING_RATE,
    "weight_decay": 0.1,
    "max_grad_norm": 1.0,
    "optim": "adamw_torch",
    "gradient_checkpointing": False,
    "bf16": False,
    "use_cpu": True,
    "report_to": [],
    "save_strategy": "no",
    "logging_strategy": "no",
    "disable_tqdm": True,
}


def watch(ends: list[float]):
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            ends.append(time.perf_counter())

    return Watch()


def trl_gkd(name: str, pair: Pair) -> list[float]:
    from datasets import Dataset
    from tokenizers import Tokenizer, models
    from torch.utils.data import default_collate
    from transformers import PreTrainedTokenizerFast
    from trl.experimental.gkd import GKDConfig, GKDTrainer

    ends = []
    teacher, student = make_models(name)
    teacher.requires_grad_(False)
    if name == "chat":
        tokenizer, collator = chat_tokenizer(), None
        data = [{"messages": list(each.messages)} for each in conversations(pair)]
    else:
        collator = lambda items: default_collate(tensors(items))  # noqa: E731
        data = [
            {**{key: ids.tolist() for key, ids in item.items()}, "attention_mask": [1] * 128}
            for item in make_data(pair)
        ]
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer(models.BPE(vocab={"<pad>": 0}, merges=[])),
            pad_token="<pad>",
        )
    with tempfile.TemporaryDirectory() as folder:
        arguments = GKDConfig(
            **SHARED,
            output_dir=folder,
            lmbda=0.0,
            beta=0.0,
            max_steps=pair.steps,
            per_device_train_batch_size=pair.sequences,
        )
        trainer = GKDTrainer(
            model=student,
            teacher_model=teacher,
            args=arguments,
            data_collator=collator,
            train_dataset=Dataset.from_list(data),
            processing_class=tokenizer,
            callbacks=[watch(ends)],
        )
        trainer.train()
    return ends


def trl_distillation(name: str, pair: Pair) -> list[float]:
    from datasets import Dataset
    from trl import DistillationConfig, DistillationTrainer

    ends = []
    teacher, student = make_models(name)
    teacher.requires_grad_(False)
    data = [{"prompt": list(each.prompt)} for each in conversations(pair)]
    with tempfile.TemporaryDirectory() as folder:
        arguments = DistillationConfig(
            **SHARED,
            output_dir=folder,
            beta=1.0,
            max_completion_length=NEW_TOKENS,
            max_steps=pair.steps,
            per_device_train_batch_size=pair.sequences,
        )
        trainer = DistillationTrainer(
            model=student,
            teacher_model=teacher,
            args=arguments,
            train_dataset=Dataset.from_list(data),
            processing_class=chat_tokenizer(),
            callbacks=[watch(ends)],
        )
        trainer.train()
    return ends


def tensors(items):
    import torch

    return [{key: torch.as_tensor(value) for key, value in item.items()} for item in items]


RUNS = {
    "ours": ours,
    "bare loop": bare_loop,
    "TRL GKD": trl_gkd,
    "TRL Distillation": trl_distillation,
    "HF generate": hf_generate,
}


def measure(contender: str, name: str) -> None:
    import torch

    torch.set_num_threads(THREADS)
    pair = PAIRS[name]
    make_models(name)  # what is imported and allocated for them is no part of the training
    before = held(forget=True)
    ends = RUNS[contender](name, pair)
    seconds = (ends[-1] - ends[UNCOUNTED - 1]) / (len(ends) - UNCOUNTED)
    rate = tokens_of_a_step(name, pair) / seconds
    print(json.dumps({"rate": rate, "megabytes": held() - before}))


def held(*, forget: bool = False) -> float:
    """Megabytes: the most that this process has held since it was last forgotten; or now."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    if forget:
        Path("/proc/self/clear_refs").write_text("5")
    (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


# --- in the measuring process ---


def run(contender: str, name: str) -> dict[str, float]:
    words = [sys.executable, __file__, "--measure", contender, name]
    environment = {**os.environ, "OMP_NUM_THREADS": str(THREADS), "TOKENIZERS_PARALLELISM": "false"}
    environment.pop("OMP_WAIT_POLICY", None)
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"{contender} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pair", choices=PAIRS, help="only this pair of models")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        return measure(*options.measure)

    results = {}
    for name in [options.pair] if options.pair else PAIRS:
        rates = {contender: [] for contender in CONTENDERS[name]}
        for _ in range(options.rounds):
            for contender, seen in rates.items():
                seen.append(run(contender, name))
        results[name] = rates
    if options.json:
        print(json.dumps(results))
        return None

    from rich.console import Console
    from rich.table import Table

    for name, seen in results.items():
        table = Table(
            "",
            "tokens/s, median",
            "lowest to highest",
            "ours / it",
            "MB, median",
            "ours / it",
            title=f"pair: {name}",
        )
        for contender, runs in seen.items():
            rates, sizes = ([each[key] for each in runs] for key in ("rate", "megabytes"))
            pairs = list(zip(seen["ours"], runs, strict=True))
            faster, smaller = (
                statistics.median(a[key] / b[key] for a, b in pairs)
                for key in ("rate", "megabytes")
            )
            table.add_row(
                contender,
                f"{statistics.median(rates):,.0f}",
                f"{min(rates):,.0f} to {max(rates):,.0f}",
                f"{faster:.2f}",
                f"{statistics.median(sizes):,.0f}",
                f"{smaller:.2f}",
            )
        Console(width=100).print(table)
    return None


if __name__ == "__main__":
    main()
