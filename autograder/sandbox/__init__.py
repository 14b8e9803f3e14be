"""The room for strangers' code. Only `warm` runs inside, and it imports nothing of ours."""
