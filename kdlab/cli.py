"""The command line: ``kdlab distill``, ``evaluate``, ``chat``, ``cache-teacher`` and ``plot``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import fields
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO

import typer
from typer.core import TyperGroup

from kdlab import __version__
from kdlab.files import as_path, whole_or_not_at_all
from kdlab.records import to_json

if TYPE_CHECKING:
    from kdlab.recipes import Recipe


class Commands(TyperGroup):
    """An error that a user can fix ends in one sentence and exit code 1; Ctrl-C in code 130."""

    def main(self, *arguments: Any, **named: Any) -> Any:
        """Run a command. A closed standard stream is opened on the null device first.

        Otherwise the next file that is opened would get the number of the closed stream.
        """
        for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
            if getattr(sys, name) is None:
                stream = os.fdopen(os.open(os.devnull, os.O_RDWR), mode)
                setattr(sys, name, stream)
        try:
            return super().main(*arguments, **named)
        except (ValueError, FloatingPointError, OSError) as error:
            typer.echo(f"kdlab: {_sentence(error)}", err=True)
            _let_go(sys.stdout)
            sys.exit(1)

    def invoke(self, ctx: Any) -> Any:
        try:
            found = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt as stopped:
            said, then = str(stopped), ""
            if ctx.invoked_subcommand == "distill":
                # A run stopped while its teacher is trained has no checkpoint yet.
                again = "with --resume goes on" if not said or "resume=" in said else "begins anew"
                then = f" The same command {again}."
            typer.echo(f"kdlab: {said or 'stopped'}.{then}", err=True)
            raise typer.Exit(130) from None
        return found


def _let_go(stream: TextIO) -> None:
    """Flush a stream; drop what a full disk does not take, or Python would retry at its exit."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _sentence(error: Exception) -> str:
    """The message of an error, without the error number of the operating system."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"


def _path(text: str) -> Path:
    try:
        return as_path(text, "it")
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


PATH: Any = {"parser": _path, "metavar": "PATH"}

app = typer.Typer(
    cls=Commands,
    help="Distil language models: a student learns from a teacher and from the truth.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

# Spelled out here, because the modules that define them import torch, which takes seconds.
Divergence = Literal[
    "forward_kl",
    "reverse_kl",
    "total_variation",
    "jensen_shannon",
    "skew_forward_kl",
    "skew_reverse_kl",
]
Schedule = Literal[
    "constant", "linear", "cosine", "exponential", "warmup_stable_decay", "plateau", "ratio"
]
PRESETS = ("tiny-teacher", "tiny-student")
Arm = Literal["lm", "kd", "combined"]
Dtype = Literal["float32", "bfloat16", "float16"]
Precision = Literal["no", "bf16"]
Column = Literal["training", "perplexity", "kl_to_teacher", "agreement_top1", "calibration_error"]

CorpusOption = Annotated[
    str, typer.Option(help="pydocs, the path of a text file, or hf: and a data set's name.")
]
TeacherOption = Annotated[
    str,
    typer.Option(
        help=f"{', '.join(PRESETS)} (trained once, then kept), or hf: and a model's name."
    ),
]
TeacherStepsOption = Annotated[int, typer.Option(min=1, help="How long a preset is trained.")]
TemperatureOption = Annotated[float, typer.Option(help="T of the KD term.")]
TrainFractionOption = Annotated[
    float, typer.Option(help="Of the training text, for the student; spread evenly over it.")
]
VocabSizeOption = Annotated[
    int | None, typer.Option(min=257, help="Tokens, if not all that the preset or teacher has.")
]
DataOption = Annotated[
    str | None,
    typer.Option(
        help="Fine-tune on conversations: a file of JSON lines, pydocs-qa, reckoning, or hf: and a "
        "data set's name."
    ),
]
BlockSizeOption = Annotated[
    int | None,
    typer.Option(min=2, help="Tokens of a block, or of a conversation: longer ones are cut."),
]
DtypeOption = Annotated[
    Dtype, typer.Option(help="Of weights that are not trained: the teacher's, and under --lora.")
]
TeacherOptionsOption = Annotated[
    str | None,
    typer.Option(help="JSON for the teacher's from_pretrained, device_map for one."),
]
CpuOption = Annotated[bool, typer.Option("--cpu", help="Keep off a GPU that is there.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"kdlab {__version__}")
        raise typer.Exit


@app.callback()
def main(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_say_version, help="Say it and end."),
    ] = False,
) -> None:
    """Write a character that the output cannot encode, such as λ, as an escape of its number."""
    stream = sys.stdout
    # In the C locale, Python uses surrogateescape, which passes only undecodable bytes of names.
    if isinstance(stream, TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
        before = stream.errors
        stream.reconfigure(errors="backslashreplace")
        context.call_on_close(lambda: stream.reconfigure(errors=before))


@app.command()
def distill(
    context: typer.Context,
    out: Annotated[Path, typer.Option(**PATH, help="Folder for all that the run writes.")],
    corpus: CorpusOption = "pydocs",
    train_fraction: TrainFractionOption = 1.0,
    vocab_size: VocabSizeOption = None,
    teacher: TeacherOption = "tiny-teacher",
    teacher_steps: TeacherStepsOption = 800,
    teacher_file: Annotated[
        Path | None, typer.Option(**PATH, help="Train from this file of kdlab cache-teacher.")
    ] = None,
    teacher_tail: Annotated[
        bool, typer.Option(help="Keep the mass of the tokens that the file left out.")
    ] = True,
    teacher_texts: Annotated[
        int | None, typer.Option(min=1, help="Train on so many blocks that the teacher wrote.")
    ] = None,
    student: Annotated[
        str,
        typer.Option(
            help=f"{', '.join(PRESETS)}; layers:n, to begin as each nth layer of the teacher; "
            "shape:n, as large as that, with new weights; or hf: and a model's name."
        ),
    ] = "tiny-student",
    arm: Annotated[
        Arm, typer.Option(help="Learn from labels, from the teacher, or both.")
    ] = "combined",
    divergence: Annotated[Divergence, typer.Option(help="Of the KD term.")] = "forward_kl",
    temperature: TemperatureOption = 1.0,
    schedule: Annotated[Schedule, typer.Option(help="Of λ, in the combined arm.")] = "constant",
    lam: Annotated[
        float, typer.Option(help="λ in LM + λ·KD: its start, its peak, or ratio's share.")
    ] = 1.0,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = 200,
    batch_size: Annotated[int, typer.Option(min=1, help="Blocks of text in a step.")] = 16,
    learning_rate: Annotated[
        float | None,
        typer.Option(help="Its peak; else 2e-3, 1e-4 for hf:, 5e-4 with --lora."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of first weights and order of data.")] = 0,
    eval_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between evaluations.")
    ] = None,
    eval_blocks: Annotated[
        int | None, typer.Option(min=1, help="Blocks to evaluate on, if not all that are held out.")
    ] = None,
    checkpoint_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between checkpoints.")
    ] = None,
    resume: Annotated[
        bool, typer.Option(help="Go on with the run in --out, which else is not replaced.")
    ] = False,
    mixed_precision: Annotated[Precision, typer.Option(help="bf16 on hardware for it.")] = "no",
    on_policy: Annotated[
        float, typer.Option(help="Share of steps on text that the student writes, KD loss alone.")
    ] = 0.0,
    prompt_tokens: Annotated[
        int, typer.Option(min=1, help="Of each block, before student or teacher goes on.")
    ] = 16,
    data: DataOption = None,
    block_size: BlockSizeOption = None,
    packed: Annotated[
        bool, typer.Option("--packed", help="Several conversations a block, less padding.")
    ] = False,
    new_tokens: Annotated[
        int, typer.Option(min=1, help="Of an answer that the student writes, at most.")
    ] = 64,
    eval_answers: Annotated[
        int, typer.Option(min=0, help="Held-out questions that it answers at the end.")
    ] = 100,
    accumulation: Annotated[int, typer.Option(min=1, help="Micro-batches of a step.")] = 1,
    lora: Annotated[
        int | None, typer.Option(min=1, help="Train adapters of this rank alone, then merge them.")
    ] = None,
    gradient_checkpointing: Annotated[
        bool, typer.Option("--gradient-checkpointing", help="Less memory, a quarter more time.")
    ] = False,
    dtype: DtypeOption = "float32",
    teacher_options: TeacherOptionsOption = None,
    cpu: CpuOption = False,
    as_json: JsonOption = False,
) -> None:
    """Distil a teacher into a student and say how good the student became."""
    from kdlab.checkpoints import has_checkpoint
    from kdlab.runs import distill as run

    if resume and not has_checkpoint(out) and not (out / "summary.json").exists():
        typer.echo(f"There is no checkpoint in {out}: the run begins anew.", err=True)
    summary = run(
        out,
        _recipe(context),
        checkpoint_every=checkpoint_every,
        resume=resume,
        device=_device(cpu),
        progress=not as_json,
    )
    if as_json:
        typer.echo(to_json(summary, indent=2))
        return
    if "examples" in summary:
        typer.echo(summary["examples"])
    typer.echo(
        f"Student: perplexity {summary['eval_perplexity']:.2f} "
        f"(teacher {summary['teacher_perplexity']:.2f}), "
        f"KL to the teacher {summary['eval_kl_to_teacher']:.3f} nats, "
        f"agrees with it on {summary['agreement_top1']:.1%} of tokens.\n"
        f"{_of_answers(summary)}"
        f"{summary['seconds']:.0f} s, {summary['tokens_per_second']:,.0f} tokens/s on "
        f"{summary['device']}. Everything is in {out}."
    )


@app.command()
def chat(
    run: Annotated[Path, typer.Argument(**PATH, help="Folder of a finished run, or of a model.")],
    say: Annotated[
        list[str] | None, typer.Option(help="Say this and end; else lines are read.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="What the assistant is told first.")] = None,
    new_tokens: Annotated[int, typer.Option(min=1, help="Of an answer, at most.")] = 256,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="Of the draws; 0 takes the likeliest token.")
    ] = 0.0,
    cpu: CpuOption = False,
) -> None:
    """Talk with a run's student; an empty line ends it.

    A student of plain text has no template for conversations: it goes on from what you type.
    """
    from kdlab.runs import Chat

    talk = Chat.of(run, system=system, device=_device(cpu))
    for line in say if say else _lines():
        typer.echo(talk.say(line, new_tokens=new_tokens, temperature=temperature))


def _lines() -> Iterator[str]:
    """The lines of the standard input, up to an empty line or the end."""
    while line := typer.get_text_stream("stdin").readline().strip():
        yield line


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(**PATH, help="Folder of a finished run.")],
    cpu: CpuOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure a run's student beside its teacher, on held-out text."""
    from kdlab.runs import evaluate_run

    result = evaluate_run(run, device=_device(cpu))
    values = {
        "perplexity": result.perplexity,
        "teacher_perplexity": result.teacher_perplexity,
        "kl_to_teacher": result.kl_to_teacher,
        "agreement_top1": result.agreement_top1,
        "calibration_error": result.calibration.expected_error,
        "positions": result.positions,
    }
    if as_json:
        typer.echo(to_json(values, indent=2))
        return
    for name, value in values.items():
        typer.echo(
            f"{name.replace('_', ' '):20}{value:>12,}"
            if name == "positions"
            else f"{name.replace('_', ' '):20}{value:>12.4f}"
        )


