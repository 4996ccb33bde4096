"""Depthwise correlation and its gradients against PyTorch in float64: values, borders, NaN, infinities, layouts."""

from __future__ import annotations

from random import Random

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lenrek.kernels import library
from lenrek.kernels.depthwise import How, depthwise, depthwise_reference

needs_library = pytest.mark.skipif(not library.available(), reason=library.active().reason)
CHANNELS = (1, 3, 16, 17, 64, 70)
MOST = {1: (31, 200), 2: (9, 14), 3: (4, 7)}  # samples of the kernel, and beyond it, on each axis
NAN, INF = float("nan"), float("inf")


@pytest.fixture
def kernels_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where PyTorch's own maps are as fast."""
    monkeypatch.setattr(How, "native", lambda *_: False)


@pytest.fixture(params=[torch.float32, torch.bfloat16])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param


def draw(ndim: int, seed: int) -> tuple[Tensor, Tensor, Tensor, dict]:
    """x (channels last in memory, or first if seed is odd), weight, bias and how, unequal on every axis."""
    random, numbers = Random(1000 * ndim + seed), torch.Generator().manual_seed(seed)
    most, spare = MOST[ndim]
    kernel = [random.randint(1, most) for _ in range(ndim)]
    stride, dilation = ([random.randint(1, 3) for _ in range(ndim)] for _ in range(2))
    padding = [(random.randint(0, 5), random.randint(0, 5)) for _ in range(ndim)]
    extents = [d * (k - 1) + 1 - sum(sides) for k, d, sides in zip(kernel, dilation, padding, strict=True)]
    size = [max(1, extent) + random.randint(0, spare) for extent in extents]
    batch, channels = random.choice((1, 3)), CHANNELS[seed % len(CHANNELS)]
    x = torch.randn(batch, *size, channels, generator=numbers).movedim(-1, 1)
    x = x.contiguous() if seed % 2 else x
    weight, bias = torch.randn(channels, 1, *kernel, generator=numbers), torch.randn(channels, generator=numbers)
    return x, weight, bias, {"stride": stride, "padding": padding, "dilation": dilation}


def run(function, dtype: torch.dtype, x: Tensor, weight: Tensor, bias: Tensor, how: dict) -> list[Tensor]:
    """The result and the gradients of x, weight and bias."""
    leaves = [t.detach().to(dtype).requires_grad_() for t in (x, weight, bias)]
    y = function(*leaves, **how)
    values = torch.randn(y.shape, generator=torch.Generator().manual_seed(7)).bfloat16()  # for all alike
    dy = torch.empty_like(y).copy_(values)  # in the layout of y
    return [y, *torch.autograd.grad(y, leaves, dy)]


def assert_close(found: list[Tensor], exact: list[Tensor], what: object, tolerance: float = 1e-5) -> None:
    for i, (f, e) in enumerate(zip(found, exact, strict=True)):
        assert f.shape == e.shape
        assert (f.double() - e.double()).abs().max() <= tolerance * max(1.0, e.abs().max()), (what, i)


@needs_library
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_float32_is_within_1e_5_of_float64(isa, threads, kernels_alone, ndim):
    for seed in range(12):
        case = draw(ndim, seed)
        found = run(depthwise, torch.float32, *case)
        assert found[0].grad_fn.name() == "_ForwardBackward"
        assert_close(found, run(depthwise_reference, torch.float64, *case), (case[0].shape, case[1].shape, case[3]))


@needs_library
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_bfloat16_is_no_farther_from_float64_than_pytorch(isa, threads, kernels_alone, ndim):
    def distance(found: Tensor, exact: Tensor) -> float:
        return (found.double() - exact).square().mean().sqrt().item()

    for seed in range(12):
        x, weight, bias, how = draw(ndim, seed)
        case = (x.bfloat16(), weight.bfloat16(), bias.bfloat16(), how)
        exact = run(depthwise_reference, torch.float64, *case)
        ours, theirs = (run(f, torch.bfloat16, *case) for f in (depthwise, depthwise_reference))
        for o, t, e in zip(ours, theirs, exact, strict=True):
            assert o.dtype == torch.bfloat16
            assert distance(o, e) <= 1.05 * distance(t, e) + 1e-6 * max(1.0, e.abs().max()), (x.shape, how)


