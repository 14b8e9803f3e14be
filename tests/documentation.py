"""What the pages and the recorded runs have read: the documentation that comes with Python 3.11.7.

Other versions have another, and so may other builds of that one.
"""

import hashlib

import pytest

from kdlab import load_corpus

READ = "52f92bf51d901688"

# Where the text is another, the numbers are others, too.
same_text = pytest.mark.usefixtures("documentation_of_the_recorded_runs")


def fingerprint() -> str:
    """Of the documentation that the Python of this run has."""
    corpus = load_corpus("pydocs")
    text = "\0".join([*corpus.train, *corpus.validation])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
