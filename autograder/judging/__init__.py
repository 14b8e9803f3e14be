"""Decides verdicts; trusts nothing that a kernel sent, and loads no torch, Jupyter or nbgrader."""
