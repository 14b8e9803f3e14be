# Texts for which the rules of Markdown take hours, code that highlighters read again and again,
# and a terminal's colours without end.
# deserves forward_kl: 4
# %% cell
print("\x1b[1m" * 250_000)
# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


# %% tamper
from nbformat.v4 import new_code_cell, new_markdown_cell

for unit in (" ", "\\\\[ ", "\\begin{a} ", "$ "):
    notebook.cells.append(new_markdown_cell("a" + unit * (500_000 // len(unit)) + "b"))
notebook.cells.append(new_code_cell("x = 1\n" + " \n" * 200_000 + "y = 2"))
