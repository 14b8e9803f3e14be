"""What students get back, and pages in which nothing of theirs runs."""
