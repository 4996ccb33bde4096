"""Correlation and convolution: one general operator, N-dimensional and differentiable, with every option."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from lenrek.geometry import Boundary, Padding, check_boundary
from lenrek.ops.boundary import extend
from lenrek.ops.direct import correlate_direct
from lenrek.ops.gradients import Methods, Plan, correlate_by
from lenrek.ops.layout import Layout, check_fit, read_layout
from lenrek.ops.method import Choice, Method, check_method, choose
from lenrek.ops.tensors import as_computed, finished, needs_gradient


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
    layout = read_layout(x, weight, None, stride, padding, dilation, groups, 1, "choose_method")
    check_boundary(boundary, "choose_method")
    check_fit(x, weight.shape[2:], layout, "choose_method")
    x, layout = _padded(x if x.ndim == weight.ndim else x.unsqueeze(0), layout, boundary, "choose_method")
    return choose(x, weight, layout, x.shape[2:], layout.out_size(x.shape[2:], weight.shape[2:]))


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
    layout = read_layout(x, weight, bias, stride, padding, dilation, groups, 1, who)
    check_boundary(boundary, who)
    check_method(method, x, who)
    check_fit(x, weight.shape[2:], layout, who)
    if x.ndim < weight.ndim:
        y = _computed(x.unsqueeze(0), weight, bias, layout, boundary, method, who)
        return y.squeeze(0)
    return _computed(x, weight, bias, layout, boundary, method, who)


def _computed(
    x: Tensor, weight: Tensor, bias: Tensor | None, layout: Layout, boundary: Boundary, method: Method, who: str
) -> Tensor:
    """Batched, checked, and by one of the methods."""
    x, layout = _padded(x, layout, boundary, who)
    in_size, kernel = x.shape[2:], weight.shape[2:]
    way, methods = str(method), Methods.all(method)
    if method == "auto":
        choice = choose(x, weight, layout, in_size, layout.out_size(in_size, kernel))
        way, methods = choice.way(needs_gradient(x, weight)), choice.methods
    if way == "direct":
        return correlate_direct(x, weight, layout, bias)
    like, x, weight, bias = x, as_computed(x), as_computed(weight), as_computed(bias)
    y = correlate_by(x, weight, Plan(layout, methods, tuple(in_size), tuple(kernel)))
    return finished(y, bias, like)


def _padded(x: Tensor, layout: Layout, boundary: Boundary, who: str) -> tuple[Tensor, Layout]:
    """Zeros are left to the method, which need not write them; any other boundary is laid around x here."""
    if boundary == "zeros":
        return x, layout
    return extend(x, layout.sides, boundary, who), layout.without_padding()
