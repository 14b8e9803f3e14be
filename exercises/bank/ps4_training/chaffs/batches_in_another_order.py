# Goes through the list from its end.
# expect train: batches_in_another_order
import torch


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    batches = batches[::-1]
    for n, i in enumerate(range(0, len(batches), accumulate)):
        group = batches[i : i + accumulate]
        count = sum((y != -100).sum() for _, y in group)
        optimizer.zero_grad()
        for x, y in group:
            with torch.no_grad():
                t = teacher(x)
            total, _ = summed_loss(student(x), t, y, schedule(n))
            (total / count).backward()
        optimizer.step()
