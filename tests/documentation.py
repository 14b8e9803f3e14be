"""What the pages and the recorded runs have read: the documentation that comes with Python 3.11."""

import sys

import pytest

same_text = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11),
    reason="the page was written, or its runs recorded, with the documentation of Python 3.11",
)
