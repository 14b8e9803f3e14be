"""For those who write a set: its bank of answers, its proof, and a set to begin with."""
