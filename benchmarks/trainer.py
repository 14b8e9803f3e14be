"""Tokens a second and peak memory of our trainer, of a bare PyTorch loop, and of TRL's trainers.

    python benchmarks/trainer.py            all pairs of models, five rounds
    python benchmarks/trainer.py --pair tiny --rounds 3
    python benchmarks/trainer.py --pair chat on-policy generate --threads 1 --rounds 3 --json FILE

The last one made book/reference/results/beside_trl.json, which the page "How fast, and why" shows.

``tiny``: the course's own teacher and student, V = 2,048, on blocks of 128 tokens.
``llama``: Hugging Face Llamas with random weights in the shape of the reference work of
objective.py, hidden sizes 192 and 576, V = 49,152, on the same blocks. All train with AdamW and
clipping to a norm of 1, in float32 on 2 threads. We and the bare loop minimise LM + KL(p‖q); TRL's
GKD trainer has no LM term, so it does less. It runs with lmbda=0, beta=0 (forward KL on the data's
own text) and takes the blocks as they are.

``chat``: the Llamas on conversations of pydocs-qa, forward KL alone, with a chat template in both;
``on-policy``: reverse KL on 32 tokens that the student writes, beside TRL's DistillationTrainer;
``generate``: those 32 tokens alone, beside Hugging Face's own method, prompts padded on the left.

``cuda``, with --cuda alone: on one GPU, a Llama of 135 million parameters learns from one of 360
million, both with random weights, in the shapes of SmolLM2: bfloat16 by autocast, 2,048 tokens a
row. Then the time of a step by part, and its share of the fastest product that the card was seen to
make. ``rehearsal`` is the same, tiny and on a CPU: it shows that all of it works.

    python benchmarks/trainer.py --cuda         one GPU, one round, under eight minutes
    python benchmarks/trainer.py --rehearse

Each implementation runs in a process of its own, and they take turns. The first steps are not
counted; a step is timed from the end of the one before it, so that fetching data counts. With
--threads 1 it is timed by the processor's clock, for a machine that has other work to do. Memory is
the most that the process held from the first step on, less what it held before: on Linux alone.
TRL's trainers run with their own default optimiser, AdamW in one pass, as ours does.
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
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

LEARNING_RATE = 1e-3
UNCOUNTED = 2  # steps


class Pair(NamedTuple):
    sequences: int  # in a batch
    steps: int
    vocabulary: int
    length: int = 128  # tokens of a row
    # hidden size, layers, heads, key-value heads and inner size of teacher and student
    shapes: tuple[tuple[int, ...], ...] = ((576, 4, 9, 3, 1536), (192, 3, 3, 3, 512))
    device: str = "cpu"
    bf16: bool = False


NEW_TOKENS = 32
PAIRS = {
    "tiny": Pair(16, 22, 2048),
    "llama": Pair(8, 8, 49152),
    "chat": Pair(8, 10, 49152),
    "on-policy": Pair(8, 8, 49152),
    "generate": Pair(8, 8, 49152),
    "cuda": Pair(
        8, 22, 49152, 2048, ((960, 32, 15, 5, 2560), (576, 30, 9, 3, 1536)), "cuda", bf16=True
    ),
    "rehearsal": Pair(2, 4, 256, 16, ((24, 2, 2, 2, 32), (16, 2, 2, 2, 32)), bf16=True),
}
ON_ONE_GPU = ("cuda", "rehearsal")
CONTENDERS = {
    "tiny": ("ours", "bare loop"),
    "llama": ("ours", "bare loop", "TRL GKD"),
    "chat": ("ours", "TRL GKD"),
    "on-policy": ("ours", "TRL Distillation"),
    "generate": ("ours", "HF generate"),
    **dict.fromkeys(
        ON_ONE_GPU, ("ours", "bare loop", "TRL GKD", "ours, compiled", "ours, in PyTorch")
    ),
}
SECONDS_AT_MOST = 450  # of a run on a GPU; what is not done by then is left out, and said


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
    for hidden, layers, heads, key_values, inner in PAIRS[name].shapes:
        config = LlamaConfig(
            vocab_size=PAIRS[name].vocabulary,
            hidden_size=hidden,
            intermediate_size=inner,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=key_values,
            tie_word_embeddings=True,
            pad_token_id=0,
        )
        with torch.device(PAIRS[name].device):
            models.append(AutoModelForCausalLM.from_config(config))
    return tuple(models)


def make_data(pair: Pair) -> list[dict]:
    import torch

    generator = torch.Generator().manual_seed(0)
    shape = pair.sequences * 4, pair.length
    ids = torch.randint(0, pair.vocabulary, shape, generator=generator)
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
    if name in ("tiny", "llama", *ON_ONE_GPU):
        return pair.sequences * (pair.length - 1)
    if name in ("on-policy", "generate"):
        return pair.sequences * NEW_TOKENS
    from kdlab import ChatDataset

    report = ChatDataset(conversations(pair), chat_tokenizer()).report
    return pair.sequences * report.tokens / report.rows


class Moment(NamedTuple):
    wall: float  # seconds, by the clock on the wall
    cpu: float  # and by the processor's, of all threads together


Moments = list[Moment]  # the end of each step


def now(pair: Pair) -> Moment:
    """When all that was asked of the device is done."""
    if pair.device == "cuda":
        import torch

        torch.cuda.synchronize()
    return Moment(time.perf_counter(), time.process_time())


def ours(name: str, pair: Pair, *, compiled: bool = False) -> Moments:
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
            ends.append(now(pair))

    teacher, student = make_models(name)
    config = TrainConfig(
        steps=pair.steps,
        batch_size=pair.sequences,
        learning_rate=LEARNING_RATE,
        warmup_steps=1,
        device="cpu" if pair.device == "cpu" else "auto",
        mixed_precision="bf16" if pair.bf16 else "no",
        compile=compiled,
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
    in_triton = name in ON_ONE_GPU and os.environ.get("KDLAB_TRITON") != "0"
    if trainer.path != "linear, in Triton" and in_triton:
        sys.exit(trainer.path)
    return ends


def ours_in_pytorch(name: str, pair: Pair) -> Moments:
    os.environ["KDLAB_TRITON"] = "0"
    return ours(name, pair)


def written(pair: Pair, *, own: bool) -> Moments:
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
        ends.append(now(pair))
    return ends


def hf_generate(name: str, pair: Pair) -> Moments:
    return written(pair, own=False)


def bare_loop(name: str, pair: Pair) -> Moments:
    import torch
    import torch.nn.functional as F
    from torch.utils.data import DataLoader

    teacher, student = (model.to(pair.device) for model in make_models(name))
    teacher.eval().requires_grad_(False)
    options = {"lr": LEARNING_RATE, "weight_decay": 0.1, "fused": True}
    optimizer = torch.optim.AdamW(student.parameters(), **options)
    loader = DataLoader(make_data(pair), pair.sequences, shuffle=True, drop_last=True)
    ends = []

    def logits(model, ids):
        output = model(ids)
        return getattr(output, "logits", output)[:, :-1].flatten(0, 1)

    while len(ends) < pair.steps:
        for batch in loader:
            ids = batch["input_ids"].to(pair.device)
            with torch.autocast(pair.device, torch.bfloat16, enabled=pair.bf16):
                with torch.no_grad():
                    p = logits(teacher, ids)
                q = logits(student, ids)
                lm = F.cross_entropy(q, ids[:, 1:].flatten())
                log_q, log_p = F.log_softmax(q, -1), F.log_softmax(p, -1)
                kd = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
            (lm + kd).backward()
            torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            ends.append(now(pair))
    return ends[: pair.steps]


def parts_of_a_step(name: str, pair: Pair) -> dict:
    """Seconds of each part of a step of ours, one after the other, and the products' share."""
    from contextlib import nullcontext

    import torch

    from kdlab import LinearCombinedObjective
    from kdlab.heads import hidden_of

    teacher, student = (model.to(pair.device) for model in make_models(name))
    teacher.eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(student.parameters(), lr=LEARNING_RATE, fused=True)
    objective = LinearCombinedObjective("forward_kl", lam=1.0)
    ids = torch.stack([row["input_ids"] for row in make_data(pair)[: pair.sequences]])
    ids = ids.to(pair.device)
    autocast = lambda: torch.autocast(pair.device, torch.bfloat16, enabled=pair.bf16)  # noqa: E731
    found: dict[str, list[float]] = {}

    def timed(part, work, around=nullcontext):
        begun = now(pair).wall
        with around():
            result = work()
        found.setdefault(part, []).append(now(pair).wall - begun)
        return result

    for _ in range(UNCOUNTED + 5):
        with torch.no_grad():
            of_teacher = timed(
                "teacher", lambda: hidden_of(lambda: teacher(ids).logits, teacher.lm_head), autocast
            )
        of_student = timed(
            "student, forward",
            lambda: hidden_of(lambda: student(ids).logits, student.lm_head),
            autocast,
        )
        q, p = of_student[:, :-1], of_teacher[:, :-1]
        loss = timed(
            "objective",
            lambda q=q, p=p: objective(q, student.lm_head, p, teacher.lm_head, ids[:, 1:]).loss,
            autocast,
        )
        timed("backward", loss.backward)
        timed("clipping", lambda: torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0))
        timed("optimizer", optimizer.step)
        student.zero_grad()
    seconds = {part: statistics.median(each[UNCOUNTED:]) for part, each in found.items()}
    step = sum(seconds.values())
    sizes = [sum(p.numel() for p in model.parameters()) for model in (student, teacher)]
    operations = ids.numel() * (6 * sizes[0] + 2 * sizes[1])  # without attention's own
    size = 8192 if pair.device == "cuda" else 256
    a, b = torch.randn(2, size, size, device=pair.device, dtype=torch.bfloat16)
    products = []
    for _ in range(10):
        begun = now(pair).wall
        a @ b
        products.append(now(pair).wall - begun)
    peak = 2 * size**3 / min(products)
    return {**seconds, "step": step, "share of the fastest product": operations / step / peak}


