"""Correlation and its two gradients, each by a method of its own.

Correlation is linear in x and in weight, so its gradients are again such maps, and the gradients of those too: with
C(x, w) = y, T(y, w) its adjoint in x and W(x, y) its adjoint in w,

    C has the gradients T(g, w) and W(x, g);   T has C(g, w) and W(g, y);   W has T(y, g) and C(x, g),

so three functions are differentiable as often as wanted. What is fast forward may be slow backward (a 15×15 kernel's
weight gradient runs at a hundredth of its forward speed in PyTorch), which is why each has its method.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lenrek.ops.compiled import forward_compiled, transposed_compiled, weight_gradient_compiled
from lenrek.ops.direct import correlate_direct, transposed_direct, transposed_flipped, weight_gradient_direct
from lenrek.ops.fourier import correlate_fft, transposed_fft, weight_gradient_fft
from lenrek.ops.gemm import (
    correlate_gemm,
    correlate_matrix,
    transposed_gemm,
    transposed_matrix,
    weight_gradient_gemm,
)
from lenrek.ops.layout import Layout, Sizes

_FORWARD = {
    "direct": correlate_direct,
    "kernel": forward_compiled,
    "gemm": correlate_gemm,
    "fft": correlate_fft,
    "matrix": correlate_matrix,
}
_INPUT_GRADIENT = {
    "direct": transposed_direct,
    "kernel": transposed_compiled,
    "flipped": transposed_flipped,
    "gemm": transposed_gemm,
    "fft": transposed_fft,
    "matrix": transposed_matrix,
}
_WEIGHT_GRADIENT = {
    "direct": weight_gradient_direct,
    "kernel": weight_gradient_compiled,
    "gemm": weight_gradient_gemm,
    "fft": weight_gradient_fft,
}


class Methods(NamedTuple):
    """The way each of the three maps is computed: a key of the table of its name."""

    forward: str
    input_gradient: str
    weight_gradient: str

    @classmethod
    def all(cls, method: str) -> Methods:
        """All three by one method; the gradient of a sparse matrix's weights is a product with the data's matrix."""
        return cls(method, method, "gemm" if method == "matrix" else method)


class Plan(NamedTuple):
    layout: Layout
    methods: Methods
    in_size: Sizes
    kernel: Sizes


def correlate_by(x: Tensor, weight: Tensor, plan: Plan) -> Tensor:
    """C: x (batch, in_channels, *in_size) → (batch, out_channels, *out_size)."""
    return _Forward.apply(x, weight, plan)


def transposed_by(y: Tensor, weight: Tensor, plan: Plan) -> Tensor:
    """T: y (batch, out_channels, *out_size) → (batch, in_channels, *in_size)."""
    return _InputGradient.apply(y, weight, plan)


class _Forward(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, weight, plan):
        return _FORWARD[plan.methods.forward](x, weight, plan.layout)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, weight, ctx.plan = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        for_x = _InputGradient.apply(grad, weight.conj(), ctx.plan) if ctx.needs_input_grad[0] else None
        for_weight = _WeightGradient.apply(x.conj(), grad, ctx.plan) if ctx.needs_input_grad[1] else None
        return for_x, for_weight, None


class _InputGradient(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(y, weight, plan):
        return _INPUT_GRADIENT[plan.methods.input_gradient](y, weight, plan.layout, plan.in_size)

    @staticmethod
    def setup_context(ctx, inputs, output):
        y, weight, ctx.plan = inputs
        ctx.save_for_backward(y, weight)

    @staticmethod
    def backward(ctx, grad):
        y, weight = ctx.saved_tensors
        for_y = _Forward.apply(grad, weight.conj(), ctx.plan) if ctx.needs_input_grad[0] else None
        for_weight = _WeightGradient.apply(grad, y.conj(), ctx.plan) if ctx.needs_input_grad[1] else None
        return for_y, for_weight, None


class _WeightGradient(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, y, plan):
        return _WEIGHT_GRADIENT[plan.methods.weight_gradient](x, y, plan.layout, plan.kernel)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, y, ctx.plan = inputs
        ctx.save_for_backward(x, y)

    @staticmethod
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        for_x = _InputGradient.apply(y.conj(), grad, ctx.plan) if ctx.needs_input_grad[0] else None
        for_y = _Forward.apply(x.conj(), grad, ctx.plan) if ctx.needs_input_grad[1] else None
        return for_x, for_y, None
