"""kdlab: the combined training objective for knowledge distillation."""
