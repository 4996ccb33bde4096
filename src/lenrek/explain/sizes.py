"""What operators return for tensors without values.

PyTorch knows that of all of them. For many it is written in Python, by way of its compiler, which takes a second to
load when the first of them is asked for; so those that most networks consist of are told here, if their arguments fit.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

_aten = torch.ops.aten


def run_without_values(operator: Any, args: Any, kwargs: Any, written: list[Tensor]) -> Any:
    """The result of `operator`, of tensors on the meta device.

    Args:
        written: those of its arguments that it writes into.
    Raises:
        RuntimeError: as the operator does, for arguments that do not fit.
    Example:
        >>> x = torch.empty(4, 5, device="meta")
        >>> run_without_values(_aten.add.Tensor, (x, torch.empty(3, 1, 1, device="meta")), {}, []).shape
        torch.Size([3, 4, 5])
    """
    told: Any = None
    if operator is _aten.native_batch_norm.default:
        told = _batch_norm(*args[:5])
    elif operator is _aten.addmm.default and not kwargs:
        told = _matrix_product(*args)
    elif operator is _aten.mean.dim and not kwargs:
        told = _mean(*args)
    elif torch.Tag.pointwise in operator.tags and len(operator._schema.returns) == 1:
        told = _element_by_element(operator, args, kwargs, written)
    return operator(*args, **kwargs) if told is None else told


def _batch_norm(x: Tensor, *of_channels: Tensor | None) -> tuple[Tensor, Tensor, Tensor] | None:
    if any(one is not None and one.shape != x.shape[1:2] for one in of_channels):
        return None
    mean = x.new_empty(x.shape[1], dtype=torch.promote_types(x.dtype, torch.float32))
    return torch.empty_like(x), mean, torch.empty_like(mean)


def _matrix_product(bias: Tensor, x: Tensor, y: Tensor) -> Tensor | None:
    fits = x.ndim == y.ndim == 2 and x.shape[1] == y.shape[0] and bias.shape == y.shape[1:]
    return x.new_empty(x.shape[0], y.shape[1]) if fits and x.dtype == y.dtype == bias.dtype else None


def _mean(x: Tensor, axes: list[int] | None, keepdim: bool = False) -> Tensor | None:
    if not all(-x.ndim <= axis < x.ndim for axis in axes or ()) or not x.is_floating_point():
        return None
    gone = {axis % x.ndim for axis in axes or range(x.ndim)}
    return x.new_empty([1 if axis in gone else n for axis, n in enumerate(x.shape) if keepdim or axis not in gone])


def _element_by_element(operator: Any, args: Any, kwargs: Any, written: list[Tensor]) -> Tensor | None:
    """Sizes are broadcast; the type is that of the same operator on no elements."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    try:
        shape = torch.broadcast_shapes(*(tensor.shape for tensor in tensors))
    except RuntimeError:
        return None
    if written:
        alone = len(written) == 1 and written[0] is args[0] and args[0].shape == shape
        return args[0] if alone else None
    if not tensors:
        return None
    empty_args, empty_kwargs = tree_map(_emptied, (args, kwargs))
    return torch.empty(shape, dtype=operator(*empty_args, **empty_kwargs).dtype, device="meta")


def _emptied(value: Any) -> Any:
    """A tensor of as many axes and the same type, without elements; one that has no axes has one element."""
    return torch.empty([0] * value.ndim, dtype=value.dtype) if isinstance(value, Tensor) else value
