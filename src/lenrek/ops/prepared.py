"""What a call works out before it computes, remembered: a layer asks for the same again and again."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lenrek.ops.boundary import Sides
from lenrek.ops.gradients import Plan
from lenrek.ops.tensors import autocasts, is_channels_last, needs_gradient

_MOST = 4096
_remembered: dict[Hashable, Prepared] = {}


class Prepared(NamedTuple):
    """All that is known of a convolution before the values are.

    Attributes:
        sides: what to lay around x, or to fold back into the result of a transposed one; None for nothing.
        way: "direct" where PyTorch's own operation and its gradients do it all, "kernel" where the compiled one does.
        plan: the rest.
        beyond: zeros to append to each axis of a transposed one's result.
    """

    sides: Sides | None
    way: str
    plan: Plan
    beyond: tuple[int, ...] = ()


def prepared(
    prepare: Callable[..., Prepared], x: Tensor, weight: Tensor, bias: Tensor | None, who: str, *how: Any
) -> Prepared:
    """`prepare(x, weight, bias, who, gradient, *how)`, which checks everything and depends on no value, once."""
    gradient = needs_gradient(x, weight)
    if torch.compiler.is_compiling():
        return prepare(x, weight, bias, who, gradient, *how)
    given = (x.shape, x.dtype, x.device, is_channels_last(x), weight.shape, weight.dtype, autocasts(x), gradient)
    # 1, 1.0 and True are the same key, but not all of them are a stride.
    key = (prepare, given, None if bias is None else (bias.shape, bias.dtype), how, *map(type, how))
    try:
        return _remembered[key]
    except KeyError:
        if len(_remembered) >= _MOST:
            _remembered.clear()
        _remembered[key] = found = prepare(x, weight, bias, who, gradient, *how)
        return found
    except TypeError:  # a list is no key
        return prepare(x, weight, bias, who, gradient, *how)
