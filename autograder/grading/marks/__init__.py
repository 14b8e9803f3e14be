"""Marks from the gradebook: late work, points by hand, what is unfinished, the report."""
