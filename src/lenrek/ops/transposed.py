"""Transposed correlation and convolution: the exact adjoints, for every stride, padding, boundary and group."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from lenrek.errors import OptionError
from lenrek.geometry import Boundary, Padding, check_boundary, check_reach, transposed_windows
from lenrek.ops.bilinear import apply_transposed
from lenrek.ops.boundary import extend, extend_adjoint
from lenrek.ops.direct import transposed_direct
from lenrek.ops.gradients import Methods, Plan
from lenrek.ops.layout import Layout, Sizes, read_layout
from lenrek.ops.method import Method, check_method, choose
from lenrek.ops.prepared import Prepared, prepared
from lenrek.ops.tensors import as_computed, finished


def correlate_transposed(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
    *,
    output_size: Sequence[int] | None = None,
    boundary: Boundary = "zeros",
    method: Method = "auto",
) -> Tensor:
    """The adjoint of `correlate` with the same arguments: every sample of x adds its kernel where that one reads.

    ⟨correlate(u, weight), x⟩ = ⟨u, correlate_transposed(x, weight)⟩ for every u. Also called deconvolution or
    fractionally strided convolution; with zeros it is `torch.nn.functional.conv_transpose2d`. The weight is never
    conjugated: for the adjoint of a complex correlation pass weight.conj().

    Args:
        x: (batch, in_channels, *in_size), or without the batch.
        weight: (in_channels, out_channels/groups, *kernel_size): the same tensor as the forward correlation's.
        bias: (out_channels,), added to the result.
        stride, padding, dilation, groups, boundary: those of the forward correlation. So padding makes this output
            smaller, "same" keeps ⌈out/stride⌉ = in, and what the forward one read outside is folded back: for
            boundary="circular" onto the other side.
        output_padding: samples by which the output is larger than the smallest that fits, below max(stride, dilation).
        output_size: instead of `output_padding`, the size wanted: one of the `stride` that the forward correlation
            takes to in_size.
        method: as for `correlate`.
    Returns:
        (batch, out_channels, *out_size), with per axis
        out = (in − 1)·stride − before − after + dilation·(kernel_size − 1) + output_padding + 1.
    Raises:
        ShapeError: channels disagree, an impossible `output_size`, an output without samples.
        OptionError: an unknown name, a value out of range, a boundary that is not linear.
    Source: Dumoulin & Visin 2016, arXiv:1603.07285, §4.
    Example:
        >>> import torch
        >>> correlate_transposed(torch.tensor([[1.0, 2.0]]), torch.tensor([[[1.0, 0.0, -1.0]]]), stride=2)
        tensor([[ 1.,  0.,  1.,  0., -2.]])
    """
    who = "correlate_transposed"
    return _run(x, weight, bias, stride, padding, output_padding, groups, dilation, output_size, boundary, method, who)


def convolve_transposed(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
    *,
    output_size: Sequence[int] | None = None,
    boundary: Boundary = "zeros",
    method: Method = "auto",
) -> Tensor:
    """The adjoint of `convolve`: `correlate_transposed` with the kernel flipped on every axis; the same arguments.

    Example:
        >>> import torch
        >>> convolve_transposed(torch.tensor([[1.0, 2.0]]), torch.tensor([[[1.0, 0.0, -1.0]]]), stride=2)
        tensor([[-1.,  0., -1.,  0.,  2.]])
    """
    who = "convolve_transposed"
    flipped = weight.flip(tuple(range(2, weight.ndim)))
    return _run(x, flipped, bias, stride, padding, output_padding, groups, dilation, output_size, boundary, method, who)


def check_adjoint(boundary: Boundary, who: str) -> None:
    """Raise `OptionError` for a boundary that is unknown, or not linear in the samples."""
    check_boundary(boundary, who)
    if not isinstance(boundary, str) and boundary != 0:
        raise OptionError(
            f"{who}: boundary is {boundary!r}, but only linear maps have an adjoint, expected zeros or a name.\n"
            '  Hint: the adjoint of the linear part is that of boundary="zeros".'
        )


def _run(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int | Sequence[int],
    padding: Padding,
    output_padding: int | Sequence[int],
    groups: int,
    dilation: int | Sequence[int],
    output_size: Sequence[int] | None,
    boundary: Boundary,
    method: Method,
    who: str,
) -> Tensor:
    sides, way, plan, beyond = prepared(
        _prepare,
        x,
        weight,
        bias,
        who,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
        None if output_size is None else tuple(output_size),
        boundary,
        method,
    )
    batched = x.ndim == weight.ndim
    if not batched:
        x = x.unsqueeze(0)
    if way == "direct" and sides is None and not any(beyond):
        y = transposed_direct(x, weight, plan.layout, plan.in_size, bias)
        return y if batched else y.squeeze(0)
    values, kernels = as_computed(x), as_computed(weight)
    if way == "direct":
        y = transposed_direct(values, kernels, plan.layout, plan.in_size)
    else:
        y = apply_transposed(plan, values, kernels)
    if any(beyond):
        y = extend(y, [(0, extra) for extra in beyond], "zeros", who)
    if sides is not None:
        y = extend_adjoint(y, sides, boundary, who)
    y = finished(y, as_computed(bias), x)
    return y if batched else y.squeeze(0)


def _prepare(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    who: str,
    gradient: bool,
    stride: int | Sequence[int],
    padding: Padding,
    output_padding: int | Sequence[int],
    groups: int,
    dilation: int | Sequence[int],
    output_size: Sequence[int] | None,
    boundary: Boundary,
    method: Method,
) -> Prepared:
    """The plan is that of the forward correlation: its input is this one's output, with what is folded back later."""
    layout = read_layout(x, weight, bias, stride, padding, dilation, groups, 0, who)
    check_method(method, x, who)
    check_adjoint(boundary, who)
    in_size = x.shape[-layout.ndim :]
    found = transposed_windows(
        in_size,
        weight.shape[2:],
        stride=layout.stride,
        padding=layout.sides,
        dilation=layout.dilation,
        output_padding=output_padding,
        output_size=output_size,
        who=who,
    )
    out_size, sides = tuple(window.out_size for window in found), None
    if boundary != "zeros" and isinstance(boundary, str) and any(map(any, layout.sides)):
        sides = layout.sides
        for axis, (n, (before, after)) in enumerate(zip(out_size, sides, strict=True)):
            check_reach(n, before, after, boundary, axis, who)
        layout = layout.without_padding()
        out_size = tuple(before + n + after for n, (before, after) in zip(out_size, sides, strict=True))
    layout, out_size, beyond = _as_forward(layout, out_size, [window.output_padding for window in found])
    way, methods = str(method), Methods.all(method)
    if method == "auto":
        choice = choose(x, weight, layout, out_size, in_size)
        way, methods = choice.way_transposed(gradient), choice.methods
    return Prepared(sides, way, Plan(layout, methods, out_size, tuple(weight.shape[2:])), beyond)


def _as_forward(layout: Layout, out_size: Sizes, output_padding: Sequence[int]) -> tuple[Layout, Sizes, Sizes]:
    """The same with a forward correlation that has just these windows, and the zeros to append afterwards.

    An output padding of a stride or more (allowed up to the dilation) leaves room for one more window. Taken from the
    padding after the axis it does not; what that padding lacks is beyond all windows.
    """
    sides, sizes, beyond = [], [], []
    for (before, after), n, extra, s in zip(layout.sides, out_size, output_padding, layout.stride, strict=True):
        taken = min(extra, after) if extra >= s else 0
        beyond.append(extra - taken if extra >= s else 0)
        sides.append((before, after - taken))
        sizes.append(n - beyond[-1])
    return layout._replace(sides=tuple(sides)), tuple(sizes), tuple(beyond)
