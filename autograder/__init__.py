"""The grading engine; it knows no exercise and holds no answer.

Who may believe whom is shown by the folders, and `tests/autograder/test_boundary.py` holds it:

    kernel/       loaded beside a stranger's code; imports nothing else of ours
    judging/      decides; needs numpy alone, and takes what a kernel sent for an attacker's work
    sandbox/      the room that kernels run in
    authoring/    a set's bank and its proof; what runs there is its author's
    grading/      a class and its gradebook; what plugs into nbgrader; in the order of a round:
                  exchange/, platforms/, submissions/, execution/, marks/, feedback/
    commands/     what is typed and what is printed
    check.py      what a notebook imports on a student's machine
    spec.py       what an exercise's checks import
    questions.py  what is made of them: questions, and what ships with the notebook
    cells.py      a notebook's cells, by nbgrader's marks
    settings.py   what differs from one class to another
    nbgrader_internals.py  what of nbgrader is used beyond its manual
"""
