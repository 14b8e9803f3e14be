"""What a call leaves behind in the process: all that a process has but one of is as it was."""

import contextlib
import gc
import locale
import logging
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import warnings
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState, PartialState
from torch.utils import _python_dispatch
from typer.testing import CliRunner

import kdlab
from kdlab import (
    CombinedObjective,
    DistillationTrainer,
    Recipe,
    TinyGPT,
    TrainConfig,
    evaluate,
    modes,
    plots,
)
from kdlab.cli import app
from kdlab.devices import own_accelerate_state
from kdlab.heads import hidden_of, why_not_left_out
from kdlab.widgets import WIDGETS
from tests.kdlab.tiny_models import V, rows, tiny
from tests.waiting import wait_until

TINY = {"vocab_size": 300, "teacher_steps": 1, "steps": 2, "batch_size": 2, "eval_blocks": 2}


def process():
    """All that a process has one of, by its name."""
    backends = torch.backends
    found: dict = {
        "accelerate": [dict(kind._shared_state) for kind in SHARED],
        "types and devices": (torch.get_default_dtype(), torch.get_default_device()),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "anomalies": torch.is_anomaly_enabled(),
        "autocast": (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")),
        "autocast's cache": torch.is_autocast_cache_enabled(),
        "determinism": (torch.are_deterministic_algorithms_enabled(), backends.cudnn.deterministic),
        "precision": (torch.get_float32_matmul_precision(), backends.cuda.matmul.allow_tf32),
        "kernels": (backends.cudnn.benchmark, backends.cudnn.enabled, backends.mkldnn.enabled),
        "threads of torch": torch.get_num_threads(),
        "modes": len(_python_dispatch._get_current_dispatch_mode_stack()),
        "hooks": [len(value) for name, value in sorted(MODULES.items()) if "_hooks" in name],
        "process group": torch.distributed.is_initialized(),
        "how tensors are printed": dict(vars(torch._tensor_str.PRINT_OPTS)),
        "draws": (random.getstate(), repr(np.random.get_state())),  # noqa: NPY002
        "draws of torch": torch.get_rng_state().tolist(),
        "numpy": (np.geterr(), repr(np.get_printoptions())),
        "warnings": list(warnings.filters),
        "signals": {each: signal.getsignal(each) for each in signal.valid_signals()},
        "variables": dict(os.environ),
        "folders": (os.getcwd(), tempfile.tempdir, list(sys.path), list(sys.argv)),
        "streams": (sys.stdin, sys.stdout, sys.stderr),
        "ways out": (sys.excepthook, sys.displayhook, threading.excepthook, sys.unraisablehook),
        "limits": (sys.getrecursionlimit(), sys.getswitchinterval(), gc.isenabled()),
        "garbage": (gc.get_threshold(), gc.callbacks[:]),
        "language": locale.setlocale(locale.LC_ALL),
        "processes": (multiprocessing.active_children(), torch.multiprocessing.get_start_method()),
        "figures": (plt.get_fignums(), matplotlib.get_backend(), dict(matplotlib.rcParams)),
    }
    for name, logger in {"": logging.root, **logging.root.manager.loggerDict}.items():
        if isinstance(logger, logging.Logger):
            found[f"logger {name}"] = (logger.level, logger.handlers[:], logger.filters[:])
    return found


SHARED = (PartialState, AcceleratorState, GradientState)
MODULES = vars(torch.nn.modules.module)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a corpus, conversations, and a run."""
    folder = tmp_path_factory.mktemp("place")
    text = " ".join(f"{i} and {i + 1}," for i in range(60))
    (folder / "text.txt").write_text("\n\n".join(f"{i}: {text}" for i in range(40)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDLAB_CACHE", str(folder / "cache"))
        kdlab.distill(folder / "run", recipe(folder), device="cpu")
        yield folder


def recipe(folder, **fields):
    return Recipe(corpus=str(folder / "text.txt"), **TINY, **fields)


def gpt(seed=0, **changes):
    torch.manual_seed(seed)
    return TinyGPT("tiny-student", vocab_size=V, block_size=16, d_model=16, n_layer=1, **changes)


def trainer(student=None, teacher=None, out=None, **options):
    options = {"steps": 2, "batch_size": 4, "device": "cpu"} | options
    models = student or gpt(dropout=0.1), teacher or gpt(1)
    return DistillationTrainer(*models, CombinedObjective(), config=TrainConfig(**options), out=out)


def fit(*models, **options):
    run = trainer(*models, **options)
    return lambda: run.fit(rows(), rows(seed=1))


def fall():
    student = gpt()
    with torch.no_grad():
        student.norm.weight.fill_(torch.inf)
    run = fit(student)

    def fails():
        with pytest.raises(FloatingPointError):
            run()

    return fails


def command(*words):
    def run():
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 0, result.output

    return run


def called(function, *arguments, **named):
    return lambda: function(*arguments, **named)


def store(teacher, path):
    def write_and_read():
        kdlab.write_topk_store(teacher, rows(), path, k=4)
        kdlab.TopKTeacher(path, rows())

    return write_and_read


def draw(run):
    plt.close(plots.training_curves(kdlab.History.read(run / "metrics.jsonl")))


def one_arm(place):
    return kdlab.Sweep("of one", {"a": recipe(place)}, seeds=1)


def calls(place):
    """Each made ready: what it is given has been made."""
    run, text = place / "run", place / "text.txt"
    row, own = rows()[0]["input_ids"][None], {"on_policy": 1.0, "prompt_tokens": 2}
    short = ["--corpus", text, "--vocab-size", 300, "--teacher-steps", 1, "--cpu"]
    return {
        "fit": lambda: fit(),
        "fit and write": lambda: fit(out=place / "fit", checkpoint_every=1, eval_every=1),
        "fit in half precision": lambda: fit(mixed_precision="bf16"),
        "fit on own text": lambda: fit(**own),
        "fit of transformers": lambda: fit(tiny("Llama"), tiny("Llama", 1)),
        "fit that fails": fall,
        "evaluate": lambda: called(kdlab.evaluate, gpt(), rows(), gpt(1)),
        "generate": lambda: called(kdlab.generate, gpt(), row, 3, temperature=0.0),
        "stores": lambda: store(gpt(), place / "teacher.topk"),
        "distill": lambda: called(kdlab.distill, place / "again", recipe(place), device="cpu"),
        "evaluate_run": lambda: called(kdlab.evaluate_run, run, device="cpu"),
        "chat": lambda: called(kdlab.Chat.of(run, device="cpu").say, "1 and", new_tokens=2),
        "student": lambda: called(kdlab.load_student, run),
        "sweep": lambda: called(one_arm(place).results, place / "sweep", threads=1),
        "figures": lambda: called(draw, run),
        "widgets": lambda: called(lambda: [kind().close() for kind in WIDGETS.values()]),
        "kdlab distill": lambda: command("distill", *short, "--steps", 1, "--out", place / "one"),
        "kdlab evaluate": lambda: command("evaluate", run, "--cpu"),
        "kdlab chat": lambda: command("chat", run, "--say", "1", "--new-tokens", 2, "--cpu"),
        "kdlab cache-teacher": lambda: command("cache-teacher", *short, "--out", place / "a.topk"),
        "kdlab plot": lambda: command("plot", run, "--out", place / "run.svg"),
    }


@pytest.fixture
def own_state():
    """What the tests that follow find of Accelerate is as it was."""
    with own_accelerate_state():
        yield


@pytest.mark.parametrize("name", calls(Path()))
def test_a_process_is_left_as_it_was(place, own_state, name):
    call = calls(place)[name]()
    before = process()
    call()
    after = process()
    changed = {name: (before[name], after[name]) for name in before if after[name] != before[name]}
    assert not changed


@pytest.mark.parametrize("ours", ["no", "bf16"])
def test_accelerate_is_a_user_s_to_set_up_before_a_run_and_after_it(own_state, ours):
    fit(mixed_precision=ours)()
    mine = Accelerator(cpu=True, mixed_precision="bf16", gradient_accumulation_steps=4)
    model = torch.nn.Linear(2, 2)
    with mine.accumulate(model):  # no step is taken in here
        run = trainer(mixed_precision=ours)
        run.fit(rows())
    assert not torch.equal(run.student.lm_head.weight, gpt(dropout=0.1).lm_head.weight)
    assert run.accelerator.mixed_precision == ours
    assert run.accelerator.device.type == "cpu"
    assert mine.mixed_precision == AcceleratorState().mixed_precision == "bf16"
    assert mine.gradient_accumulation_steps == 4
    assert not mine.sync_gradients


@pytest.mark.parametrize("found", [None, signal.SIG_IGN])
def test_handlers_that_python_did_not_set_stay(monkeypatch, found):
    """As of a program around Python, and of a shell that starts something in the background."""
    monkeypatch.setattr(signal, "getsignal", lambda number: found)
    monkeypatch.setattr(signal, "signal", lambda *arguments: 1 / 0)
    fit()()


def test_runs_in_threads_that_share_a_teacher_are_those_of_one_thread(place):
    teacher = gpt(1)
    runs = [trainer(gpt(seed, dropout=0.1), teacher, steps=20) for seed in (0, 2)]
    threads = [threading.Thread(target=run.fit, args=(rows(), rows(seed=1))) for run in runs]
    before = process()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert process() == before
    for seed, run in zip((0, 2), runs, strict=True):
        alone = trainer(gpt(seed, dropout=0.1), teacher, steps=20).fit(rows(), rows(seed=1))
        assert run.history.column("loss") == alone.column("loss")


def test_a_run_asks_for_its_device_when_its_turn_has_come(monkeypatch):
    """Accelerate then begins anew, also for the run that is under way in another thread."""
    asked, in_between = [], []
    monkeypatch.setattr(
        "kdlab.checks.resolve_device", lambda name: asked.append(name) or torch.device(name)
    )
    other = threading.Thread(target=fit())

    class Watched(CombinedObjective):
        def __call__(self, *given, **named):
            if not in_between:
                other.start()
                other.join(0.5)
                in_between.append(len(asked))
            return super().__call__(*given, **named)

    config = TrainConfig(steps=1, batch_size=4, device="cpu")
    DistillationTrainer(gpt(), gpt(1), Watched(), config=config).fit(rows())
    other.join()
    assert (in_between, len(asked)) == ([1], 2)


def test_two_models_teach_each_other_in_two_threads():
    """The runs take turns, and nobody waits for ever: both measure both, too, in the meantime."""

    class Lent:
        def __init__(self, model):
            self.model = model

        def targets(self, batch):
            with modes.in_evaluation_mode(self.model):
                return self.model(batch["input_ids"])[:, :-1]

    def both(order):
        models = gpt(0, dropout=0.1), gpt(1, dropout=0.1)
        runs = [trainer(models[i], Lent(models[1 - i]), steps=4) for i in (0, 1)]
        todo = [lambda i=i: runs[i].fit(rows(), rows(seed=1)) for i in order or (0, 1)]
        if order:
            [each() for each in todo]
        else:
            todo += [lambda i=i: evaluate(models[i], rows(), models[1 - i]) for i in (0, 1)]
            threads = [threading.Thread(target=each) for each in todo]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
        return [run.history.column("loss") for run in runs]

    assert both(None) in (both((0, 1)), both((1, 0)))


@pytest.mark.parametrize("shows_head", [True, False])
def test_models_that_measure_each_other_in_two_threads_wait_for_each_other_once(shows_head):
    """A teacher that is no module has a model, too, which another thread may have its turn with."""
    models = gpt(0), gpt(1)
    met = threading.Barrier(2)

    class Lent:
        def __init__(self, model):
            self.model, self.head = model, model.lm_head if shows_head else None

        def targets(self, batch):
            with contextlib.suppress(threading.BrokenBarrierError):
                met.wait(1)  # both are here at once, if both can be
            with modes.in_evaluation_mode(self.model):
                return self.model(batch["input_ids"])[:, :-1]

    found = [None, None]

    def measure(i):
        found[i] = evaluate(models[i], rows(), Lent(models[1 - i]))

    threads = [threading.Thread(target=measure, args=(i,), daemon=True) for i in (0, 1)]
    [thread.start() for thread in threads]
    [thread.join(30) for thread in threads]
    assert None not in found


def test_a_model_in_training_is_measured_between_two_steps():
    student, seen, found = gpt(dropout=0.5), [], []
    other = threading.Thread(target=lambda: found.append(evaluate(student, rows())))

    class Watched(CombinedObjective):
        def __call__(self, *given, **named):
            if not seen:
                other.start()
                wait_until(lambda: not student.training or modes.CHANGED._waiters)
            seen.append(student.training)
            return super().__call__(*given, **named)

    config = TrainConfig(steps=4, batch_size=4, device="cpu")
    DistillationTrainer(student, gpt(1), Watched(), config=config).fit(rows())
    other.join()
    assert seen
    assert all(seen)
    assert found[0].positions == evaluate(student, rows()).positions
    assert not modes.USED


def test_a_model_whose_head_is_left_out_answers_another_thread_in_full():
    model, ids, found = gpt(), torch.tensor([[1, 2, 3]]), []
    expected = model(ids)

    def ask():
        other = threading.Thread(target=lambda: found.append(model(ids)))
        other.start()
        other.join()
        return model(ids)

    assert hidden_of(ask, model.lm_head).shape == (1, 3, 16)
    assert torch.equal(found[0], expected)


def test_a_head_that_one_thread_leaves_out_is_tried_by_another_afterwards():
    """A teacher may be shared: while a step asks it, an evaluation begins with it elsewhere."""
    model, ids, found = gpt(), torch.tensor([[1, 2, 3]]), []
    other = threading.Thread(
        target=lambda: found.append(why_not_left_out(lambda: model(ids), model.lm_head))
    )

    def ask():
        other.start()
        other.join(1)
        return model(ids)

    assert hidden_of(ask, model.lm_head).shape == (1, 3, 16)
    other.join()
    assert found == [None]
