"""Expected and got, side by side."""

import re

import numpy as np
import pytest

from autograder.judging.comparison import compare, shown
from autograder.kernel.evidence import Outcome


def returned(value: object) -> Outcome:
    return Outcome("returned", value)


def compared(value: object, wanted: object, tolerance: float = 1e-6, **options: object):
    return compare("a case", returned(value), returned(wanted), tolerance, **options)


def test_what_differs_is_marked_for_eyes_and_for_screen_readers() -> None:
    comparison = compared(np.array([[1.0, 2.5], [3.0, 4.0]]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert comparison.to_text().splitlines() == [
        "a case: 1 of 4 values differs.",
        "          expected  got",
        "  [0, 0]         1    1",
        "  [0, 1]         2  2.5  ≠",
        "  [1, 0]         3    3",
        "  [1, 1]         4    4",
    ]
    html = comparison.to_html()
    assert html.count('aria-label="differs"') == 1
    assert re.search(r'<th scope="row">\[0, 1\]</th><td>2</td><td[^>]*><strong>2.5</strong>', html)
    assert "<caption" in html


def test_of_a_long_result_the_first_difference_is_said() -> None:
    wanted = np.linspace(1, 2, 40)
    value = wanted.copy()
    value[16:] += 1
    comparison = compared(value, wanted, unit="step")
    assert comparison.summary == "24 of 40 values differ, the first at step 17."
    assert [row.place for row in comparison.rows[:2]] == ["step 16", "step 17"]
    assert [row.differs for row in comparison.rows[:2]] == [False, True]
    assert len(comparison.rows) == 8


def test_digits_grow_until_the_difference_shows() -> None:
    comparison = compared(0.123456, 0.123457, tolerance=1e-9)
    assert comparison.summary == "expected 0.123457, got 0.123456."
    (first, _) = compared([1.00000000001, 2.0], [1.0, 2.0], tolerance=0).rows
    assert first.got != first.expected


def test_parts_have_their_names() -> None:
    comparison = compared(
        [np.ones(2), np.ones(2)], [np.ones(2), np.zeros(2)], names=("student", "teacher")
    )
    assert [row.place for row in comparison.rows] == [
        "student[0]",
        "student[1]",
        "teacher[0]",
        "teacher[1]",
    ]
    assert compared([1.0, 2.0], [1.0, 3.0]).rows[1].place == "second"
    assert "array" not in comparison.to_text()


@pytest.mark.parametrize(
    ("value", "wanted", "said"),
    [
        (np.array([0.7]), 0.7, "a tensor of shape [1] where a number was asked for"),
        (None, 0.7, "return statement"),
        ("0.7", 0.7, "text where a number"),
    ],
)
def test_identical_digits_in_another_form_are_explained(value, wanted, said: str) -> None:
    assert said in compared(value, wanted).to_text()


def test_exceptions_are_shown_with_their_words() -> None:
    outcome = Outcome("raised", None, "KeyError", "'logits'")
    assert "got KeyError: 'logits'" in compare("a case", outcome, returned(1.0), 0).to_text()


def test_pages_escape_what_they_show() -> None:
    comparison = compared(["<script>", "b"], ["a", "b"])
    assert "<script>" not in comparison.to_html()
    assert "<script>" not in compared("<script>", 1.0).to_html()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float32(1 / 3), "0.3333"),
        ([np.array(2.7371), 1.0, [True, "b"]], "[2.737, 1, [True, 'b']]"),
        ([np.array([0.25, 0.5])], "[[0.25, 0.5] of shape [2]]"),
        (np.array([0.25, 0.5]), "[0.25, 0.5] of shape [2]"),
        (np.arange(20), "[0, 1, 2, 3, 4, 5, …] of shape [20]"),
        (None, "None"),
        ("x" * 500, "'" + "x" * 198 + "…"),
    ],
)
def test_outcomes_are_shown_as_a_reader_writes_them(value, text: str) -> None:
    assert shown(returned(value)) == text
