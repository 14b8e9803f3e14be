"""What is loaded beside a stranger's code. It imports nothing else of ours, and decides nothing."""
