"""What is said of a layer that a network does not have."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from lenrek.data.shown import few
from lenrek.errors import ModelError


def missing_layer(name: str, names: Sequence[str], who: str) -> ModelError:
    """The error for `name`, which is none of `names`.

    >>> print(missing_layer("feature.0", ["features.0", "features.1", "head"], "example"))
    example: the network has no layer 'feature.0'.
      Hint: did you mean features.0?
    """
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {few(list(names))}."
    return ModelError(f"{who}: the network has no layer {name!r}.\n  Hint: {hint}")
