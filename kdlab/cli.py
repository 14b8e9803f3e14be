"""The command line: ``kdlab distill``."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kdlab.divergences import DIVERGENCES
from kdlab.models import PRESETS
from kdlab.schedules import SCHEDULES

app = typer.Typer(
    help="Distil language models: a student learns from a teacher and from the truth.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

Arm = StrEnum("Arm", ["lm", "kd", "combined"])
Preset = StrEnum("Preset", {name: name for name in PRESETS})
Schedule = StrEnum("Schedule", {name: name for name in SCHEDULES})
DivergenceName = StrEnum("DivergenceName", {name: name for name in DIVERGENCES})
Precision = StrEnum("Precision", ["no", "bf16"])


@app.callback()
def main() -> None:
    """Distil language models: a student learns from a teacher and from the truth."""


@app.command()
def distill(
    out: Annotated[
        Path, typer.Option(help="Folder for metrics.jsonl, summary.json and the student.")
    ],
    corpus: Annotated[str, typer.Option(help="pydocs, or the path of a text file.")] = "pydocs",
    teacher: Annotated[Preset, typer.Option(help="Trained once, then kept.")] = "tiny-teacher",
    teacher_steps: Annotated[
        int, typer.Option(min=1, help="Optimiser steps of the teacher.")
    ] = 800,
    student: Annotated[Preset, typer.Option(help="The model that learns.")] = "tiny-student",
    arm: Annotated[
        Arm, typer.Option(help="Learn from labels, from the teacher, or both.")
    ] = "combined",
    divergence: Annotated[DivergenceName, typer.Option(help="Of the KD term.")] = "forward_kl",
    temperature: Annotated[float, typer.Option(help="T of the KD term.")] = 1.0,
    schedule: Annotated[Schedule, typer.Option(help="Of λ, in the combined arm.")] = "constant",
    lam: Annotated[
        float, typer.Option(help="λ in LM + λ·KD: its start, its peak, or ratio's share.")
    ] = 1.0,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = 200,
    seed: Annotated[int, typer.Option(help="Of first weights and order of data.")] = 0,
    eval_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between evaluations.")
    ] = None,
    checkpoint_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between checkpoints.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoint in --out.")] = False,
    mixed_precision: Annotated[Precision, typer.Option(help="bf16 on hardware for it.")] = "no",
    cpu: Annotated[bool, typer.Option("--cpu", help="Keep off a GPU that is there.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary, nothing else.")
    ] = False,
) -> None:
    """Distil a teacher into a student and say how good the student became."""
    from kdlab.runs import distill as run  # importing torch takes seconds; --help should not

    try:
        summary = run(
            out,
            corpus=corpus,
            teacher=teacher,
            teacher_steps=teacher_steps,
            student=student,
            arm=arm,
            divergence=divergence,
            temperature=temperature,
            schedule=schedule,
            lam=lam,
            steps=steps,
            seed=seed,
            eval_every=eval_every,
            checkpoint_every=checkpoint_every,
            resume=resume,
            device="cpu" if cpu else "auto",
            mixed_precision=mixed_precision,
            progress=not as_json,
        )
    except (ValueError, FloatingPointError, OSError) as error:
        typer.echo(f"kdlab: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt as stopped:
        typer.echo(f"kdlab: {stopped}. Add --resume to go on.", err=True)
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps(summary, indent=2))
        return
    typer.echo(
        f"Student: perplexity {summary['eval_perplexity']:.2f} "
        f"(teacher {summary['teacher_perplexity']:.2f}), "
        f"KL to the teacher {summary['eval_kl_to_teacher']:.3f} nats, "
        f"agrees with it on {summary['agreement_top1']:.1%} of tokens.\n"
        f"{summary['seconds']:.0f} s, {summary['tokens_per_second']:,.0f} tokens/s on "
        f"{summary['device']}. Everything is in {out}."
    )
