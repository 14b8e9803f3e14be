# Links in the folder that is handed in lead to the checks and to the whole disk.
# %% every task
import glob

TASK = lambda *args: 0
for path in glob.glob("linked*/**/attacked.py", recursive=True) + ["linked.py"]:
    try:
        exec(open(path).read())
        TASK = globals()["solution_TASK"]
    except OSError:
        pass
# %% tamper
(folder / "linked.py").symlink_to(root / "checks" / "attacked.py")
(folder / "linked").symlink_to(root)
(folder / "linked_root").symlink_to("/")
