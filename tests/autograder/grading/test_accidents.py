"""What is said of a task that has no result, from what the student wrote."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from autograder.cells import VERDICT_MIME
from autograder.grading.accidents import where, why_none, why_without_result
from autograder.grading.feedback.verdicts import ForStudents
from autograder.judging.rubric import Section
from autograder.judging.verdict import Status, Verdict


def notebook(*answers: str, task: str = "forward_kl", asked: str | None = None) -> list:
    cells = [new_markdown_cell("Story"), new_code_cell("import torch")]
    cells[1].metadata.nbgrader = {"grade_id": "setup", "locked": True}
    cells += [new_code_cell(answer) for answer in answers]
    cells[-1].metadata.nbgrader = {"grade_id": f"{task}_answer"}
    return [*cells, new_code_cell(f'check("{task}", {asked or task})')]


def said(cells: list) -> str | None:
    return why_without_result(cells, len(cells) - 1) or why_none(cells, len(cells) - 1)


def test_a_task_that_returns_nothing_rightly_is_not_told_so() -> None:
    cells = notebook("def train(student):\n    student.step()", task="train")
    assert why_without_result(cells, len(cells) - 1) is None


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def forward_kl(s, t):\n    return (s", "it has a SyntaxError in line 2."),
        ("def forward_kl(s, t):\n    a = 1\n      b = 2", "an IndentationError in line 3."),
        ("def forward_kl(:", "it has a SyntaxError in line 1."),
        ("\n\ndef forward_kl(:", "it has a SyntaxError in line 3."),
        ("# YOUR CODE HERE\nraise NotImplementedError()", "has not been written yet"),
        ('"""Do it."""\nraise NotImplementedError', "has not been written yet"),
        ("def forward_kl(s, t):\n    raise NotImplementedError()", "is not written yet"),
        ("students = {}\nraise NotImplementedError()", "left over"),
        ("log_q = 1\nforward_kl = log_g + 1", "uses `log_g`, which"),
        ("log_q = 1\nforward_kl = log_g + 1", "did you mean `log_q`?"),
        ("def forward_kl(student, t):\n    return studnet * t", "did you mean `student`?"),
        ("def forward_KL(s, t):\n    return 1", "defines `forward_KL`, and the check asks"),
        ("def kl(s, t):\n    return 1", "defines `kl`, and the check asks for `forward_kl`"),
        ("class Kl:\n    pass", "defines `Kl`"),
        ("tokens = [kl for kl in range(3)]", "defines `tokens`, and the check asks"),
        ("make: int = lambda forward_kls: 3", "defines `make`, and the check asks"),
        ("# nothing", "no cell of the notebook sets it"),
        ("def forward_kl(s, t):\n    s + t", "returns nothing"),
        ("def forward_kl(s, t):\n    print(s)\n    return", "returns nothing"),
        ("%matplotlib inline\ndef forward_kl(s, t):\n    s", "returns nothing"),
        ("exit()\ndef forward_kl(s, t):\n    return s", "which calls exit() or quit(),"),
        ("from kdlab.losses import forward_kl", "imports `kdlab`, which the notebook"),
        ("def forward_kl(s, t):\n    import scipy.special as sp\n    return sp", "imports `scipy`"),
    ],
)
def test_the_cell_the_name_and_the_error_are_told(source, words) -> None:
    assert words in said(notebook(source))


@pytest.mark.parametrize(
    "source",
    [
        "def forward_kl(s, t):\n    return s",
        "forward_kl = lambda s, t: s",
        "def forward_kl(s, t):\n    yield s",
        "forward_kl = 1 / 0",
        "from torch.nn.functional import *\nforward_kl = kl_div",
        "import torch.nn.functional as F\nforward_kl = F.kl_div",
        "def forward_kl(s, t):\n    try:\n        return s\n    except OSError as e:\n        e",
        "files = !ls\ntimes = %time 1\ndef forward_kl(s, t):\n    return files, times",
        "\n\n  %matplotlib inline\n  def forward_kl(s, t):\n      return s",
        "def forward_kl(s, t):\n    match s:\n        case [a, *b]:\n            return a, b",
        "class Mine:\n    def forward(self, s):\n        raise NotImplementedError\n"
        "def forward_kl(s, t):\n    return s",
        "def forward_kl(s, t):\n    return sum(a for a in s if a > t)",
        "%%time\ndef forward_kl(s, t):\n    s",
        "import os, numpy as np\nfrom torch import nn\ndef forward_kl(s, t):\n    return s",
        "x = [\n" + "  12345,\n" * 3_000 + "]\ndef forward_kl(s, t):\n    return s",
        "class forward_kl:\n    def __call__(self):\n        return __class__",
        "def forward_kl(s, t):\n    return _1, _i2, _iii, ___, _oh[3], _dh, __builtins__",
        "try:\n    import jax\nexcept ImportError:\n    pass\ndef forward_kl(s, t):\n    return s",
    ],
)
def test_nothing_is_said_where_the_source_shows_nothing(source) -> None:
    assert said(notebook(source)) is None


def test_a_choice_without_quotation_marks() -> None:
    cells = notebook("two_sources = c", task="two_sources_choice", asked="two_sources")
    assert said(cells).endswith('write it in quotes: two_sources = "c".')


def test_a_near_name_of_another_cell_is_told_unless_another_task_asks_for_it() -> None:
    assert "defines `forwardkl`" in said(notebook("forwardkl = 1", "# nothing"))
    cells = notebook("reverse_kl = 1", "# nothing", task="reverse_k")
    assert "defines `reverse_kl`" in said(cells)
    assert "no cell" in said([new_code_cell('check("reverse_kl", reverse_kl)'), *cells])


def test_a_task_pasted_under_its_old_name() -> None:
    cells = notebook("def combined_objective(s):\n    return 1", task="convex_objective")
    assert "defines `combined_objective`, and the check asks for `convex_objective`" in said(cells)


@pytest.mark.parametrize(
    "before",
    [
        "%%time\nforward_kl = helper = 1",
        "%run mine.py",
        "from mine import *",
        "exec(text)",
        "helper = 1\n" + "# more\n" * 4_000,
    ],
)
@pytest.mark.parametrize("answer", ["# see above", "forward_kl = helper"])
def test_no_name_is_called_undefined_that_a_cell_may_define_unseen(before, answer) -> None:
    assert said(notebook(before, answer)) is None


def test_a_name_of_a_cell_that_could_not_be_run_is_undefined() -> None:
    assert "`helper` is not defined anywhere" in said(notebook("helper = (", "forward_kl = helper"))


@pytest.mark.parametrize(
    "source",
    [
        "x = (" * 200_000,
        "a" * 1_000_000,
        "-" * 19_000 + "1",
        "\0",
        "[" * 15_000,
        "%a\n" * 6_000,
        "x = !a\n" * 2_000,
        "a?\n" * 6_000,
        "def forward_kl(s, t):\n    return 0" + " + s" * 1_200,
    ],
)
def test_sources_made_to_be_slow_or_deep_are_survived(source) -> None:
    said(notebook(source))
    said(notebook(*[source] * 20, "# nothing"))


def test_a_cell_that_ended_python_is_named() -> None:
    cell = new_code_cell("exit()")
    assert where(cell, 4) == "cell 5 of the notebook, which calls exit() or quit(),"
    cell = new_code_cell("1", metadata={"nbgrader": {"grade_id": "lm_loss_answer"}})
    assert where(cell, 4) == "the cell `lm_loss_answer`"


def shown(status: Status, words: str, cells: list) -> str:
    """What feedback shows of a verdict."""
    section, parts = Section("1.1", "", ""), {"values": 0.0}
    verdict = Verdict("train", 0.0, 3.0, status, words, "", section, parts)
    cells[-1].metadata.nbgrader = {"grade_id": "train", "grade": True, "solution": False}
    data = {"text/plain": "0.0", VERDICT_MIME: {"verdict": verdict.to_data()}}
    cells[-1].outputs = [new_output("execute_result", data)]
    done, _ = ForStudents().preprocess(new_notebook(cells=cells), {})
    return done.cells[-1].outputs[0].data["text/plain"]


@pytest.mark.parametrize(
    "sources",
    [
        ("exit()", "def train(student):\n    return student"),
        ("def train(student):\n    return student", "def train(student):\n    return (student"),
        ("def train(student):\n    return student", "raise NotImplementedError()"),
        ("from functools import partial", "def trains(student):\n    return student"),
    ],
)
def test_where_there_are_results_nothing_is_said_of_why_there_are_none(sources) -> None:
    cells = notebook(*sources, task="train")
    said_first = shown(Status.WRONG, "Results differ from what was expected.", cells)
    assert "This is not right yet.\n" in said_first
    assert "This is not right yet.\n" not in shown(Status.NOT_RUN, "Nothing.", cells)


@pytest.mark.parametrize(
    ("said_by_the_judge", "told"),
    [
        ("It returned None each time. Is a return statement missing?", True),
        ("Results differ from what was expected.", False),
        (
            "It worked with a None, which a function without a return statement gives.",
            False,
        ),
    ],
)
def test_a_missing_return_is_told_where_a_result_was_asked_for(said_by_the_judge, told) -> None:
    cells = notebook("def train(student):\n    student.step()", task="train")
    assert ("returns nothing" in shown(Status.WRONG, said_by_the_judge, cells)) == told
