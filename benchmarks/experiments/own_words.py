"""Lab 4.4: whose text is learned from: the corpus, the teacher's samples, or the student's own.

A student is measured twice: on held-out text, and on text that it writes itself. Each begins with
every second layer of its teacher, so that it has words of its own; two begin anew.
"""

from dataclasses import replace
from pathlib import Path

import torch

from kdlab import Recipe, Sweep, evaluate, load_student
from kdlab.generation import continued
from kdlab.recipes import BLOCK_SIZE
from kdlab.sweeps import kept_ingredients

BASE = Recipe(
    vocab_size=512,
    student="layers:2",
    arm="kd",
    steps=120,
    eval_every=20,
    eval_blocks=64,
    prompt_tokens=32,
)
NEW = replace(BASE, student="tiny-student")
SAMPLES = 400  # blocks that the teacher writes


def of_own_text(folder: Path, recipe: Recipe) -> dict[str, float]:
    """How the teacher judges what a run's student writes after beginnings it has not seen."""
    ingredients = kept_ingredients(recipe)
    device = next(ingredients.teacher.parameters()).device
    student = load_student(folder).to(device)
    blocks = range(min(64, len(ingredients.validation)))
    prompts = torch.stack([ingredients.validation[i]["input_ids"] for i in blocks]).to(device)
    draws = torch.Generator(device).manual_seed(0)
    text = continued(student, prompts[:, : recipe.prompt_tokens], BLOCK_SIZE, generator=draws)
    items = [{key: rows[i] for key, rows in text.items()} for i in range(len(prompts))]
    result = evaluate(student, items, ingredients.teacher)
    return {
        "own_text_teacher_lm_loss": result.teacher_lm_loss,  # nats a token that the student wrote
        "own_text_lm_loss": result.lm_loss,  # the student's entropy, by its own samples
        "own_text_reverse_kl": result.reverse_kl_to_teacher,
        "own_text_kl": result.kl_to_teacher,
    }


SWEEP = Sweep(
    "own_words",
    {
        "labels": replace(BASE, arm="lm"),
        "corpus, forward KL": BASE,
        "corpus, reverse KL": replace(BASE, divergence="reverse_kl"),
        "teacher's samples as labels": replace(BASE, arm="lm", teacher_texts=SAMPLES),
        "half own words, forward KL": replace(BASE, on_policy=0.5),
        "half own words, reverse KL": replace(BASE, on_policy=0.5, divergence="reverse_kl"),
        "half own words, reverse KL, and labels": replace(
            BASE, arm="combined", on_policy=0.5, divergence="reverse_kl"
        ),
        "new weights, corpus, forward KL": NEW,
        "new weights, corpus, reverse KL": replace(NEW, divergence="reverse_kl"),
    },
    seeds=3,
    measure=of_own_text,
)
