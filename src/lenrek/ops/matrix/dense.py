"""Any affine layer as the fully connected layer that does the same: the weights and biases of a dense matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from math import prod

import torch
from torch import Tensor, nn

from lenrek.errors import OptionError, ShapeError
from lenrek.geometry.axes import sizes_of
from lenrek.ops.matrix.order import Order, check_order, flatten_volume, unflatten_volume
from lenrek.ops.mode import in_mode

_ENTRIES_AT_ONCE = 2**22  # numbers in one batch of basis vectors, or of their images
_SCALES = (1.0, 1024.0)  # of the test inputs: large ones leave the range in which a clamp or a ReLU is idle


def to_dense(
    layer: Callable[[Tensor], Tensor],
    in_shape: Sequence[int],
    *,
    order: Order = "row_major",
    dtype: torch.dtype | None = None,
) -> nn.Linear:
    """The `nn.Linear` D with D(flatten(x)) = flatten(layer(x)): a convolution, average pooling, … fully connected.

    Column j of its weight is layer(e_j) − layer(0) for the j-th basis volume e_j, its bias is layer(0). Random inputs
    then check that the layer is affine. A module is put in evaluation mode for the time (where batch normalisation is
    affine and dropout the identity), and keeps its own mode.

    Args:
        layer: a module or a function from (batch, channels, *size) to (batch, …), each sample by itself.
        in_shape: (channels, *size) of one input.
        order: how input and output are flattened, see `flatten_volume`; an output of (batch, features) is flat.
        dtype: of the input and of the result; if None, that of the module's first floating parameter or buffer, or
            PyTorch's default.
    Returns:
        `nn.Linear` from channels·∏size to the number of outputs, with a bias, on the device of the module.
    Raises:
        ShapeError: `layer` returns something else than one result for each sample.
        OptionError: `layer` is not affine, a `dtype` that is not floating or complex, an unknown order.
    Source: Goodfellow, Bengio & Courville 2016, Deep Learning, §9.1 (convolution as multiplication by a matrix).
    Example:
        >>> D = to_dense(nn.AvgPool1d(2), (1, 4))
        >>> D.weight.tolist(), D.bias.tolist()
        ([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]], [0.0, 0.0])
    """
    check_order(order, "to_dense")
    shape = sizes_of(in_shape, "to_dense", "in_shape")
    if len(shape) < 2:
        raise ShapeError(f"to_dense: in_shape is {shape}, expected (channels, *size) with at least one spatial axis.")
    like = _like(layer, dtype)

    def flat(inputs: Tensor) -> Tensor:
        return _flat_output(layer(unflatten_volume(inputs, shape, order)), len(inputs), order)

    with torch.no_grad(), in_mode(layer, training=False):
        features = prod(shape)
        bias = flat(like.new_zeros(1, features))[0]
        weight = bias.new_empty(bias.numel(), features)
        count = max(1, _ENTRIES_AT_ONCE // max(features, bias.numel(), 1))
        for first in range(0, features, count):
            basis = like.new_zeros(min(count, features - first), features)
            basis.diagonal(first).fill_(1)
            weight[:, first : first + count] = (flat(basis) - bias).T
        _check_affine(flat, weight, bias, like)
    dense = nn.utils.skip_init(nn.Linear, features, bias.numel(), device=weight.device, dtype=weight.dtype)
    dense.weight, dense.bias = nn.Parameter(weight), nn.Parameter(bias)
    return dense


def _like(layer: object, dtype: torch.dtype | None) -> Tensor:
    """A tensor of the type and on the device of the layer's input."""
    held = chain(layer.parameters(), layer.buffers()) if isinstance(layer, nn.Module) else ()
    numbers = (tensor for tensor in held if tensor.is_floating_point() or tensor.is_complex())
    like = next(numbers, torch.empty(0)).detach()
    if dtype is None:
        return like
    if not (dtype.is_floating_point or dtype.is_complex):
        raise OptionError(f"to_dense: dtype is {dtype}, expected a floating or complex type.")
    return like.to(dtype)


def _flat_output(y: Tensor, batch: int, order: Order) -> Tensor:
    """(batch, outputs), checked."""
    if not isinstance(y, Tensor) or y.ndim < 2 or len(y) != batch:
        given = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
        raise ShapeError(f"to_dense: the layer returned {given} for {batch} inputs, expected ({batch}, …).")
    return y if y.ndim == 2 else flatten_volume(y, order)


def _check_affine(flat: Callable[[Tensor], Tensor], weight: Tensor, bias: Tensor, like: Tensor) -> None:
    """Raise `OptionError` where the layer and the matrix disagree on random inputs, small and large."""
    generator = torch.Generator().manual_seed(0)  # no draw from the user's random numbers
    tolerance = torch.finfo(weight.dtype).eps ** 0.5
    for scale in _SCALES:
        x = torch.randn(4, weight.shape[1], generator=generator, dtype=torch.float64).mul_(scale).to(like)
        expected, found = x @ weight.T + bias, flat(x)
        distance = (torch.linalg.vector_norm(found - expected) / torch.linalg.vector_norm(expected)).item()
        if not (distance <= tolerance or torch.equal(found, expected)):
            raise OptionError(
                "to_dense: the layer is not affine: on random inputs of standard deviation "
                f"{scale:g} its output is {distance:.2g} of its norm away from weight @ x + bias, expected at most "
                f"{tolerance:.2g}.\n"
                "  Hint: only affine layers have a matrix: convolutions, average pooling, batch normalisation; "
                "not max pooling nor activations."
            )
