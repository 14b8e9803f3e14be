# Changes torch's defaults for everybody.
# %% cell
import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
torch.set_num_threads(2)
torch.set_printoptions(precision=2)
torch.autograd.set_grad_enabled(False)
