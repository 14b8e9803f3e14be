"""What was handed in, read without trusting it, put right and made ready to run."""
