# A step after each micro-batch, divided by its own count.
# expect train: step_after_each_micro_batch
import torch


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    for step, start in enumerate(range(0, len(batches), accumulate)):
        group = batches[start : start + accumulate]
        for tokens, labels in group:
            with torch.no_grad():
                teacher_logits = teacher(tokens)
            total, count = summed_loss(student(tokens), teacher_logits, labels, schedule(step))
            (total / count.clamp_min(1)).backward()
            optimizer.step()
            optimizer.zero_grad()
