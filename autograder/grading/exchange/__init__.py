"""The exchange, where assignments change hands; configurations name these four steps."""

from autograder.grading.exchange.steps import Fetch, Release, ReleaseFeedback, Submit

__all__ = ["Fetch", "Release", "ReleaseFeedback", "Submit"]