SHARED = {
    "temperature": 1.0,
    "learning_rate": LEARNING_RATE,
    "weight_decay": 0.1,
    "max_grad_norm": 1.0,
    "gradient_checkpointing": False,
    "report_to": [],
    "save_strategy": "no",
    "logging_strategy": "no",
    "disable_tqdm": True,
}


def watch(ends: Moments, pair: Pair):
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            ends.append(now(pair))

    return Watch()


def trl_gkd(name: str, pair: Pair) -> Moments:
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
            {
                **{key: ids.tolist() for key, ids in item.items()},
                "attention_mask": [1] * pair.length,
            }
            for item in make_data(pair)
        ]
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer(models.BPE(vocab={"<pad>": 0}, merges=[])),
            pad_token="<pad>",
        )
    with tempfile.TemporaryDirectory() as folder:
        arguments = GKDConfig(
            **SHARED,
            bf16=pair.bf16,
            use_cpu=pair.device == "cpu",
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
            callbacks=[watch(ends, pair)],
        )
        trainer.train()
    return ends


def trl_distillation(name: str, pair: Pair) -> Moments:
    from datasets import Dataset
    from trl import DistillationConfig, DistillationTrainer

    ends = []
    teacher, student = make_models(name)
    teacher.requires_grad_(False)
    data = [{"prompt": list(each.prompt)} for each in conversations(pair)]
    with tempfile.TemporaryDirectory() as folder:
        arguments = DistillationConfig(
            **SHARED,
            bf16=pair.bf16,
            use_cpu=pair.device == "cpu",
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
            callbacks=[watch(ends, pair)],
        )
        trainer.train()
    return ends


