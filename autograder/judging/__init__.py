"""What decides. It believes nothing that a kernel sent, and loads no torch, kernel or nbgrader."""