@app.command()
def cache_teacher(
    context: typer.Context,
    out: Annotated[Path, typer.Option(**PATH, help="The file, for --teacher-file.")],
    corpus: CorpusOption = "pydocs",
    train_fraction: TrainFractionOption = 1.0,
    vocab_size: VocabSizeOption = None,
    teacher: TeacherOption = "tiny-teacher",
    teacher_steps: TeacherStepsOption = 800,
    k: Annotated[int, typer.Option(min=1, help="Tokens to keep at each position.")] = 64,
    temperature: TemperatureOption = 1.0,
    data: DataOption = None,
    block_size: BlockSizeOption = None,
    packed: Annotated[
        bool, typer.Option("--packed", help="Several conversations a block, as for distill.")
    ] = False,
    dtype: DtypeOption = "float32",
    teacher_options: TeacherOptionsOption = None,
    cpu: CpuOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a teacher's k likeliest tokens for every position of a corpus to a file.

    The same call goes on where an interrupted one stopped.
    """
    from kdlab.runs import cache_teacher as run

    stored = run(out, _recipe(context), k=k, device=_device(cpu), progress=not as_json)
    size = out.stat().st_size
    if as_json:
        typer.echo(to_json({**stored.header, "bytes": size}, indent=2))
        return
    positions = stored.header["positions"]
    typer.echo(
        f"{positions:,} positions, {stored.bytes_per_position} bytes each, {size / 1e6:.1f} MB "
        f"in {out}. Train from it with: kdlab distill --teacher-file {out}"
    )


@app.command()
def plot(
    runs: Annotated[list[Path], typer.Argument(**PATH, help="Folders of one or more runs.")],
    out: Annotated[Path, typer.Option(**PATH, help="The picture: .png, .svg or .pdf.")],
    show: Annotated[
        Column,
        typer.Option(help="training: losses and λ of one run; else evaluations of all runs."),
    ] = "training",
) -> None:
    """Draw a run's losses, or compare several runs on validation text."""
    from matplotlib import pyplot as plt

    from kdlab import plots
    from kdlab.config import History

    if not out.suffix:
        raise ValueError(f"{out} says not what kind of picture it is to be: .png, .svg or .pdf")
    names = [run.name for run in runs]
    if len({*names}) < len(names):  # runs with one name, in several folders
        names = [str(run) for run in runs]
    read = (History.read(run / "metrics.jsonl") for run in runs)
    histories = dict(zip(names, read, strict=True))
    if show == "training":
        if len(runs) > 1:
            raise ValueError(
                f"--show training draws one run, not {len(runs)}; compare runs with "
                "--show perplexity"
            )
        figure = plots.training_curves(*histories.values(), title=runs[0].name)
    else:
        figure = plots.evaluation_curves(histories, show)
    with whole_or_not_at_all(out) as partial:
        figure.savefig(partial, dpi=150, format=out.suffix[1:])
    plt.close(figure)
    typer.echo(f"Drawn to {out}.")


def _recipe(context: typer.Context) -> Recipe:
    """The recipe that a command's options give; an option sets the field of the same name."""
    from kdlab.recipes import Recipe

    names = {item.name for item in fields(Recipe)}
    return Recipe(**{name: given for name, given in context.params.items() if name in names})


def _of_answers(summary: dict[str, Any]) -> str:
    """A sentence on how well the student answered; empty if it was asked no questions."""
    if "accuracy" not in summary:
        return ""
    return (
        f"Of its answers to held-out questions, {summary['accuracy']:.1%} are the expected ones, "
        f"{summary['answers_ended']:.1%} end, after {summary['answer_tokens']:.1f} tokens on "
        "average.\n"
    )


def _device(cpu: bool) -> str:
    return "cpu" if cpu else "auto"
