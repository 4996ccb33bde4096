"""The fused block's two kernels as PyTorch operators: plain tensors in, plain tensors out, no gradient of their own.

lenrek::block_forward and lenrek::block_backward take dense CPU tensors of float32 or bfloat16 and have shapes for
tracing; `block.py` decides when they run, and `block_gradient.py` gives them their gradient.
"""

from __future__ import annotations

from ctypes import Array, c_double, c_float, c_int, c_int64, c_void_p
from functools import lru_cache

import torch
from torch import Tensor

from lenrek.kernels.layout import empty_dense
from lenrek.kernels.library import declare, kernel
from lenrek.kernels.pool import CODES, axis_windows

TYPES = {torch.float32: 0, torch.bfloat16: 1}
_Geometry = c_int64 * 17  # of csrc/windows.h

_P, _I = c_void_p, c_int
declare("block_forward", _I, *[_P] * 7, c_double, _P, _I, c_float, _I, _P, _P, _I)
declare("block_backward", _I, *[_P] * 8, _I, _I, c_float, _I, _P, _P, _P, _P, _I)

_operators = torch.library.Library("lenrek", "FRAGMENT")
_operators.define(
    "block_forward(Tensor x, Tensor? residual, Tensor? weight, Tensor? bias, Tensor? running_mean, "
    "Tensor? running_var, bool normalise, float eps, int activation, float slope, int[] pool) "
    "-> (Tensor y, Tensor index, Tensor statistics)",
    tags=(torch.Tag.pt2_compliant_tag,),
)
_operators.define(
    "block_backward(Tensor dy, Tensor? x, Tensor? residual, Tensor index, Tensor? weight, Tensor? bias, "
    "Tensor statistics, SymInt[] size, bool from_batch, int activation, float slope, int[] pool, bool[4] wanted) "
    "-> (Tensor dx, Tensor dresidual, Tensor dweight, Tensor dbias)",
    tags=(torch.Tag.pt2_compliant_tag,),
)


def block_forward(
    x: Tensor,
    residual: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    normalise: bool,
    eps: float,
    activation: int,
    slope: float,
    pool: list[int],
) -> tuple[Tensor, Tensor, Tensor]:
    """y; the arg-max bytes of a max-pool; and where `normalise`, the statistics (4, channels) in float32:

    the mean, what rounding it left over, 1/√(variance + eps) and the unbiased variance: of the batch, unless the
    running ones are given.
    """
    geometry, out = _plan(tuple(x.shape), tuple(pool))
    y, index, statistics = _forward_results(x, out, normalise, pool)
    kept = [_floats(t) for t in (weight, bias, running_mean, running_var)]  # alive until the kernel returns
    kernel("block_forward")(
        TYPES[x.dtype],
        geometry,
        x.data_ptr(),
        _pointer(residual),
        *map(_pointer, kept),
        eps,
        _pointer(statistics),
        activation,
        slope,
        _pooling(pool),
        y.data_ptr(),
        _pointer(index),
        torch.get_num_threads(),
    )
    return y, index, statistics


def _forward_results(
    x: Tensor, out: tuple[int, ...], normalise: bool, pool: list[int]
) -> tuple[Tensor, Tensor, Tensor]:
    batch, channels = x.shape[:2]
    y = empty_dense(x, batch, channels, out)
    index = torch.empty_like(y, dtype=torch.uint8) if _pooling(pool) == CODES["max"] else x.new_empty(0)
    return y, index, x.new_empty((4, channels) if normalise else 0, dtype=torch.float32)


def _traced_forward(
    x: Tensor,
    residual: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    normalise: bool,
    eps: float,
    activation: int,
    slope: float,
    pool: list[int],
) -> tuple[Tensor, Tensor, Tensor]:
    return _forward_results(x, axis_windows(pool, tuple(x.shape[2:]))[0], normalise, pool)


def block_backward(
    dy: Tensor,
    x: Tensor | None,
    residual: Tensor | None,
    index: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    statistics: Tensor,
    size: list[int],
    from_batch: bool,
    activation: int,
    slope: float,
    pool: list[int],
    wanted: list[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradients of x (of shape `size`), residual, weight and bias, where `wanted`; empty tensors elsewhere."""
    geometry, _ = _plan(tuple(size), tuple(pool))
    results = _backward_results(dy, size, wanted)
    kept = [_floats(t) for t in (weight, bias)]
    kernel("block_backward")(
        TYPES[dy.dtype],
        geometry,
        dy.data_ptr(),
        _pointer(x),
        _pointer(residual),
        _pointer(index),
        *map(_pointer, kept),
        _pointer(statistics),
        from_batch,
        activation,
        slope,
        _pooling(pool),
        *map(_pointer, results),
        torch.get_num_threads(),
    )
    return results


def _backward_results(dy: Tensor, size: list[int], wanted: list[bool]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    batch, channels, *extent = size
    dx, dresidual = (empty_dense(dy, batch, channels, tuple(extent)) if w else dy.new_empty(0) for w in wanted[:2])
    dweight, dbias = (dy.new_empty(channels if w else 0, dtype=torch.float32) for w in wanted[2:])
    return dx, dresidual, dweight, dbias


def _traced_backward(
    dy: Tensor,
    x: Tensor | None,
    residual: Tensor | None,
    index: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    statistics: Tensor,
    size: list[int],
    from_batch: bool,
    activation: int,
    slope: float,
    pool: list[int],
    wanted: list[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return _backward_results(dy, size, wanted)


@lru_cache(maxsize=4096)
def _plan(shape: tuple[int, ...], pool: tuple[int, ...]) -> tuple[Array[c_int64], tuple[int, ...]]:
    """What the kernels take of the shape (batch, channels, *size) and the pooling, and the size of the output."""
    batch, channels, *size = shape
    out, kernel_size, stride, padding = axis_windows(pool, tuple(size))
    ones, zeros = (1,) * (3 - len(size)), (0,) * (3 - len(size))
    per_axis = (*ones, *size, *ones, *out, *ones, *kernel_size, *ones, *stride, *zeros, *padding)
    return _Geometry(batch, channels, *per_axis), out


def _pooling(pool: list[int]) -> int:
    """The number of csrc/block.h: a global average is one over a window of all samples."""
    return min(pool[0], CODES["average"]) if pool else 0


def _floats(parameter: Tensor | None) -> Tensor | None:
    return None if parameter is None else parameter.to(torch.float32).contiguous()


def _pointer(t: Tensor | None) -> int | None:
    """Null where there is nothing: that is also where an empty tensor points."""
    return None if t is None else t.data_ptr()


_operators.impl("block_forward", block_forward, "CPU")
_operators.impl("block_backward", block_backward, "CPU")
torch.library.register_fake("lenrek::block_forward", _traced_forward, lib=_operators)
torch.library.register_fake("lenrek::block_backward", _traced_backward, lib=_operators)
