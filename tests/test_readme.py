"""Every command in the README does what the README says."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import torch
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_pin_installs_on_the_oldest_python():
    refused = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name = line.partition("==")[0]
        try:
            needs = distribution(name).metadata["Requires-Python"]
        except PackageNotFoundError:
            continue  # of an extra that is not installed here
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


def is_served(process, address, seconds=90):
    """Whether the address answers; the server is stopped either way."""
    try:
        for _ in range(seconds):
            try:
                with urllib.request.urlopen(address, timeout=5) as answer:
                    return answer.status == 200
            except urllib.error.HTTPError as error:  # the server is up
                return error.code == 200
            except OSError:
                assert process.poll() is None, process.stdout.read()
                time.sleep(1)
        return False
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def start(*words):
    return subprocess.Popen(
        words,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_every_command_of_the_readme_is_tested_here():
    assert {words[:2] for words in commands("sh")} == {
        ("make", "book"),
        ("make", "test"),  # this suite
        ("make", "serve"),
        ("make", "lab"),
        ("make", "course"),
        (".venv/bin/kdlab", "distill"),
    }


@pytest.mark.slow
def test_make_book_and_make_serve():
    assert "Open _build/html/index.html" in run("make", "book")
    assert is_served(start("make", "serve"), "http://127.0.0.1:8000/index.html")


@pytest.mark.slow
def test_make_lab_opens_the_exercises():
    server = start("make", "lab", "LAB_OPTIONS=--no-browser --port=8899 --IdentityProvider.token=")
    assert is_served(
        server, "http://127.0.0.1:8899/api/contents/ps1_divergences/ps1_divergences.ipynb"
    )


@pytest.mark.slow
def test_make_course_grades_the_sample_submissions(bubblewrap):
    printed = run("make", "course")
    assert "solution" in printed


@pytest.mark.slow
def test_the_distillation_of_the_readme(tmp_path):
    (command,) = [words for words in commands("sh") if words[1] == "distill"]
    program = str(Path(sys.executable).parent / "kdlab")
    out = tmp_path / "first"
    words = [program, *command[1:-1], str(out)]
    assert command[-2:] == ("--out", "runs/first")
    run(*words)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["teacher_perplexity"] < 0.7 * summary["eval_perplexity"]
    assert summary["eval_perplexity"] < 600  # of 2,048 for a model that knows nothing
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 200


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


def test_links_of_the_documents_lead_somewhere():
    for document in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / document).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (ROOT / target).exists(), f"{document} links to {target}"
