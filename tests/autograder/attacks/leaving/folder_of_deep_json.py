# Files beside the notebook that nobody should have to read: deep, odd and named like ours.
# deserves forward_kl: 4

# %% task: forward_kl
def forward_kl(student_logits, teacher_logits):
    log_q, log_p = student_logits.log_softmax(-1), teacher_logits.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


# %% tamper
(folder / "attacked.public.json").write_text("[" * 200_000)
(folder / "Untitled.ipynb").write_text('{"cells": ' + "[" * 200_000)
(folder / "autograder").mkdir()
(folder / "autograder" / "__init__.py").write_text("raise SystemExit")
(folder / "torch.py").write_text("raise SystemExit")
(folder / "check.py").write_text("raise SystemExit")
