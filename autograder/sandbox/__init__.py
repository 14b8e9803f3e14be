"""The room for strangers' code. `warm`, `world` and `syscalls` run inside, nothing else of ours."""
