"""Operators that mix features: sums and norms over axes, products of matrices, transforms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lenrek.explain.fields.rules import Asked, all_of, rule
from lenrek.explain.fields.rules_shape import taken
from lenrek.explain.fields.span import Span, united

REDUCTIONS = (
    "mean", "sum", "nansum", "amax", "amin", "max", "min", "aminmax", "median", "var", "std", "var_mean", "std_mean",
    "prod", "argmax", "argmin", "logsumexp", "norm", "linalg_vector_norm", "any", "all", "count_nonzero", "mode",
    "kthvalue", "cummax_helper",
)  # fmt: skip


@rule(*(f"aten.{name}" for name in REDUCTIONS))
def _reduced(asked: Asked) -> list[Span] | Span:
    volumes = asked.call.inputs
    if len(volumes) > 1:  # max(x, y)
        return united([asked.span(volume) for volume in volumes], asked.shape)
    span, ndim = asked.subject, len(asked.subject.shape)
    axes = _axes(asked["dim"], ndim)
    span = span.over(axes)
    for axis in sorted(axes, reverse=True):
        span = span.at(axis, 0).inserted(axis) if asked["keepdim"] else span.at(axis, 0)
    return [span] * len(asked.shapes)


def _axes(dims: Any, ndim: int) -> list[int]:
    if dims is None or dims == []:
        return list(range(ndim))
    return [dim % ndim for dim in ([dims] if isinstance(dims, int) else dims)]


@rule("aten._softmax", "aten._log_softmax", "aten._safe_softmax", "aten.softmax", "aten.log_softmax")
def _softmax(asked: Asked) -> Span:
    return asked.subject.over([asked["dim"]])


@rule("aten.cumsum", "aten.cumprod", "aten.logcumsumexp", "aten.cummax", "aten.cummin")
def _cumulated(asked: Asked) -> list[Span]:
    return [asked.subject.prefix(asked["dim"] % len(asked.shape))] * len(asked.shapes)


@rule("aten.glu")
def _gated(asked: Asked) -> Span:
    span, axis = asked.subject, asked["dim"] % len(asked.shape)
    half = asked.shape[axis]
    return united([taken(span, axis, range(half)), taken(span, axis, range(half, 2 * half))], asked.shape)


@rule("aten.hardswish", "aten._prelu_kernel", "aten.rrelu_with_noise", "aten.dropout", "aten.native_dropout",
      "aten.lerp", "aten.addcmul", "aten.addcdiv", "aten.hardshrink", "aten.softshrink", "aten.logit", "aten.celu",
      "aten.log_sigmoid_forward", "aten.threshold", "aten.rsub", "aten.where", "aten.masked_fill", "aten.clamp",
      "aten.prelu", "aten.polar", "aten.complex", "aten.real", "aten.imag", "aten._conj", "aten.conj_physical",
      "aten.resolve_conj")  # fmt: skip
def _elementwise(asked: Asked) -> Span:
    """Those that PyTorch does not mark as such."""
    return united([asked.span(volume) for volume in asked.call.inputs], asked.shape)


@rule(
    "aten.native_batch_norm", "aten.cudnn_batch_norm", "aten._native_batch_norm_legit",
    "aten._native_batch_norm_legit_no_training", "aten._batch_norm_with_update", "aten._batch_norm_no_update",
)  # fmt: skip
def _batch_norm(asked: Asked) -> Span:
    """With statistics of the batch every feature depends on all of its channel."""
    span, by_batch = asked.subject, asked["training"] or asked["train"] or asked["running_mean"] is None
    if asked.call.name.endswith(("no_training", "no_update")):
        by_batch = False
    elif asked.call.name.endswith("with_update"):
        by_batch = True
    own = span.over([axis for axis in range(len(span.shape)) if axis != 1]) if by_batch else span
    size = (1,) * (len(span.shape) - 2)
    affine = [_per_channel(asked.of(name), size) for name in ("weight", "bias", "running_mean", "running_var")]
    return united([own, *affine], asked.shape)


def _per_channel(span: Span, size: Sequence[int]) -> Span:
    return span.reshaped([*span.shape, *size]) if span.shape else span


@rule("aten.native_layer_norm", "aten._fused_rms_norm", "aten.rms_norm")
def _layer_norm(asked: Asked) -> Span:
    span, ndim = asked.subject, len(asked.shape)
    axes = range(ndim - len(asked["normalized_shape"]), ndim)
    return united([span.over(list(axes)), asked.of("weight"), asked.of("bias")], asked.shape)


@rule("aten.native_group_norm")
def _group_norm(asked: Asked) -> Span:
    span, groups = asked.subject, asked["group"]
    batch, channels, *size = span.shape
    span = span.reshaped([batch, groups, channels // groups, *size])
    span = span.over(list(range(2, len(span.shape)))).reshaped(asked.shape)
    affine = [_per_channel(asked.of(name), [1] * len(size)) for name in ("weight", "bias")]
    return united([span, *affine], asked.shape)


@rule("aten.mm", "aten.bmm", "aten.matmul")
def _product(asked: Asked) -> Span:
    return _matrices(asked.subject, asked.of("mat2"), asked)


@rule("aten.addmm", "aten.baddbmm")
def _product_and_sum(asked: Asked) -> Span:
    names = ("mat1", "mat2") if asked.call.name == "aten.addmm" else ("batch1", "batch2")
    return united([_matrices(asked.of(names[0]), asked.of(names[1]), asked), asked.subject], asked.shape)


@rule("aten.mv", "aten.dot", "aten.vdot")
def _vector(asked: Asked) -> Span:
    names = ("vec",) if asked.call.name == "aten.mv" else ("tensor", "other")
    span = asked.subject
    rows = span.over([1]).at(1, 0) if len(span.shape) == 2 else all_of(span)
    return united([rows, *(all_of(asked.of(name)) for name in names)], asked.shape)


@rule("aten.linear")
def _linear(asked: Asked) -> Span:
    span = asked.subject
    last = len(span.shape) - 1
    rows = span.over([last]).at(last, 0).inserted(last)
    return united([rows, all_of(asked.of("weight")), all_of(asked.of("bias"))], asked.shape)


def _matrices(one: Span, other: Span, asked: Asked) -> Span:
    """(…, i, k) times (…, k, j): every result depends on a row of one and a column of the other."""
    row, column = len(one.shape) - 1, len(other.shape) - 2
    rows = one.over([row]).at(row, 0).inserted(row)
    columns = other.over([column]).at(column, 0).inserted(column)
    return united([rows, columns], asked.shape)


@rule("aten._trilinear")
def _trilinear(asked: Asked) -> Span:
    """Bilinear layers: sums over the axes in `sumdim` of a product of three, each expanded by its own axes."""
    parts = []
    for name in ("i1", "i2", "i3"):
        span = asked.of(name)
        for axis in sorted(asked[name.replace("i", "expand")]):
            span = span.inserted(axis)
        span = span.over(asked["sumdim"])
        for axis in sorted(asked["sumdim"], reverse=True):
            span = span.at(axis, 0)
        parts.append(span)
    return united(parts, asked.shape)


@rule("aten._fft_c2c", "aten._fft_r2c", "aten._fft_c2r")
def _fourier(asked: Asked) -> Span:
    """Every frequency depends on every sample, along the transformed axes."""
    span = asked.subject.over(asked["dim"])
    for dim in asked["dim"]:
        span = span.at(dim % len(span.shape), 0).inserted(dim % len(span.shape))
    return span.expanded(asked.shape)


@rule("aten._cdist_forward")
def _distances(asked: Asked) -> Span:
    one, other = asked.of("x1"), asked.of("x2")
    last = len(one.shape) - 1
    rows = one.over([last]).at(last, 0).inserted(last)
    columns = other.over([last]).at(last, 0).inserted(last - 1)
    return united([rows, columns], asked.shape)
