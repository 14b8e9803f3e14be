# A module with a parameter that it does not need.
# %% task: forward_kl
import torch


class KL(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, student, teacher):
        log_q, log_p = student.log_softmax(-1), teacher.log_softmax(-1)
        return self.scale * torch.nn.functional.kl_div(
            log_q, log_p, reduction="none", log_target=True
        ).sum(-1)


forward_kl = KL()