def tensors(items):
    import torch

    return [{key: torch.as_tensor(value) for key, value in item.items()} for item in items]


RUNS = {
    "ours": ours,
    "ours, compiled": lambda name, pair: ours(name, pair, compiled=True),
    "ours, in PyTorch": ours_in_pytorch,
    "bare loop": bare_loop,
    "TRL GKD": trl_gkd,
    "TRL Distillation": trl_distillation,
    "HF generate": hf_generate,
}


def measure(contender: str, name: str) -> None:
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    pair = PAIRS[name]
    if contender == "parts of a step":
        print(json.dumps(parts_of_a_step(name, pair)))
        return
    if pair.device == "cpu":
        make_models(name)  # what is imported and allocated for them is no part of the training
    before = held(forget=True)
    ends = RUNS[contender](name, pair)
    megabytes = held() - before
    if pair.device == "cuda":
        megabytes = torch.cuda.max_memory_allocated() / 2**20  # models and all
    first, last = ends[UNCOUNTED - 1], ends[-1]
    tokens = tokens_of_a_step(name, pair) * (len(ends) - UNCOUNTED)
    rates = {
        "tokens_per_second": tokens / (last.wall - first.wall),
        "tokens_per_cpu_second": tokens / (last.cpu - first.cpu),
    }
    print(json.dumps({**rates, "megabytes": megabytes}))


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


