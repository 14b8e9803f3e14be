# One count for all groups.
# expect train: divided_by_the_whole_list
import torch


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    count = sum((y != -100).sum() for _, y in batches)
    for n, at in enumerate(range(0, len(batches), accumulate)):
        optimizer.zero_grad()
        for tokens, labels in batches[at : at + accumulate]:
            with torch.no_grad():
                t = teacher(tokens)
            total, _ = summed_loss(student(tokens), t, labels, schedule(n))
            (total / count).backward()
        optimizer.step()
