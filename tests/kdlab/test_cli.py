"""The command line where it meets a shell: paths, streams, and what cannot be drawn."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner

import kdlab
import kdlab.runs
from kdlab.cli import app
from kdlab.recipes import Recipe


def kdlab_(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_version_is_said():
    assert kdlab_("--version").output == f"kdlab {kdlab.__version__}\n"


def test_a_recipe_is_made_of_the_options_that_have_the_names_of_its_fields():
    commands = typer.main.get_command(app).commands
    names = {name: {each.name for each in command.params} for name, command in commands.items()}
    known = {item.name for item in fields(Recipe)}
    assert names["distill"] - known == {"out", "checkpoint_every", "resume", "cpu", "as_json"}
    assert names["cache-teacher"] - known == {"out", "k", "cpu", "as_json"}
    assert known <= names["distill"]


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("--version >/dev/full", 1, "kdlab: No space left on device\n"),
        ("--help >/dev/full", 1, "kdlab: No space left on device\n"),
        ("--version >&- 2>&-", 0, ""),
    ],
)
def test_a_stream_that_takes_nothing_is_one_sentence(command, code, said):
    if not Path("/dev/full").exists():
        pytest.skip("needs Linux's /dev/full")
    shell = f'"{sys.executable}" -m kdlab {command}'
    ended = subprocess.run(shell, shell=True, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (code, said)


def test_a_closed_stream_is_replaced_before_a_file_gets_its_number(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as ended:
        typer.main.get_command(app)(["--version"])
    assert ended.value.code == 0
    sys.stdout.close()


def test_a_picture_is_drawn_where_there_is_no_folder_yet(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    run = tmp_path / "run"
    run.mkdir()
    (run / "metrics.jsonl").write_text(
        '{"kind": "train", "step": 1, "lm_loss": 1.0, "kd_loss": 0.5, "lam": 1.0}\n'
    )
    assert kdlab_("plot", "~/run", "--out", "~/new/a.svg").exit_code == 0
    assert "<svg" in (tmp_path / "new" / "a.svg").read_text()
    refused = kdlab_("plot", run, "--out", tmp_path / "new" / "a.xyz")
    assert refused.exit_code == 1
    assert "'xyz' is not supported" in refused.output
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.svg"]


@pytest.mark.parametrize(
    ("metrics", "show", "message"),
    [
        (b"", "training", "this run has taken no step yet"),
        (b'{"kind": "train", "step": 1}\n', "training", "a record has no 'kd_loss'"),
        (b"\xa0\xff\n", "training", "metrics.jsonl holds what is no record of a run"),
        (b'{"kind": "eval", "step": 1}\n', "perplexity", "'run' has no perplexity"),
        (None, "training", "metrics.jsonl: No such file or directory"),
    ],
)
def test_what_cannot_be_drawn_is_told(tmp_path, metrics, show, message):
    (tmp_path / "run").mkdir()
    if metrics is not None:
        (tmp_path / "run" / "metrics.jsonl").write_bytes(metrics)
    picture = tmp_path / "a.svg"
    refused = kdlab_("plot", tmp_path / "run", "--show", show, "--out", picture)
    assert refused.exit_code == 1
    assert message in refused.output.replace("\n", "")
    assert not picture.exists()


def test_a_byte_that_is_no_character_is_told(monkeypatch):
    monkeypatch.setattr(kdlab.runs, "load_student", lambda run: torch.nn.Identity())
    monkeypatch.setattr(kdlab.runs, "load_tokenizer", lambda run: None)
    for words in (["--say", "\udcff"], ["--say", "Hi", "--system", "\udcff"]):
        refused = kdlab_("chat", "run", "--cpu", *words)
        assert refused.exit_code == 1
        assert "holds half a character, '\\udcff', which no tokenizer reads" in refused.output
    refused = kdlab_("chat", "run", "--cpu", "--say", "")
    assert refused.exit_code == 1
    assert "nothing is said: the text is empty" in refused.output


@pytest.mark.parametrize(
    ("stopped", "then"),
    [
        ("stopped after step 2 of 9; the same call with resume=True goes on", "--resume goes on."),
        (
            "stopped after step 2 of 9",
            "command begins anew.",
        ),  # of a teacher, of which none is kept
        ("", "--resume goes on."),
    ],
)
def test_after_ctrl_c_it_is_said_what_the_same_command_does(stopped, then, tmp_path, monkeypatch):
    def interrupted(*_, **named):
        raise KeyboardInterrupt(stopped)

    monkeypatch.setattr(kdlab.runs, "distill", interrupted)
    found = kdlab_("distill", "--out", tmp_path / "run")
    assert found.exit_code == 130
    assert found.output.endswith(f"{then}\n")


@pytest.mark.parametrize("words", [["distill", "--out"], ["cache-teacher", "--out"]])
def test_where_nothing_can_be_written_no_teacher_is_trained(words, tmp_path, monkeypatch):
    monkeypatch.setattr(kdlab.runs.Ingredients, "of", lambda *_, **named: 1 / 0)
    monkeypatch.setattr("os.access", lambda path, mode: False)  # as in a folder of another account
    refused = kdlab_(*words, tmp_path / "new" / "run")
    assert refused.exit_code == 1
    assert f"{tmp_path} cannot be written to; choose another folder" in refused.output
