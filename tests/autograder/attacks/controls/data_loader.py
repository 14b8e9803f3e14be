# Torch's loader with workers, in scratch work.
# %% cell
import torch
from torch.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(torch.arange(64.0)), batch_size=8, num_workers=2)
sum(batch[0].sum() for batch in loader)
