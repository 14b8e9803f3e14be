"""`python -m autograder`: its arguments and its output; the work is done in `grading`."""

from autograder import grading  # noqa: F401  raises an error on systems where it does not run
