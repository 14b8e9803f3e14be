"""`python -m autograder`: what is typed and what is printed; the work is done in `grading`."""

from autograder import grading  # noqa: F401  it says so on a system where it does not run
