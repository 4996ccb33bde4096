"""Multiply-accumulates of the operators that a network runs.

One is a multiplication whose product is added to others: what convolutions, matrix products and attention are made of.
Those with zeros of the padding count, as they are computed; the addition of a bias does not. By decision 0: arithmetic
element by element, activations, normalisation, pooling, interpolation, reductions, look-ups, and whatever only moves
values. An operator that is in none of these lists has no known count.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch

from lenrek.explain.record import Call, Volume


def macs(call: Call) -> int | None:
    """Multiply-accumulates of one operator, of the whole batch; None where they are not known.

    Example:
        >>> from lenrek.explain.trace import trace
        >>> [macs(call) for call in trace(torch.nn.Conv2d(3, 8, 5), [torch.empty(2, 3, 9, 9)]).calls]
        [30000]
    """
    rule = RULES.get(_plain(call.name))
    if rule is not None:
        return rule(call)
    return 0 if costs_nothing(call) else None


def costs_nothing(call: Call) -> bool:
    """Whether an operator is known to have no multiply-accumulates."""
    operator = call.operator
    if operator.namespace not in ("aten", "prims", "prim"):
        return _plain(call.name) in OWN_WITHOUT
    if {torch.Tag.pointwise, torch.Tag.reduction} & set(operator.tags) or operator.is_view:
        return True
    return _plain(call.name).removeprefix("aten.") in WITHOUT or not call.inputs  # without tensors: it only makes one


def _plain(name: str) -> str:
    """Writing into its first argument or not, it is the same computation."""
    return name if name.endswith("__") else name.removesuffix("_")


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, Volume):
        raise TypeError(f"expected a tensor, not {value!r}")
    return value.shape


def _size(call: Call) -> int:
    """Number of values of the result."""
    return prod(_shape(call.outputs[0]))


def _convolution(call: Call) -> int:
    """Every weight once per sample and position: of the output, of a transposed convolution those of the input."""
    x, weight, transposed = _shape(call.args[0]), _shape(call.args[1]), call.args[6]
    positions = x[2:] if transposed else _shape(call.outputs[0])[2:]
    return x[0] * prod(positions) * prod(weight)


def _depthwise(call: Call) -> int:
    x, weight = _shape(call.args[0]), _shape(call.args[1])
    return x[0] * prod(call.args[3]) * prod(weight)


def _depthwise_transposed(call: Call) -> int:
    return prod(_shape(call.args[0])) * prod(_shape(call.args[1])[1:])


def _product(first: int) -> Callable[[Call], int]:
    """A matrix product; its left factor is argument `first`, whose last axis is summed over."""
    return lambda call: _size(call) * _shape(call.args[first])[-1]


def _sum_of_products(call: Call) -> int:
    batch, rows, inner = _shape(call.args[1])
    return batch * rows * inner * _shape(call.args[2])[-1]


def _dot(call: Call) -> int:
    return prod(_shape(call.args[0]))


def _attention(call: Call) -> int:
    """Queries by keys, and the weights by values; what a mask leaves out counts, as it is computed."""
    query, key, value = (_shape(one) for one in call.args[:3])
    return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _bilinear(call: Call) -> int:
    """The weight of every pair of inputs once per sample and output."""
    sizes = []
    for volume, axes in zip(call.args[:3], call.args[3:6], strict=True):
        size = list(_shape(volume))
        for axis in sorted(axes):
            size.insert(axis, 1)
        sizes.append(size)
    return prod(torch.broadcast_shapes(*map(tuple, sizes)))


RULES: dict[str, Callable[[Call], int]] = {
    "aten.convolution": _convolution,
    "aten.mm": _product(0),
    "aten.bmm": _product(0),
    "aten.mv": _product(0),
    "aten.addmm": _product(1),
    "aten._addmm_activation": _product(1),
    "aten.baddbmm": _product(1),
    "aten.addmv": _product(1),
    "aten.addbmm": _sum_of_products,
    "aten.dot": _dot,
    "aten.vdot": _dot,
    "aten._trilinear": _bilinear,
    "lenrek.depthwise_forward": _depthwise,
    "lenrek.depthwise_input_gradient": _depthwise_transposed,
} | {
    f"aten._scaled_dot_product_{form}": _attention
    for form in (
        "attention_math", "cudnn_attention", "efficient_attention", "flash_attention", "flash_attention_for_cpu",
        "fused_attention_overrideable",
    )
}  # fmt: skip

OWN_WITHOUT = {"lenrek.block_forward"}  # normalisation, activation and pooling
# Those of PyTorch's operators that neither their tags nor their schemas tell.
_WITHOUT = """
_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d avg_pool2d avg_pool3d
max_pool2d_with_indices max_pool3d_with_indices max_unpool2d max_unpool3d fractional_max_pool2d
fractional_max_pool3d native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_functional
_batch_norm_no_update _native_batch_norm_legit_no_training _batch_norm_with_update
_batch_norm_with_update_functional native_layer_norm native_group_norm renorm _weight_norm_interface dist
upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d upsample_trilinear3d
upsample_bicubic2d _upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d
_upsample_bilinear2d_aa _upsample_bicubic2d_aa _upsample_lanczos2d_aa grid_sampler_2d grid_sampler_3d
affine_grid_generator _softmax _log_softmax _safe_softmax _masked_softmax softmax log_softmax _prelu_kernel
hardswish gelu glu abs mish rrelu_with_noise rrelu_with_noise_functional log_sigmoid_forward native_dropout
logcumsumexp _logcumsumexp bernoulli normal normal_functional uniform random exponential geometric cauchy log_normal
poisson multinomial embedding embedding_renorm _embedding_bag _embedding_bag_forward_only index index_select
index_put _index_put_impl index_add index_copy index_fill index_reduce _unsafe_index _unsafe_index_put gather
scatter scatter_add scatter_reduce masked_scatter masked_select take put repeat_interleave searchsorted bucketize
isin one_hot cat _chunk_cat stack unsafe_split unsafe_split_with_sizes split_with_sizes_copy constant_pad_nd roll
flip rot90 repeat tril triu diag_embed block_diag reflection_pad1d reflection_pad2d reflection_pad3d
replication_pad1d replication_pad2d replication_pad3d im2col col2im pixel_shuffle pixel_unshuffle channel_shuffle
select_scatter slice_scatter diagonal_scatter as_strided_scatter copy _to_copy _unsafe_view fill zero set resize
squeeze unsqueeze t transpose detach as_strided complex polar lift lift_fresh_copy view_copy alias_copy expand_copy
permute_copy slice_copy select_copy empty_like zeros_like ones_like full_like rand_like randn_like randint_like
new_empty new_empty_strided new_zeros new_ones new_full cumsum cumprod cummax cummin _cummax_helper _cummin_helper
sort topk kthvalue median mode unique_consecutive histc bincount copysign eq ne lt le gt ge floor_divide rsub
threshold masked_fill fmod remainder lcm gcd heaviside mse_loss smooth_l1_loss huber_loss binary_cross_entropy
binary_cross_entropy_with_logits nll_loss_forward nll_loss2d_forward
"""
WITHOUT = set(_WITHOUT.split())
