"""kdlab: the combined training objective for knowledge distillation.

A student language model learns from a teacher's distribution and from the labels at once, by
minimising LM loss + λ·KD loss. ``__all__`` is the public API. Its names and their modules stand in
``__init__.pyi``, and a module is imported when it is first asked for: PyTorch takes seconds.
"""

import pkgutil

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
__all__ = sorted(set(_names) - {module.name for module in pkgutil.iter_modules(__path__)})
