"""Loaded into the process of a stranger's code; imports nothing else of ours, decides nothing."""
