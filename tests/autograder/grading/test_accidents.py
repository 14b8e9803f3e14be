"""What is said when a graded cell finds no answer."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from autograder.grading.accidents import Error, where, why_missing


def notebook(*answers: str, task: str = "forward_kl", asked: str | None = None) -> list:
    cells = [new_markdown_cell("Story"), new_code_cell("import torch")]
    cells += [new_code_cell(answer) for answer in answers]
    cells[-1].metadata.nbgrader = {"grade_id": f"{task}_answer"}
    return [*cells, new_code_cell(f'check("{task}", {asked or task})')]


def said(cells: list, error: Error | None = None) -> str:
    index = len(cells) - 1
    return why_missing(cells, index, {index - 1: error} if error else {})


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        (
            "def forward_kl(s, t):\n    return (s",
            Error("SyntaxError", "'(' was never closed (2870.py, line 2)"),
            "it has a SyntaxError in line 2.",
        ),
        (
            "def forward_kl(s, t):\n    a = 1\n      b = 2",
            Error("IndentationError", "unexpected indent (1.py, line 3)"),
            "it has an IndentationError in line 3.",
        ),
        ("def forward_kl(:", Error("SyntaxError", "line 99999999"), "it has a SyntaxError."),
        (
            "# YOUR CODE HERE\nraise NotImplementedError()",
            Error("NotImplementedError", ""),
            "has not been written yet",
        ),
        (
            "students = {}\nraise NotImplementedError()",
            Error("NotImplementedError", ""),
            "left over",
        ),
        ("scale = 1 / 0", Error("ZeroDivisionError", "x"), "stopped with ZeroDivisionError"),
        ("boom()", Error("Leak_1_2", "3"), "stopped with an exception"),
        ("log_q = 1\nx = log_g + 1", Error("NameError", "name 'log_g' is not defined"), "`log_q`?"),
        ("x = y", Error("NameError", "name 'secret_17' is not defined"), "with NameError before"),
        ("def forward_KL(s, t):\n    return 1", None, "defines `forward_KL`, and the check asks"),
        ("def kl(s, t):\n    return 1", None, "defines `kl`, and the check asks for `forward_kl`"),
        ("class Kl:\n    pass", None, "defines `Kl`"),
        ("# nothing", None, "no cell of the notebook sets it"),
        ("def forward_kl(s, t):\n    return 1\ndel forward_kl", None, "it was gone"),
    ],
)
def test_the_cell_the_name_and_the_error_are_told(source, error, words) -> None:
    assert words in said(notebook(source), error)


def test_a_choice_without_quotation_marks() -> None:
    cells = notebook("two_sources = c", task="two_sources_choice", asked="two_sources")
    words = said(cells, Error("NameError", "name 'c' is not defined"))
    assert words.endswith('write it in quotes: two_sources = "c".')


def test_a_near_name_of_another_cell_is_told_unless_another_task_asks_for_it() -> None:
    assert "defines `forwardkl`" in said(notebook("forwardkl = 1", "# nothing"))
    cells = notebook("reverse_kl = 1", "# nothing", task="reverse_k")
    assert "defines `reverse_kl`" in said(cells)
    assert "no cell" in said([new_code_cell('check("reverse_kl", reverse_kl)'), *cells])


def test_a_task_pasted_under_its_old_name() -> None:
    cells = notebook("def combined_objective(s):\n    return 1", task="convex_objective")
    assert "defines `combined_objective`, and the check asks for `convex_objective`" in said(cells)


def test_sources_made_to_be_slow_are_read_in_part() -> None:
    assert said(notebook("x = (" * 200_000), Error("SyntaxError", "line 1"))
    assert said(notebook("a" * 1_000_000))


def test_a_cell_that_ended_python_is_named() -> None:
    cell = new_code_cell("exit()")
    assert where(cell, 4) == "cell 5 of the notebook, which calls exit() or quit(),"
    cell = new_code_cell("1", metadata={"nbgrader": {"grade_id": "lm_loss_answer"}})
    assert where(cell, 4) == "the cell `lm_loss_answer`"
