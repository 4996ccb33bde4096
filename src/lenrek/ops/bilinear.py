"""A map that is linear in its input and in its weights, with gradients of every order.

Its gradients are again such maps, and the gradients of those too: with C(x, w) = y, T(y, w) its adjoint in x and
W(x, y) its adjoint in w,

    C has the gradients T(g, w) and W(x, g);   T has C(g, w) and W(g, y);   W has T(y, g) and C(x, g),

so whoever computes these three has a function that is differentiable as often as wanted.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Maps(Protocol):
    """C, T and W."""

    def forward(self, x: Tensor, weight: Tensor) -> Tensor: ...
    def input_gradient(self, y: Tensor, weight: Tensor) -> Tensor: ...
    def weight_gradient(self, x: Tensor, y: Tensor) -> Tensor: ...


def apply(maps: Maps, x: Tensor, weight: Tensor) -> Tensor:
    """C(x, weight)."""
    return _Forward.apply(x, weight, maps)


def apply_transposed(maps: Maps, y: Tensor, weight: Tensor) -> Tensor:
    """T(y, weight)."""
    return _InputGradient.apply(y, weight, maps)


class _Forward(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, weight, maps):
        return maps.forward(x, weight)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, weight, ctx.maps = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        for_x = _InputGradient.apply(grad, weight.conj(), ctx.maps) if ctx.needs_input_grad[0] else None
        for_weight = _WeightGradient.apply(x.conj(), grad, ctx.maps) if ctx.needs_input_grad[1] else None
        return for_x, for_weight, None


class _InputGradient(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(y, weight, maps):
        return maps.input_gradient(y, weight)

    @staticmethod
    def setup_context(ctx, inputs, output):
        y, weight, ctx.maps = inputs
        ctx.save_for_backward(y, weight)

    @staticmethod
    def backward(ctx, grad):
        y, weight = ctx.saved_tensors
        for_y = _Forward.apply(grad, weight.conj(), ctx.maps) if ctx.needs_input_grad[0] else None
        for_weight = _WeightGradient.apply(grad, y.conj(), ctx.maps) if ctx.needs_input_grad[1] else None
        return for_y, for_weight, None


class _WeightGradient(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x, y, maps):
        return maps.weight_gradient(x, y)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, y, ctx.maps = inputs
        ctx.save_for_backward(x, y)

    @staticmethod
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        for_x = _InputGradient.apply(y.conj(), grad, ctx.maps) if ctx.needs_input_grad[0] else None
        for_y = _Forward.apply(x.conj(), grad, ctx.maps) if ctx.needs_input_grad[1] else None
        return for_x, for_y, None
