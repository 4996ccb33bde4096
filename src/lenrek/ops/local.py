"""Locally connected layers: a correlation whose weights are not shared between positions, and its adjoint."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from lenrek.errors import ShapeError
from lenrek.geometry import Boundary, Padding, transposed_windows, windows
from lenrek.ops.bilinear import apply, apply_transposed
from lenrek.ops.boundary import extend, extend_adjoint
from lenrek.ops.layout import Layout, check_fit, check_types, read_layout, shape
from lenrek.ops.local_gradients import LocalPlan
from lenrek.ops.tensors import as_computed, finished


def local_correlate(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    boundary: Boundary = "zeros",
) -> Tensor:
    """N-dimensional correlation with weights of its own at every position: a convolution without weight sharing.

    y[b,o,p] = bias[o,p] + Σ_{i,k} weight[p,o,i,k] · x[b, i, stride·p + dilation·k − before]

    Args:
        x: (batch, in_channels, *in_size), or without batch.
        weight: (*out_size, out_channels, in_channels/groups, *kernel_size): `weight[p]` is what `correlate` would take
            at position p. Fastest where in_channels lie innermost in memory (`weight.movedim(N + 1, -1)` contiguous
            for N axes), as `LocallyConnected2d` keeps them; contiguous as it stands is good too, others are copied.
        bias: (out_channels,) shared by all positions, or (out_channels, *out_size).
        stride, padding, dilation, groups, boundary: as in `correlate`.
    Returns:
        (batch, out_channels, *out_size) in the type of x, integers in int64; channels-last where x is.
    Raises:
        ShapeError: channels or positions that do not fit, or a window wider than the padded input.
        OptionError: an option out of range, or types that differ.
    Source: LeCun 1989, "Generalization and network design strategies"; Taigman et al. 2014, DeepFace, §2.
    Example: differences to the right with a gain that grows along the axis.
        >>> import torch
        >>> weight = torch.tensor([[-1.0, 1.0], [-2.0, 2.0], [-3.0, 3.0]]).reshape(3, 1, 1, 2)
        >>> local_correlate(torch.tensor([[[0.0, 1.0, 3.0, 6.0]]]), weight)
        tensor([[[1., 4., 9.]]])
    """
    who = "local_correlate"
    layout = _read(x, weight, bias, stride, padding, dilation, groups, 1, who)
    ndim = layout.ndim
    kernel = weight.shape[-ndim:]
    check_fit(x, kernel, layout, who)
    _check_positions(x.shape[-ndim:], weight.shape[:ndim], kernel, layout, who)
    _check_bias(bias, (weight.shape[ndim], *weight.shape[:ndim]), who)
    weight = as_computed(weight)
    extended = extend(as_computed(x if x.ndim == ndim + 2 else x.unsqueeze(0)), layout.sides, boundary, who)
    y = apply(_plan(extended.shape[2:], weight, layout), extended, weight)
    return _finish(y, bias, x, ndim)


def local_correlate_transposed(
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
) -> Tensor:
    """The exact adjoint of `local_correlate` with the same weight and options: ⟨C x, y⟩ = ⟨x, Cᵀ y⟩.

    Args:
        x: (batch, in_channels, *in_size), what `local_correlate` returns; or without batch.
        weight: the tensor of the forward operation, here (*in_size, in_channels, out_channels/groups, *kernel_size).
        bias: (out_channels,), or (out_channels, *output_size).
        stride, padding, dilation, groups, boundary: those of the forward operation; what it read outside its input
            is added to the samples it repeated, and of a constant boundary the linear part counts.
        output_padding, output_size: which of the sizes that lead to in_size, as in `correlate_transposed`.
    Returns:
        (batch, out_channels, *output_size).
    Raises:
        ShapeError, OptionError: as `local_correlate`, or an impossible output size.
    Example:
        >>> import torch
        >>> weight = torch.tensor([[-1.0, 1.0], [-2.0, 2.0], [-3.0, 3.0]]).reshape(3, 1, 1, 2)
        >>> local_correlate_transposed(torch.ones(1, 1, 3), weight)
        tensor([[[-1., -1., -1.,  3.]]])
    """
    who = "local_correlate_transposed"
    layout = _read(x, weight, bias, stride, padding, dilation, groups, 0, who)
    ndim = layout.ndim
    kernel, positions = weight.shape[-ndim:], weight.shape[:ndim]
    if x.shape[-ndim:] != positions:
        raise ShapeError(
            f"{who}: x has {tuple(x.shape[-ndim:])} positions, but weight {shape(weight)} is for {tuple(positions)}."
        )
    found = transposed_windows(
        positions,
        kernel,
        stride=layout.stride,
        padding=layout.sides,
        dilation=layout.dilation,
        output_padding=output_padding,
        output_size=output_size,
        who=who,
    )
    out_size = [w.out_size for w in found]
    _check_bias(bias, (groups * weight.shape[ndim + 1], *out_size), who)
    extended = [n + before + after for n, (before, after) in zip(out_size, layout.sides, strict=True)]
    weight, batched = as_computed(weight), as_computed(x if x.ndim == ndim + 2 else x.unsqueeze(0))
    y = apply_transposed(_plan(extended, weight, layout), batched, weight)
    return _finish(extend_adjoint(y, layout.sides, boundary, who), bias, x, ndim)


def _read(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int | Sequence[int],
    padding: Padding,
    dilation: int | Sequence[int],
    groups: int,
    channel_axis: int,
    who: str,
) -> Layout:
    """Checked as for an ordinary convolution with the weights of one position."""
    ndim = weight.ndim // 2 - 1
    if weight.ndim % 2 or ndim < 1 or min(weight.shape[:ndim]) < 1:
        raise ShapeError(
            f"{who}: weight {shape(weight)} has {weight.ndim} axes, expected 2·N + 2 for N-D, none of them empty: "
            "(*out_size, out_channels, in_channels/groups, *kernel_size)."
        )
    check_types(x, weight, bias, who)
    return read_layout(x, weight[(0,) * ndim], None, stride, padding, dilation, groups, channel_axis, who)


def _check_positions(
    in_size: Sequence[int], positions: Sequence[int], kernel: Sequence[int], layout: Layout, who: str
) -> None:
    out_size = layout.out_size(in_size, kernel)
    if list(positions) == out_size:
        return
    axis = next(a for a, (given, n) in enumerate(zip(positions, out_size, strict=True)) if given != n)
    w = windows(in_size, kernel, stride=layout.stride, padding=layout.sides, dilation=layout.dilation)[axis]
    raise ShapeError(
        f"{who}: weight is for {tuple(positions)} positions, but x of size {tuple(in_size)} has {tuple(out_size)}: "
        f"on axis {axis} ⌊({w.in_size} + {w.before} + {w.after} − {w.dilation}·({w.kernel_size} − 1) − 1)/{w.stride}⌋ "
        f"+ 1 = {w.out_size}."
    )


def _plan(in_size: Sequence[int], weight: Tensor, layout: Layout) -> LocalPlan:
    ndim = layout.ndim
    return LocalPlan(
        layout.without_padding(),
        tuple(in_size),
        tuple(weight.shape[:ndim]),
        tuple(weight.shape[-ndim:]),
        weight.movedim(ndim + 1, -1).is_contiguous(),
    )


def _check_bias(bias: Tensor | None, unshared: tuple[int, ...], who: str) -> None:
    if bias is not None and shape(bias) not in (unshared[:1], unshared):
        raise ShapeError(
            f"{who}: bias {shape(bias)}, expected one value per output channel: {unshared[:1]}, "
            f"or one per channel and position: {unshared}."
        )


def _finish(y: Tensor, bias: Tensor | None, x: Tensor, ndim: int) -> Tensor:
    """y with its bias, in the memory format of x and without a batch if x has none."""
    y, bias = y.contiguous(), as_computed(bias)
    if bias is not None:
        y = y + (bias.reshape(-1, *[1] * ndim) if bias.ndim == 1 else bias)
    return y.squeeze(0) if x.ndim == ndim + 1 else finished(y, None, x)
