"""What the pages and the recorded runs have read: the documentation that comes with Python 3.11.7.

Other versions have another, and so may other builds of that one.
"""

import pytest

from kdlab import load_corpus

READ = "d9467c83c6c679ff07ea7937dabe6841bee72f437026bfb0632f7d2f10763eac"

# Where the text is another, the numbers are others, too.
same_text = pytest.mark.usefixtures("documentation_of_the_recorded_runs")


def fingerprint() -> str:
    """Of the documentation that the Python of this run has."""
    return load_corpus("pydocs").sha256
