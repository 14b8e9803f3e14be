"""The grading engine; it knows no exercise and holds no answer.

The folders show who may trust whom, and `tests/autograder/test_boundary.py` enforces it:

    kernel/       runs in the process of a stranger's code; imports nothing else of ours
    judging/      decides; depends on numpy only; treats what a kernel sent as an attacker's work
    sandbox/      the isolated environment in which kernels run
    authoring/    a set's bank of answers and its proof; runs only its author's code
    grading/      a class and its gradebook; the plug-ins of nbgrader; in the order of a round:
                  exchange/, platforms/, submissions/, execution/, marks/, feedback/
    commands/     the commands and what they print
    check.py      what a notebook imports on a student's machine
    spec.py       what an exercise's checks import
    questions.py  turns checks into questions, and into the file that ships with the notebook
    cells.py      reads a notebook's cells by their nbgrader metadata
    settings.py   the settings in which one class differs from another
    nbgrader_internals.py  all that is used of nbgrader beyond its manual
"""
