"""Networks by name, what each expects at its input, and their weights on disk.

The names below are found when they are first used, so that `lenrek.models.contract` can be had without loading PyTorch.
Architectures are listed in `create.py`, which loads them all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lenrek.models.create import create_model, describe_models, list_models
    from lenrek.models.weights import load_weights

__all__ = ["create_model", "describe_models", "list_models", "load_weights"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{'weights' if name == 'load_weights' else 'create'}"), name)