def run(
    contender: str, name: str, timeout: float | None = None, threads: int = 2
) -> dict[str, float]:
    words = [sys.executable, __file__, "--measure", contender, name]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    environment.pop("OMP_WAIT_POLICY", None)
    if name == "rehearsal":
        environment |= {"TRITON_INTERPRET": "1", "KDLAB_TRITON": "1"}
    done = subprocess.run(
        words, capture_output=True, text=True, env=environment, check=False, timeout=timeout
    )
    if done.returncode:
        sys.exit(f"{contender} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def on_one_gpu(name: str, rounds: int) -> tuple[dict[str, list[dict[str, float]]], dict]:
    """The runs of each, and the parts of a step; whoever fails is named, the others are shown."""
    begun, runs = time.monotonic(), {}
    for contender in ["parts of a step", *CONTENDERS[name] * rounds]:
        left = SECONDS_AT_MOST - (time.monotonic() - begun)
        try:
            if left < 5:
                raise TimeoutError(f"{SECONDS_AT_MOST} seconds are over")
            runs.setdefault(contender, []).append(run(contender, name, left))
        except (subprocess.TimeoutExpired, TimeoutError, SystemExit) as error:
            print(f"{contender} is left out: {error}")
    parts = runs.pop("parts of a step", [{}])[0]
    for part, value in parts.items():
        print(f"{part:<30} {value:.4f}")
    print(f"{time.monotonic() - begun:.0f} seconds in all")
    return {contender: found for contender, found in runs.items() if len(found) == rounds}, parts


def keep(path: Path, results: dict, threads: int, parts: dict) -> None:
    """Put runs into a file in place of older ones, if they are of the same machine and versions."""
    from contenders import Work
    from objective import machine, versions

    (device,) = {PAIRS[name].device for name in results}
    here = {
        "machine": machine(Work(device=device)),
        "threads": threads,
        "versions": versions() | {"transformers": version("transformers")},
    }
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {**here, "pairs": {}}
    for key, value in here.items():
        if kept[key] != value:
            sys.exit(f"{path} holds runs of {kept[key]}; these are of {value}")
    words = ["python", "benchmarks/trainer.py", *sys.argv[1:]]
    words[words.index("--json") + 1] = "FILE"
    made = {"command": " ".join(words), "date": time.strftime("%Y-%m-%d")}
    for name, runs in results.items():
        kept["pairs"][name] = {**made, "runs": runs, **({"parts": parts} if parts else {})}
    path.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    pairs = [name for name in PAIRS if name not in ON_ONE_GPU]
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--pair", choices=pairs, nargs="+", help="only these pairs of models")
    what.add_argument("--cuda", action="store_true", help="on one GPU, at a real model's sizes")
    what.add_argument("--rehearse", action="store_true", help="what --cuda does, tiny, on a CPU")
    parser.add_argument("--rounds", type=int, help="runs of each (default: 5; on a GPU 1)")
    parser.add_argument(
        "--threads", type=int, default=2, help="of each (default: 2); 1 where the machine is busy"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run to FILE, too")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        return measure(*options.measure)

    results, parts = {}, {}
    if options.cuda or options.rehearse:
        name = "cuda" if options.cuda else "rehearsal"
        results[name], parts = on_one_gpu(name, options.rounds or 1)
        if "ours" not in results[name]:
            sys.exit("without ours there is nothing to compare with")
    else:
        for name in options.pair or pairs:
            rates = {contender: [] for contender in CONTENDERS[name]}
            for _ in range(options.rounds or 5):
                for contender, seen in rates.items():
                    seen.append(run(contender, name, threads=options.threads))
            results[name] = rates
    if options.json:
        keep(options.json, results, options.threads, parts)

    from rich.console import Console
    from rich.table import Table

    rate = f"tokens_per{'_cpu' * (options.threads == 1)}_second"
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
            rates, sizes = ([each[key] for each in runs] for key in (rate, "megabytes"))
            pairs = list(zip(seen["ours"], runs, strict=True))
            faster, smaller = (
                statistics.median(a[key] / b[key] for a, b in pairs) for key in (rate, "megabytes")
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
