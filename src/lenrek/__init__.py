"""lenrek: convolutional networks you can see through, at the full speed of the CPU you already have.

The names below are loaded when first used, so that `import lenrek` and `lenrek --help` stay instant.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

_HOMES = {
    "train": "lenrek.training.train",
    "Run": "lenrek.training.train",
    "find_learning_rate": "lenrek.training.find_rate",
    "load_pretrained": "lenrek.models.pretrained",
    "load": "lenrek.training.classifier",
    "Classifier": "lenrek.training.classifier",
    "Prediction": "lenrek.training.classifier",
    "create_model": "lenrek.models.create",
    "list_models": "lenrek.models.create",
    "optimize": "lenrek.optimization.module",
    "explain_optimization": "lenrek.optimization.explain",
    "compile_inference": "lenrek.optimization.inference",
    "summary": "lenrek.explain.summary",
    "Summary": "lenrek.explain.summary",
    "draw": "lenrek.explain.draw",
    "equivariance": "lenrek.explain.equivariance",
    "compare_distances": "lenrek.explain.distances",
    "find_convolution": "lenrek.explain.find_convolution",
    "singular_values": "lenrek.explain.spectrum",
    "receptive_field": "lenrek.explain.receptive",
    "effective_receptive_field": "lenrek.explain.effective",
    "index": "lenrek.search.indexing",
    "open_store": "lenrek.search.store",
    "InputContract": "lenrek.models.contract",
    "open_source": "lenrek.data.open",
    "check_source": "lenrek.data.check",
    "LenrekError": "lenrek.errors",
}
_ROOMS = ("explain", "nn", "ops")
__all__ = ["__version__", *_HOMES, *_ROOMS]

if TYPE_CHECKING:
    from lenrek import explain, nn, ops
    from lenrek.data.check import check_source
    from lenrek.data.open import open_source
    from lenrek.errors import LenrekError
    from lenrek.explain.distances import compare_distances
    from lenrek.explain.draw import draw
    from lenrek.explain.effective import effective_receptive_field
    from lenrek.explain.equivariance import equivariance
    from lenrek.explain.find_convolution import find_convolution
    from lenrek.explain.receptive import receptive_field
    from lenrek.explain.spectrum import singular_values
    from lenrek.explain.summary import Summary, summary
    from lenrek.models.contract import InputContract
    from lenrek.models.create import create_model, list_models
    from lenrek.models.pretrained import load_pretrained
    from lenrek.optimization.explain import explain_optimization
    from lenrek.optimization.inference import compile_inference
    from lenrek.optimization.module import optimize
    from lenrek.search.indexing import index
    from lenrek.search.store import open_store
    from lenrek.training.classifier import Classifier, Prediction, load
    from lenrek.training.find_rate import find_learning_rate
    from lenrek.training.train import Run, train


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"lenrek.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'lenrek' has no attribute {name!r}; it has {', '.join((*_HOMES, *_ROOMS))}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
