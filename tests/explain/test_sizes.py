"""Sizes and types that are told here are those that PyTorch computes."""

from __future__ import annotations

import pytest
import torch

from lenrek.explain.sizes import run_without_values

aten = torch.ops.aten
f32, f64, i64, b16 = torch.float32, torch.float64, torch.int64, torch.bfloat16
CALLS = [
    (aten.add.Tensor, (((2, 3, 1), f32), ((3, 5), f64))),
    (aten.add.Tensor, (((2, 3), i64), ((), f32))),
    (aten.mul.Tensor, (((4,), b16), 2.5)),
    (aten.gt.Scalar, (((4, 2), f32), 0)),
    (aten.where.self, (((4, 1), torch.bool), ((3,), f32), ((4, 3), f32))),
    (aten.div.Tensor, (((3,), i64), ((3,), i64))),
    (aten.relu.default, (((2, 3, 4), f32),)),
    (aten.relu_.default, (((2, 3, 4), f32),)),
    (aten.clamp.default, (((2, 3), f32), 0, 6)),
    (aten.mean.dim, (((2, 3, 4, 5), f32), [-1, -2], True)),
    (aten.mean.dim, (((2, 3, 4, 5), f32), [1, 3])),
    (aten.mean.dim, (((2, 3), f64), None)),
    (aten.addmm.default, (((7,), f32), ((2, 3), f32), ((3, 7), f32))),
    (
        aten.native_batch_norm.default,
        (((2, 3, 4), f32), ((3,), f32), ((3,), f32), ((3,), f32), ((3,), f32), True, 0.1, 1e-5),
    ),
    (aten.native_batch_norm.default, (((2, 3, 4), b16), None, None, ((3,), f32), ((3,), f32), True, 0.1, 1e-5)),
]


def made(argument, device):
    if isinstance(argument, tuple):
        return torch.ones(argument[0], dtype=argument[1], device=device)
    return argument


@pytest.mark.parametrize(("operator", "arguments"), CALLS, ids=lambda one: str(one) if callable(one) else "")
def test_as_pytorch_computes(operator, arguments):
    real = operator(*(made(one, "cpu") for one in arguments))
    given = [made(one, "meta") for one in arguments]
    written = given[:1] if operator is aten.relu_.default else []
    told = run_without_values(operator, tuple(given), {}, written)
    assert (told is given[0]) == bool(written)
    for one, other in zip(*((x if isinstance(x, tuple) else (x,)) for x in (told, real)), strict=True):
        assert (one.shape, one.dtype, one.is_meta) == (other.shape, other.dtype, True)


@pytest.mark.parametrize(
    ("operator", "arguments"),
    [
        (aten.add.Tensor, (((2, 3), f32), ((4,), f32))),
        (aten.add_.Tensor, (((3,), f32), ((2, 3), f32))),
        (aten.addmm.default, (((7,), f32), ((2, 4), f32), ((3, 7), f32))),
        (aten.mean.dim, (((2, 3), f32), [2])),
        (aten.mean.dim, (((2, 3), i64), [1])),
    ],
    ids=lambda one: str(one) if callable(one) else "",
)
def test_what_does_not_fit_is_refused_as_by_pytorch(operator, arguments):
    given = tuple(made(one, "meta") for one in arguments)
    with pytest.raises((RuntimeError, IndexError)):
        run_without_values(operator, given, {}, list(given[:1]) if operator is aten.add_.Tensor else [])