@needs_library
@pytest.mark.parametrize(
    ("size", "kernel", "stride"),
    [((3000,), (5,), (2,)), ((20, 400), (3, 7), (1, 2)), ((3, 9, 190), (3, 3, 5), (1, 2, 1))],
)
@pytest.mark.parametrize("layout", ["channels first", "channels last"])
def test_many_pieces_on_several_threads(isa, threads, kernels_alone, size, kernel, stride, layout):
    numbers = torch.Generator().manual_seed(1)
    x = torch.randn(2, *size, 40, generator=numbers).movedim(-1, 1)
    x = x.contiguous() if layout == "channels first" else x
    weight, bias = torch.randn(40, 1, *kernel, generator=numbers), torch.randn(40, generator=numbers)
    how = {"stride": stride, "padding": [(k // 2, k // 2) for k in kernel], "dilation": [1] * len(size)}
    found = run(depthwise, torch.float32, x, weight, bias, how)
    assert_close(found, run(depthwise_reference, torch.float64, x, weight, bias, how), size)
    again = run(depthwise, torch.float32, x, weight, bias, how)
    assert all(torch.equal(a, b) for a, b in zip(found, again, strict=True))  # deterministic


@needs_library
@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("where", ["x", "weight", "dy"])
@pytest.mark.parametrize("layout", ["channels first", "channels last"])
@pytest.mark.parametrize(("kernel", "stride", "dilation"), [((3, 3), (1, 1), (1, 1)), ((5, 4), (2, 1), (1, 3))])
def test_nan_and_infinities_go_where_pytorchs_go(isa, kernels_alone, where, value, kernel, stride, dilation, layout):
    numbers = torch.Generator().manual_seed(2)
    x = torch.randn(2, 9, 10, 20, generator=numbers).movedim(-1, 1)
    x = x.contiguous() if layout == "channels first" else x
    weight = torch.randn(20, 1, *kernel, generator=numbers)
    padding = [d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True)]
    dy = torch.randn(F.conv2d(x, weight, None, stride, padding, dilation, 20).shape, generator=numbers)
    tensor = {"x": x, "weight": weight, "dy": dy}[where]
    tensor[0, 0, 0, 0] = tensor[-1, 0, -1, -1] = value  # in a corner, where zeros outside would spread it

    def gradients(y: Tensor, *leaves: Tensor) -> list[Tensor]:
        return [y, *torch.autograd.grad(y, leaves, dy)]

    leaves = [x.requires_grad_(), weight.requires_grad_()]
    sides = [(p, p) for p in padding]
    found = gradients(depthwise(*leaves, stride=stride, padding=sides, dilation=dilation), *leaves)
    last = leaves[0].contiguous(memory_format=torch.channels_last)  # elsewhere PyTorch itself multiplies zeros outside
    expected = gradients(F.conv2d(last, weight, None, stride, padding, dilation, 20), *leaves)
    torch.testing.assert_close(found, expected, equal_nan=True, rtol=1e-4, atol=1e-4)


@needs_library
def test_where_pytorch_is_as_fast_it_computes_and_agrees(dtype):
    x = torch.randn(2, 9, 10, 20).movedim(-1, 1).to(dtype)
    for kernel, stride, dilation in (((3, 3), (1, 1), (1, 1)), ((3, 5), (2, 1), (1, 1)), ((7, 3), (1, 2), (1, 2))):
        weight, bias = torch.randn(20, 1, *kernel).to(dtype), torch.randn(20).to(dtype)
        how = {"stride": stride, "padding": [(1, 1), (2, 2)], "dilation": dilation}
        tolerance = 1e-5 if dtype == torch.float32 else 2e-2
        exact = run(depthwise_reference, torch.float64, x, weight, bias, how)
        assert_close(run(depthwise, dtype, x, weight, bias, how), exact, (kernel, how), tolerance)


@needs_library
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "padding", "maps"),
    [
        ((9,), (3,), (1,), (1,), [(1, 1)], ()),
        ((9, 9), (3, 3), (1, 1), (1, 1), [(1, 1), (1, 1)], ("forward", "input_gradient", "weight_gradient")),
        ((9, 9), (3, 3), (1, 1), (1, 1), [(1, 0), (1, 1)], ()),
        ((9, 9), (5, 5), (1, 1), (1, 1), [(2, 2), (2, 2)], ("forward", "input_gradient")),
        ((9, 9), (7, 7), (1, 1), (1, 1), [(3, 3), (3, 3)], ("forward",)),
        ((9, 9), (3, 3), (1, 1), (1, 2), [(1, 1), (2, 2)], ("forward",)),
        ((9, 9, 9), (3, 3, 3), (1, 1, 1), (1, 1, 1), [(1, 1)] * 3, ("forward",)),
    ],
)
def test_which_maps_are_left_to_pytorch(size, kernel, stride, dilation, padding, maps):
    how = How.of(size, kernel, stride, padding, dilation)
    names = ("forward", "input_gradient", "weight_gradient")
    x = torch.empty(1, *size, 2).movedim(-1, 1)
    assert tuple(name for name in names if how.native(name, x)) == maps
    with library.using("portable"):
        assert not any(how.native(name, x.bfloat16()) for name in names)  # PyTorch's need a newer processor


@needs_library
def test_long_kernels_leave_channels_first_to_ours():
    how = How.of((40, 40), (16, 3), (1, 1), [(8, 8), (1, 1)], (1, 1))
    x = torch.empty(1, 2, 40, 40)
    assert not how.native("forward", x)
    assert How.of((40, 40), (15, 3), (1, 1), [(7, 7), (1, 1)], (1, 1)).native("forward", x)
    assert how.native("forward", x.contiguous(memory_format=torch.channels_last))


