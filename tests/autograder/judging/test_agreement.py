"""Which values agree, and what is said of those that have another form."""

import numpy as np
import pytest

from autograder.judging.agreement import complaint, same

BOOLS = (bool, np.bool_, np.array)


@pytest.mark.parametrize(
    ("value", "wanted", "agree"),
    [
        ([0.25, 0.5], np.array([0.25, 0.5]), True),
        ([[1, 2], [3, 4]], np.array([[1.0, 2.0], [3.0, 4.0]]), True),
        ([np.array(0.25), np.float32(0.5)], np.array([0.25, 0.5]), True),
        ([np.array([1.0]), np.array([2.0])], np.array([[1.0], [2.0]]), True),
        ([True, False], np.array([True, False]), True),
        ([True, 0.5], np.array([1.0, 0.5]), False),
        ([np.array(True), 0.5], np.array([1.0, 0.5]), False),
        ([np.array(True), False], np.array([True, False]), True),
        *((kind(True), other(True), True) for kind in BOOLS for other in BOOLS),
        *((kind(True), other(False), False) for kind in BOOLS for other in BOOLS),
        *((kind(True), one, False) for kind in BOOLS for one in (1, 1.0, np.array(1.0))),
        *((one, kind(True), False) for kind in BOOLS for one in (1, 1.0, np.array(1.0))),
        (True, np.array([True]), False),
        ([[1.0], [2.0, 3.0]], np.array([1.0, 2.0]), False),
        (["a", 1.0], np.array([1.0, 2.0]), False),
        ([], np.array([1.0]), False),
        (np.array([0.25, 0.5]), [0.25, 0.5], True),
        (np.array([[1.0, 2.0], [3.0, 4.0]]), [np.array([1, 2]), np.array([3, 4])], True),
        (np.array([0.25, 0.5, 1.0]), [0.25, 0.5], False),
        (np.array(0.25), [0.25, 0.5], False),
        (np.float32(0.5), 0.5, True),
        (0.5, np.array([0.5]), False),
        ("bDac ", ["b", "d", "a", "c"], True),
        ("bdca", ["b", "d", "a", "c"], False),
        ("ab", ["ab"], False),
        ({"A": "x", "b ": "Y"}, {"a": "x", "b": "y"}, True),
        ({"A": "x", "a": "x", "b": "y"}, {"a": "x", "b": "y"}, False),
        ({"Teacher": "x"}, {"teacher": "x"}, False),
    ],
    ids=repr,
)
def test_forms_that_say_the_same(value, wanted, agree: bool) -> None:
    assert same(value, wanted, 1e-6) is agree


@pytest.mark.parametrize(
    ("value", "wanted", "said"),
    [
        (None, np.ones(3), "None where a tensor of shape [3] was asked for. Is a return"),
        (np.ones(1), 0.5, "a tensor of shape [1] where a number was asked for."),
        ([np.ones(()), np.ones(())], np.ones(()), "a pair where a number was asked for."),
        ([[1.0, 2.0]], np.ones(2), "a list of shape [1, 2] where a tensor of shape [2] was asked"),
        (0.5, np.ones((2, 1)), "a number where a tensor of shape [2, 1] was asked for."),
        (np.ones(2), np.ones((2, 1)), "a tensor of shape [2] where a tensor of shape [2, 1]"),
        ("0.6", 0.6, "text where a number was asked for."),
        (True, 1.0, "True or False where a number was asked for."),
        (np.array([True]), np.ones(1), "a tensor of True and False of shape [1] where a tensor"),
        ([1.0], [1.0, 2.0], "It returned fewer values than the 2 that were asked for."),
        (0.5, [1.0, 2.0], "a number where a pair was asked for."),
        ([1.0, None], [1.0, 2.0], "The second value that came is None where a number was asked"),
        ([None, None], [1.0, 2.0], "It returned None each time. Is a return statement missing?"),
        ({"a": 1}, {"a": 1, "b": 2}, "a dict without the key 'b'."),
        ({"a": "1"}, {"a": 1}, "The value of 'a' is text where a number was asked for."),
    ],
    ids=repr,
)
def test_another_form_is_named(value, wanted, said: str) -> None:
    assert said in complaint(value, wanted, sizes=True)
    assert not same(value, wanted, 1e9)


def test_of_a_pair_with_one_none_no_return_is_missing() -> None:
    assert "return statement" not in complaint([np.ones(2), None], [np.ones(2), np.zeros(2)])


def test_sizes_that_a_process_chose_are_not_repeated() -> None:
    assert "25" not in complaint(np.ones((2, 25)), np.ones((2, 3)))
    assert "not of the shape" in complaint(np.ones((2, 25)), np.ones((2, 3)))
    assert "25" not in complaint([0.0] * 25, [0.0, 1.0])


@pytest.mark.parametrize("value", [1.5, np.ones((2, 3)), [1.0, np.ones(2)], {"a": [1]}, "b", None])
def test_nothing_is_said_of_the_right_form(value) -> None:
    assert complaint(value, value) == complaint(value, value, sizes=True) == ""
