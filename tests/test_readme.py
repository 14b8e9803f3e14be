"""Every command in the README does what the README says."""

import itertools
import json
import operator
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import torch
import transformers
from packaging.specifiers import SpecifierSet

from benchmarks.experiments.__main__ import NAMES
from kdlab import SweepResults
from tests.kdlab.tiny_models import tiny_pair
from tests.serving import served, status_of

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_every_pin_installs_on_the_oldest_python():
    refused = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, _, version = line.partition("==")
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue  # of an extra that is not installed here
        needs = installed.version == version and installed.metadata.get("Requires-Python")
        if needs and "3.11.0" not in SpecifierSet(needs):
            refused[name] = needs
    assert not refused


def commands(language):
    """Each command in the README's blocks, continued lines joined, comments removed."""
    for block in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield tuple(words)


def run(*words):
    result = subprocess.run(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert result.returncode == 0, result.stdout[-4000:]
    return result.stdout


WITHOUT_MAKE = [words for words in commands("sh") if words[0] != "make" and "distill" not in words]


def test_the_commands_without_make_are_those_of_make(tmp_path):
    for name in ("Makefile", "pyproject.toml", "requirements.txt", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)  # nothing is installed there
    told = {
        "PYTHON": "python3",
        "INSTALLER": ".venv/bin/python -m pip",
        "CONSTRAINTS": "constraints.txt",
    }
    printed = subprocess.run(
        ["make", "-n", "book", "test", *(f"{key}={value}" for key, value in told.items())],
        cwd=tmp_path,
        env={key: value for key, value in os.environ.items() if not key.startswith("MAKE")},
        capture_output=True,
        text=True,
    ).stdout
    made = printed.replace("--quiet ", "").replace('"$@" -m venv', f"\n{told['PYTHON']} -m venv")
    assert len(WITHOUT_MAKE) == 4
    for words in WITHOUT_MAKE:
        assert f"\n{shlex.join(words)}" in f"\n{made}", words


def test_every_command_of_the_readme_is_tested_here():
    assert (
        {words[:2] for words in commands("sh")}
        == {
            ("make", "book"),
            ("make", "test"),  # this suite
            ("make", "serve"),
            ("make", "pdf"),  # tests/book/test_paper.py, and tests/test_makefile.py
            ("make", "lab"),  # tests/exercises/test_course.py
            ("make", "course"),  # as above
            (".venv/bin/kdlab", "distill"),
            *(words[:2] for words in WITHOUT_MAKE),
        }
    )


@pytest.mark.slow
def test_make_book_and_make_serve(make_book):
    assert "Open _build/html/index.html" in make_book
    process, address = served("make", "serve", "PORT=0")
    assert status_of(process, f"{address}/index.html") == 200


@pytest.mark.slow
def test_the_distillation_of_the_readme(tmp_path):
    (command,) = [words for words in commands("sh") if words[1] == "distill"]
    program = str(Path(sys.executable).parent / "kdlab")
    out = tmp_path / "first"
    words = [program, *command[1:-1], str(out)]
    assert command[-2:] == ("--out", "runs/first")
    run(*words)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["teacher_perplexity"] < 0.8 * summary["eval_perplexity"]
    assert summary["eval_perplexity"] < 150  # of 512 for a model that knows nothing
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 100


@pytest.mark.slow
def test_the_practitioner_s_path_of_the_readme(tmp_path):
    """Two tiny models in folders stand in for those of the hub; all else is as it is told."""
    install, distill, chat = commands("shell")
    extras = re.fullmatch(r"\.\[(\w+)\]", install[-1])[1]
    assert (
        extras
        in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    )
    folders = tiny_pair(tmp_path)
    told = dict(pair for pair in itertools.pairwise(distill) if pair[0] in NAMED)
    assert all(told[name].startswith("hf:") for name in ("--teacher", "--student"))
    replaced = {
        told["--teacher"]: f"hf:{folders['teacher']}",
        told["--student"]: f"hf:{folders['student']}",
        told["--data"]: str(folders["data"]),
        told["--out"]: str(tmp_path / "out"),
        told["--steps"]: "4",
    }
    program = str(Path(sys.executable).parent / "kdlab")
    words = [replaced.get(word, word) for word in distill[1:]]
    printed = run(program, *words, "--cpu")
    assert "of its answers to held-out questions" in printed.lower()
    assert run(program, chat[1], str(tmp_path / "out"), *chat[3:], "--new-tokens", "3", "--cpu")

    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    before = transformers.AutoModelForCausalLM.from_pretrained(folders["student"])
    asked = [{"role": "user", "content": "Which weekday is 3 days after Friday?"}]
    inputs = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_tensors="pt")
    assert model.generate(**inputs, max_new_tokens=3).shape[1] <= inputs["input_ids"].shape[1] + 3
    assert model.config.hidden_size == before.config.hidden_size == 32
    assert not model.lm_head.weight.equal(before.lm_head.weight)


NAMED = ("--teacher", "--student", "--data", "--out", "--steps")


@pytest.mark.slow
def test_the_python_of_the_readme_runs():
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {
        "student_logits": torch.randn(3, 5, requires_grad=True),
        "teacher_logits": torch.randn(3, 5),
        "labels": torch.tensor([0, 1, -100]),
    }
    exec(block, names)
    assert names["output"].num_items == 2
    assert names["student_logits"].grad.abs().sum() > 0


def test_the_time_of_the_experiments_is_that_of_the_recorded_runs():
    def hours(names):
        found = [SweepResults.read(ROOT / f"book/labs/results/{name}.json") for name in names]
        wide = [each.machine["threads_per_run"] / 2 for each in found]  # of two cores
        seconds = [sum(run["seconds"] for run in each.runs) for each in found]
        return sum(map(operator.mul, seconds, wide)) / 3600

    pages = ("two_sources", "lambda_in_motion")
    said = "the labs take about two hours, and those of 2.1 and 3.1 another hour and a half"
    assert said in " ".join(README.split())
    assert 1.75 < hours(set(NAMES) - set(pages)) < 2.25
    assert 1.25 < hours(pages) < 1.75


def test_each_command_that_distils_has_a_folder_of_its_own():
    pages = [ROOT / "README.md", *(ROOT / "book").rglob("*.md")]
    commands = [
        " ".join(each.replace("\\\n", " ").split())
        for page in pages
        for each in re.findall(
            r"kdlab distill (?:[^\n]*\\\n)*[^\n]*", page.read_text(encoding="utf-8")
        )
    ]
    folders = [each.split("--out ")[1].split()[0] for each in commands if "--out " in each]
    assert "runs/first" in folders
    assert not {each for each in folders if folders.count(each) > 1}


def test_links_of_the_documents_lead_somewhere():
    for document in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (ROOT / target).exists(), f"{document} links to {target}"
