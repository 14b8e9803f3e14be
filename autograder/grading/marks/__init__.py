"""What the gradebook comes to: late work, points by hand, what is unfinished, the report."""
