"""The sandbox for students' code; of its modules, `warm`, `world` and `syscalls` run inside."""
