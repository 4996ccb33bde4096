"""Which class is asked about, for every sample."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lenrek.errors import OptionError
from lenrek.explain.network_of import contract_of

Target = int | str | Sequence[int] | Sequence[str] | np.ndarray | Tensor | None


def classes_of(model: Any) -> tuple[str, ...]:
    """The names of a model's classes; () where it does not tell them."""
    contract = contract_of(model)
    return () if contract is None else contract.classes


def read_target(target: Target, scores: Tensor, classes: Sequence[str], who: str) -> Tensor:
    """The index of a class for each sample, (batch,) int64 on the device of `scores`.

    Args:
        target: an index or a name for all samples, or one for each; None is the class of the highest score.
        scores: (batch, classes).
        classes: their names, where known.
    Raises:
        OptionError: no such class, or not one for each sample.
    Example:
        >>> scores = torch.tensor([[0.1, 0.9], [0.8, 0.3]])
        >>> read_target(None, scores, (), "example").tolist()
        [1, 0]
        >>> read_target("dog", scores, ("cat", "dog"), "example").tolist()
        [1, 1]
    """
    samples = len(scores)
    if target is None:
        return scores.detach().argmax(1)
    given: list[Any] = target.tolist() if isinstance(target, Tensor | np.ndarray) else target  # type: ignore[assignment]
    alone = isinstance(given, str) or not isinstance(given, Sequence)
    each = [given] * samples if alone else list(given)
    if len(each) != samples:
        raise OptionError(
            f"{who}: target has {len(each)} classes for {samples} samples, expected one for each, or one for all."
        )
    return torch.tensor([_index(one, scores.shape[1], classes, who) for one in each], device=scores.device)


def _index(one: Any, count: int, classes: Sequence[str], who: str) -> int:
    if isinstance(one, str):
        if one in classes:
            return classes.index(one)
        near = get_close_matches(one, classes, n=1)
        hint = f"did you mean {near[0]}?" if near else f"name it by its number, 0 to {count - 1}."
        known = "has no class of this name" if classes else "does not tell the names of its classes"
        raise OptionError(f"{who}: target is {one!r}, but the network {known}.\n  Hint: {hint}")
    if isinstance(one, bool) or not isinstance(one, int | np.integer) or not 0 <= one < count:
        raise OptionError(
            f"{who}: target is {one!r}, but the network has {count} classes: 0 to {count - 1} are expected."
        )
    return int(one)
