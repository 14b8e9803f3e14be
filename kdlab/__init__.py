"""kdlab: the combined training objective for knowledge distillation.

A student language model learns from a teacher's distribution and from the labels at once, by
minimising LM loss + λ·KD loss. ``__all__`` is the public API; ``__init__.pyi`` says which module
each name is in. A module is imported at its first use, because importing PyTorch takes seconds.
"""

import pkgutil

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = sorted(set(_names) - {module.name for module in pkgutil.iter_modules(__path__)})
