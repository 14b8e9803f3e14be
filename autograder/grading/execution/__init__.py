"""Runs and judges a class: workers run submissions, one process writes marks and records."""
