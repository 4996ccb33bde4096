"""Correlation and convolution: one general operator, N-dimensional and differentiable, with every option."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from lenrek.geometry import Boundary, Padding, check_boundary, check_reach
from lenrek.ops.bilinear import apply
from lenrek.ops.boundary import Sides, extend
from lenrek.ops.compiled import correlate_compiled
from lenrek.ops.direct import correlate_direct
from lenrek.ops.gradients import Methods, Plan
from lenrek.ops.layout import Layout, Sizes, check_fit, read_layout
from lenrek.ops.method import Choice, Method, check_method, choose
from lenrek.ops.prepared import Prepared, prepared
from lenrek.ops.tensors import as_computed, finished


def correlate(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    boundary: Boundary = "zeros",
    method: Method = "auto",
) -> Tensor:
    r"""N-dimensional cross-correlation: what deep learning calls convolution.

    y[b,o,p] = bias[o] + Σ_{i,k} weight[o,i,k] · x[b, g(o) + i, stride·p + dilation·k − before], where g(o) is the first
    channel of o's group. The weight is never conjugated.

    Args:
        x: (batch, in_channels, *in_size), or without the batch.
        weight: (out_channels, in_channels/groups, *kernel_size); it says how many axes there are, from 1.
        bias: (out_channels,).
        stride, dilation: in samples of x; an int for every axis, or one per axis.
        padding: samples added around x: an int, a name (`valid`, `same`, `same_lower`, `full`, `causal`), or per axis
            an int, a name or (before, after). A stride always means: compute with stride 1, keep every stride-th.
        groups: blocks of channels that are correlated apart; `in_channels` for a depthwise correlation.
        boundary: what the padding holds, see `pad`: zeros, a number, reflect, symmetric, replicate or circular.
        method: `direct` (window by window), `gemm` (one matrix product over copied windows), `fft` (its cost does not
            grow with the kernel), `matrix` (a sparse matrix times x), or `auto`: the one expected to be fastest for
            value and gradients, see `choose_method`. The sums are the same up to rounding.
    Returns:
        (batch, out_channels, *out_size), in the type and memory format of x; integers are summed in int64. Per axis
        ⌊(in + before + after − dilation·(kernel_size − 1) − 1)/stride⌋ + 1.
    Raises:
        ShapeError: channels disagree, or the window does not fit.
        OptionError: an unknown name, a value out of range, types that differ.
    Source: Dumoulin & Visin 2016, arXiv:1603.07285, §2.
    Example:
        >>> import torch
        >>> correlate(torch.arange(5.0).reshape(1, 1, 5), torch.tensor([[[1.0, 0.0, -1.0]]]))
        tensor([[[-2., -2., -2.]]])
    """
    return run(x, weight, bias, stride, padding, dilation, groups, boundary, method, "correlate")


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    boundary: Boundary = "zeros",
    method: Method = "auto",
) -> Tensor:
    r"""N-dimensional true convolution: `correlate` with the kernel flipped on every axis; arguments are the same.

    For one channel, padding="full" and stride 1 this is (f∗g)[k] = Σ_m f[k − m] g[m], commutative and associative.

    Source: Oppenheim & Schafer, Discrete-Time Signal Processing, §2.3.
    Example:
        >>> import torch
        >>> convolve(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[[0.0, 1.0, 0.5]]]), padding="full")
        tensor([[0.0000, 1.0000, 2.5000, 4.0000, 1.5000]])
    """
    flipped = weight.flip(tuple(range(2, weight.ndim)))
    return run(x, flipped, bias, stride, padding, dilation, groups, boundary, method, "convolve")


def choose_method(
    x: Tensor,
    weight: Tensor,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    boundary: Boundary = "zeros",
) -> Choice:
    """What `method="auto"` does for a correlation of these sizes and this type, and the costs it expected.

    Example: for a kernel of 1001 samples the Fourier domain, for one of 3 not.
        >>> import torch
        >>> x, long = torch.zeros(1, 1, 100_000), torch.zeros(1, 1, 1001)
        >>> choose_method(x, long).forward, choose_method(x, long[..., :3]).forward
        ('fft', 'direct')
    """
    _, layout, in_size = _laid_out(x, weight, None, stride, padding, dilation, groups, boundary, "choose_method")
    return choose(x, weight, layout, in_size, layout.out_size(in_size, weight.shape[2:]))


def run(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int | Sequence[int],
    padding: Padding,
    dilation: int | Sequence[int],
    groups: int,
    boundary: Boundary,
    method: Method,
    who: str,
) -> Tensor:
    """`correlate`, with errors that speak for `who`."""
    sides, way, plan, _ = prepared(_prepare, x, weight, bias, who, stride, padding, dilation, groups, boundary, method)
    batched = x.ndim == weight.ndim
    if not batched:
        x = x.unsqueeze(0)
    if sides is not None:
        x = extend(x, sides, boundary, who)
    if way == "direct":
        y = correlate_direct(x, weight, plan.layout, bias)
    elif way == "kernel":
        y = correlate_compiled(x, weight, plan.layout, bias)
    else:
        y = finished(apply(plan, as_computed(x), as_computed(weight)), as_computed(bias), x)
    return y if batched else y.squeeze(0)


def _prepare(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    who: str,
    gradient: bool,
    stride: int | Sequence[int],
    padding: Padding,
    dilation: int | Sequence[int],
    groups: int,
    boundary: Boundary,
    method: Method,
) -> Prepared:
    check_method(method, x, who)
    sides, layout, in_size = _laid_out(x, weight, bias, stride, padding, dilation, groups, boundary, who)
    way, methods = str(method), Methods.all(method)
    if method == "auto":
        choice = choose(x, weight, layout, in_size, layout.out_size(in_size, weight.shape[2:]))
        way, methods = choice.way(gradient), choice.methods
    return Prepared(sides, way, Plan(layout, methods, in_size, tuple(weight.shape[2:])))


def _laid_out(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int | Sequence[int],
    padding: Padding,
    dilation: int | Sequence[int],
    groups: int,
    boundary: Boundary,
    who: str,
) -> tuple[Sides | None, Layout, Sizes]:
    """Checked: the sides to lay around x, then the layout that remains, and the size of x by then.

    Zeros are left to the method, which need not write them.
    """
    layout = read_layout(x, weight, bias, stride, padding, dilation, groups, 1, who)
    check_boundary(boundary, who)
    check_fit(x, weight.shape[2:], layout, who)
    in_size = tuple(x.shape[-layout.ndim :])
    if boundary == "zeros" or not any(map(any, layout.sides)):
        return None, layout, in_size
    for axis, (n, (before, after)) in enumerate(zip(in_size, layout.sides, strict=True)):
        check_reach(n, before, after, boundary, axis, who)
    in_size = tuple(before + n + after for n, (before, after) in zip(in_size, layout.sides, strict=True))
    return layout.sides, layout.without_padding(), in_size