@needs_library
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_second_derivatives(kernels_alone, ndim):
    def second(function, dtype: torch.dtype) -> list[Tensor]:
        x, weight, bias, how = draw(ndim, 3)
        leaves = [t.detach().to(dtype).requires_grad_() for t in (x, weight, bias)]
        y = function(*leaves, **how)
        dy = torch.linspace(-1, 1, y.numel(), dtype=dtype).reshape(y.shape).requires_grad_()
        first = torch.autograd.grad(y, leaves, dy, create_graph=True)
        score = sum(g.sin().sum() for g in first)
        return list(torch.autograd.grad(score, [*leaves[:2], dy]))

    assert_close(second(depthwise, torch.float32), second(depthwise_reference, torch.float64), ndim, 5e-5)


@needs_library
@pytest.mark.parametrize("alone", [True, False])
def test_the_layout_of_x_is_kept(monkeypatch, alone):
    monkeypatch.setattr(How, "native", lambda *_: not alone)
    weight = torch.randn(6, 1, 3, 5, requires_grad=True)
    how = {"stride": (1, 2), "padding": [(1, 1), (2, 2)], "dilation": (1, 1)}
    for memory_format in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(2, 6, 7, 9).contiguous(memory_format=memory_format).requires_grad_()
        y = depthwise(x, weight, **how)
        assert y.is_contiguous(memory_format=memory_format)
        (dx,) = torch.autograd.grad(y, x, torch.ones_like(y))
        assert dx.is_contiguous(memory_format=memory_format)
        assert_close([y], [depthwise_reference(x.double(), weight.double(), **how)], memory_format)


@needs_library
def test_strided_inputs_and_gradients(kernels_alone):
    x, weight = torch.randn(4, 8, 12, 20)[:, ::2, 1::2], torch.randn(4, 2, 3, 6)[:, :1, :, ::2]
    how = {"stride": (1, 1), "padding": [(1, 1), (1, 1)], "dilation": (1, 1)}
    leaf = weight.detach().requires_grad_()
    y = depthwise(x, leaf, **how)
    assert_close([y], [depthwise_reference(x.double(), leaf.double(), **how)], "strided")
    (found,) = torch.autograd.grad(y.sum(), leaf)  # an expanded gradient
    exact = leaf.detach().double().requires_grad_()
    (expected,) = torch.autograd.grad(depthwise_reference(x.double(), exact, **how).sum(), exact)
    assert_close([found], [expected], "expanded")


@pytest.mark.parametrize(
    ("x", "weight"),
    [
        (torch.randn(2, 3, 9, dtype=torch.float64), torch.randn(3, 1, 4, dtype=torch.float64)),
        (torch.randn(2, 3, 9), torch.randn(6, 1, 4)),  # two kernels per channel
        (torch.randn(0, 3, 9), torch.randn(3, 1, 4)),
        (torch.randint(-5, 5, (2, 3, 9)), torch.randint(-5, 5, (3, 1, 4))),
    ],
)
def test_what_the_kernels_do_not_do_pytorch_does(x, weight):
    how = {"stride": (2,), "padding": [(1, 2)], "dilation": (2,)}
    assert torch.equal(depthwise(x, weight, **how), depthwise_reference(x, weight, **how))


@needs_library
def test_without_a_library_pytorch_computes():
    x, weight, bias, how = draw(2, 1)
    with library.using(None):
        y = depthwise(x, weight, bias, **how)
    assert torch.equal(y, depthwise_reference(x, weight, bias, **how))


@needs_library
def test_autocast_computes_in_its_type(kernels_alone):
    x, weight, bias, how = draw(2, 3)
    with torch.autocast("cpu", torch.bfloat16):
        y = depthwise(x, weight.requires_grad_(), bias, **how)
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert weight.grad.dtype == torch.float32
    assert torch.equal(y, depthwise(x.bfloat16(), weight.bfloat16(), bias.bfloat16(), **how))


@needs_library
@pytest.mark.filterwarnings("ignore")  # of the compiler's own
def test_compiles_as_one_graph(kernels_alone):
    x, weight, bias, how = draw(2, 4)

    def step(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return depthwise(x, weight, bias, **how).sin()

    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    results = [run(f, torch.float32, x, weight, bias, {}) for f in (step, compiled)]
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@needs_library
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_operators_describe_what_they_return(dtype):
    x, y = (torch.randn(2, *size, 5).movedim(-1, 1).to(dtype) for size in ((7, 9), (7, 4)))
    weight, bias = torch.randn(5, 1, 3, 4).to(dtype), torch.randn(5).to(dtype)
    how = ([1, 2], [1, 0], [1, 1])
    for operator, arguments in (
        (torch.ops.lenrek.depthwise_forward, (x, weight, bias, [7, 4], *how)),
        (torch.ops.lenrek.depthwise_input_gradient, (y, weight, [7, 9], *how)),
        (torch.ops.lenrek.depthwise_weight_gradient, (x, y, [3, 4], *how, True)),
    ):
        torch.library.opcheck(operator.default, arguments, test_utils=("test_schema", "test_faketensor"))
