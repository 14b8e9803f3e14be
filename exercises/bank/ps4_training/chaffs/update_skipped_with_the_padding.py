# A micro-batch of padding alone is skipped with continue, and with it the update when it closes
# the group.
# expect train: update_skipped_with_the_padding
import torch


# %% task: train
def train(student, teacher, batches, optimizer, schedule, accumulate):
    student.train()
    teacher.eval()
    optimizer.zero_grad()
    n = 0
    count = 0
    for i, (tokens, labels) in enumerate(batches):
        if (labels == -100).all():
            continue
        with torch.no_grad():
            teacher_logits = teacher(tokens)
        total, c = summed_loss(student(tokens), teacher_logits, labels, schedule(n))
        total.backward()
        count += c
        if (i + 1) % accumulate == 0 or i + 1 == len(batches):
            for p in student.parameters():
                p.grad = p.grad / count
            optimizer.step()
            optimizer.zero_grad()
            count = 0
            n += 1
