"""The fused block against its twin in plain PyTorch in float64: values, gradients, ties, NaN, infinities."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, product

import pytest
import torch
from torch import Tensor

from lenrek.errors import OptionError, ShapeError
from lenrek.kernels import block, library, reference
from lenrek.kernels.pool import Pool

needs_library = pytest.mark.skipif(not library.available(), reason=library.active().reason)
SIZES = {1: (9,), 2: (6, 7), 3: (4, 5, 3)}
POOLS = {
    1: [None, Pool("max", (2,)), Pool("max", (3,), (2,), (1,)), Pool("average", (3,), (2,), (1,))],
    2: [None, Pool("max", (2, 2)), Pool("max", (3, 2), (2, 1), (1, 0)), Pool("max", (3, 3), (2, 2), (1, 1)),
        Pool("average", (3, 2), (2, 3), (1, 0)), Pool("max", (1, 2), (2, 3)), Pool("global_average"),
        Pool("max", (3, 2), (2, 3), (1, 0), ceil_mode=True)],
    3: [None, Pool("max", (2, 2, 2)), Pool("max", (3, 2, 1), (2, 1, 2), (1, 0, 0)), Pool("average", (1, 2, 3)),
        Pool("global_average")],
}  # fmt: skip


def channels_last(*shape: int, seed: int = 0, spread: float = 1.0, mean: float = 0.0) -> Tensor:
    batch, channels, *size = shape
    values = torch.randn(batch, *size, channels, generator=torch.Generator().manual_seed(seed))
    return (values * spread + mean).movedim(-1, 1)


def parameters(channels: int) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(channels)
    names = ("weight", "bias", "running_mean", "running_var")
    values = {name: torch.randn(channels, generator=draw) for name in names}
    return values | {"running_var": values["running_var"].abs() + 0.5}


def run(module, x: Tensor, mode: str, residual: Tensor | None, dtype: torch.dtype, kept: dict[str, Tensor], **options):
    """Output, gradients of (x, residual, weight, bias) that there are, and the running statistics, of one block."""

    def leaf(t: Tensor | None, to: torch.dtype) -> Tensor | None:
        return None if t is None else t.detach().to(to).clone().requires_grad_()

    of_parameters = torch.float64 if dtype == torch.float64 else torch.float32
    x, residual = leaf(x, dtype), leaf(residual, dtype)
    weight, bias = (leaf(kept[name], of_parameters) for name in ("weight", "bias"))
    mean, var = (kept[name].to(of_parameters).clone() for name in ("running_mean", "running_var"))
    options = {"activation": "none", "negative_slope": 0.1, "pool": None} | options
    if mode == "bias":
        y, weight = module.bias_act_pool(x, bias, residual=residual, **options), None
    else:
        settings = {"training": mode == "batch", "momentum": 0.3, "eps": 1e-3, "residual": residual} | options
        y = module.norm_act_pool(x, weight, bias, mean, var, **settings)
    dy = torch.randn(y.shape, generator=torch.Generator().manual_seed(7)).bfloat16().to(dtype)  # for all alike
    inputs = [t for t in (x, residual, weight, bias) if t is not None]
    return [y, *torch.autograd.grad(y, inputs, dy), mean, var]


def assert_close(found: list[Tensor], expected: list[Tensor], what: object, tolerance: float = 1e-5) -> None:
    for i, (f, e) in enumerate(zip(found, expected, strict=True)):
        assert f.shape == e.shape
        error = (f.double() - e.double()).abs().max()
        assert error <= tolerance * max(1.0, e.abs().max()), (what, i, error)


def combinations(ndim: int):
    """Every activation with every pool and mode; channels and residual change from one to the next."""
    channels, residual = cycle((1, 3, 17, 64, 20)), cycle((False, True, True, False, False, True, False))
    for activation, pool, mode in product(block.ACTIVATIONS, POOLS[ndim], ("batch", "running", "bias")):
        yield next(channels), next(residual), mode, activation, pool


@needs_library
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_float32_is_within_1e_5_of_float64(isa, ndim):
    for channels, added, mode, activation, pool in combinations(ndim):
        x = channels_last(3, channels, *SIZES[ndim], seed=1)
        residual = channels_last(3, channels, *SIZES[ndim], seed=2) if added else None
        case = {"mode": mode, "residual": residual, "kept": parameters(channels)}
        case |= {"activation": activation, "pool": pool}
        found = run(block, x, dtype=torch.float32, **case)
        assert found[0].grad_fn.name() == "_BlockBackward"
        assert_close(found, run(reference, x, dtype=torch.float64, **case), (channels, added, mode, activation, pool))


@needs_library
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_bfloat16_is_no_farther_from_float64_than_pytorch(isa, ndim):
    def distance(found: Tensor, exact: Tensor) -> float:
        return (found.double() - exact).square().mean().sqrt().item()

    for channels, added, mode, activation, pool in combinations(ndim):
        x = channels_last(8, channels, *SIZES[ndim], seed=1).bfloat16()
        residual = channels_last(8, channels, *SIZES[ndim], seed=2).bfloat16() if added else None
        case = {"mode": mode, "residual": residual, "kept": parameters(channels)}
        case |= {"activation": activation, "pool": pool}
        exact = run(reference, x, dtype=torch.float64, **case)
        ours, theirs = (run(module, x, dtype=torch.bfloat16, **case) for module in (block, reference))
        for o, t, e in zip(ours, theirs, exact, strict=True):
            assert o.dtype == t.dtype
            assert distance(o, e) <= 1.05 * distance(t, e) + 1e-6 * max(1.0, e.abs().max()), (
                channels,
                added,
                mode,
                activation,
                pool,
            )


@needs_library
@pytest.mark.parametrize(
    ("residual", "activation", "pool"),
    [(False, "relu", Pool("max", (2, 3))), (True, "silu", None), (False, "leaky_relu", Pool("average", (3, 2)))],
)
def test_many_rows_on_several_threads(isa, threads, residual, activation, pool):
    x = channels_last(5, 33, 61, 67, seed=3, spread=2.0, mean=1.0)
    case = {"mode": "batch", "residual": x.roll(1, 0) if residual else None, "kept": parameters(33)}
    case |= {"activation": activation, "pool": pool}
    found = run(block, x, dtype=torch.float32, **case)
    assert_close(found, run(reference, x, dtype=torch.float64, **case), "many rows", 1e-5)
    again = run(block, x, dtype=torch.float32, **case)
    assert all(torch.equal(a, b) for a, b in zip(found, again, strict=True))  # deterministic


@needs_library
@pytest.mark.parametrize(("mean", "spread", "first"), [(10000.0, 1.0, None), (1000.0, 1.0, 0.0), (-30.0, 0.01, None)])
def test_a_mean_far_from_zero_costs_no_accuracy(isa, threads, mean, spread, first):
    x = channels_last(4, 19, 23, 29, seed=4, spread=spread, mean=mean)
    if first is not None:
        x[0, :, 0, 0] = first  # nor does a first sample unlike the others
    case = {"mode": "batch", "residual": None, "kept": parameters(19)}
    assert_close(run(block, x, dtype=torch.float32, **case), run(reference, x, dtype=torch.float64, **case), mean)


@needs_library
def test_samples_far_from_each_other_cost_no_accuracy(isa, threads):
    x = channels_last(4, 19, 23, 29, seed=4) + torch.tensor([0.0, 1000.0, 2000.0, -500.0]).reshape(4, 1, 1, 1)
    case = {"mode": "batch", "residual": None, "kept": parameters(19)}
    assert_close(run(block, x, dtype=torch.float32, **case), run(reference, x, dtype=torch.float64, **case), "samples")


@needs_library
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_of_equal_samples_the_first_receives_the_gradient(isa, dtype):
    x = torch.randint(0, 3, (2, 7, 6, 20), generator=torch.Generator().manual_seed(5)).movedim(-1, 1).to(dtype)
    case = {"mode": "bias", "residual": None, "kept": parameters(20), "pool": Pool("max", (3, 2), (2, 1), (1, 1))}
    for activation in ("none", "relu", "leaky_relu"):
        found = run(block, x, dtype=dtype, activation=activation, **case)
        expected = run(reference, x, dtype=torch.float64, activation=activation, **case)
        assert torch.equal(found[1].double() != 0, expected[1] != 0)


@needs_library
@pytest.mark.parametrize(
    "pool", [None, Pool("max", (2, 2)), Pool("average", (2, 2)), Pool("max", (3, 3), (1, 1), (1, 1))]
)
@pytest.mark.parametrize("mode", ["running", "bias"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_nan_and_infinities_do_as_in_pytorch(isa, pool, mode, value):
    x = channels_last(2, 20, 6, 6, seed=6)
    x[0, 3, 2, 1] = x[1, 19, 0, 0] = value
    for activation in block.ACTIVATIONS:
        case = {"mode": mode, "residual": None, "kept": parameters(20) | {"weight": torch.ones(20)}}
        case |= {"activation": activation, "pool": pool}
        found, expected = (run(module, x, dtype=torch.float32, **case) for module in (block, reference))
        if activation in ("gelu", "relu6", "hardswish"):  # PyTorch's vectorised and scalar code differ from each other
            found, expected = ([] if value > 0 else results[:1] for results in (found, expected))
        for f, e in zip(found, expected, strict=True):
            torch.testing.assert_close(f, e, rtol=1e-4, atol=1e-4, equal_nan=True)


@needs_library
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_statistics_of_nan_and_infinities_do_as_in_pytorch(isa, value):
    for place in (0, 100):
        x = channels_last(3, 20, 8, 8, seed=6)
        x.movedim(1, -1).reshape(-1, 20)[place, 3] = value
        case = {"mode": "batch", "residual": None, "kept": parameters(20)}
        found, expected = (run(module, x, dtype=torch.float32, **case) for module in (block, reference))
        for f, e in zip(found, expected, strict=True):
            torch.testing.assert_close(f, e, rtol=1e-4, atol=1e-4, equal_nan=True)


@needs_library
@pytest.mark.parametrize("mode", ["batch", "running", "bias"])
@pytest.mark.parametrize("pool", POOLS[2])
def test_the_gradient_of_the_gradient(mode, pool):
    channels = 3
    x, residual = (channels_last(2, channels, *SIZES[2], seed=seed) for seed in (1, 2))
    kept = parameters(channels)

    def second(module, dtype: torch.dtype, activation: str) -> list[Tensor]:
        leaves = [t.detach().to(dtype).clone().requires_grad_() for t in (x, residual, kept["weight"], kept["bias"])]
        options = {"activation": activation, "negative_slope": 0.1, "residual": leaves[1], "pool": pool}
        if mode == "bias":
            inputs = [leaves[0], leaves[1], leaves[3]]
            y = module.bias_act_pool(leaves[0], leaves[3], **options)
        else:
            inputs, running = leaves, [kept[name].to(dtype).clone() for name in ("running_mean", "running_var")]
            options |= {"training": mode == "batch", "momentum": 0.1, "eps": 1e-3}
            y = module.norm_act_pool(leaves[0], leaves[2], leaves[3], *running, **options)
        dy = torch.randn(y.shape, generator=torch.Generator().manual_seed(7)).to(dtype).requires_grad_()
        first = torch.autograd.grad(y, inputs, dy, create_graph=True)
        total = sum((g * torch.linspace(-1, 1, g.numel(), dtype=dtype).reshape(g.shape)).sum() for g in first)
        found = torch.autograd.grad(total, [*inputs, dy], allow_unused=True, materialize_grads=True)
        return [*first, *found]

    for activation in block.ACTIVATIONS:
        assert_close(second(block, torch.float32, activation), second(reference, torch.float64, activation), activation)


@needs_library
def test_what_is_kept_for_the_gradient():
    def kept_bytes(compute: Callable[[], Tensor]) -> int:
        sizes: dict[int, int] = {}
        with torch.autograd.graph.saved_tensors_hooks(
            lambda t: (sizes.update({t.data_ptr(): t.nbytes}), t)[1], lambda t: t
        ):
            compute()
        return sum(sizes.values())

    x = channels_last(2, 16, 8, 8).requires_grad_()
    bias, pool = torch.zeros(16, requires_grad=True), Pool("max", (2, 2))
    outputs = x.numel() // 4
    assert kept_bytes(lambda: block.bias_act_pool(x, pool=pool)) == outputs
    assert kept_bytes(lambda: block.bias_act_pool(x, bias, activation="relu", pool=pool)) == outputs + bias.nbytes
    assert kept_bytes(lambda: block.bias_act_pool(x, pool=Pool("average", (2, 2)))) == 0
    assert kept_bytes(lambda: block.bias_act_pool(x, activation="relu")) == x.nbytes  # the output, in fact
    training = {"training": True, "activation": "relu", "pool": pool, "residual": channels_last(2, 16, 8, 8)}
    statistics = 4 * 16 * 4
    assert (
        kept_bytes(lambda: block.norm_act_pool(x, None, None, None, None, **training))
        == x.nbytes + outputs + statistics
    )


def test_only_the_gradients_asked_for(isa):
    x, kept = channels_last(2, 20, 6, 6), parameters(20)
    for weight, bias, wants_x in product((False, True), repeat=3):
        leaves = [x.clone().requires_grad_(wants_x), kept["weight"].clone().requires_grad_(weight)]
        leaves.append(kept["bias"].clone().requires_grad_(bias))
        y = block.norm_act_pool(*leaves, None, None, training=True, activation="silu")
        assert y.requires_grad == (weight or bias or wants_x)
        if y.requires_grad:
            y.square().sum().backward()
        assert [leaf.grad is not None for leaf in leaves] == [wants_x, weight, bias]


@pytest.mark.parametrize(
    "x",
    [
        channels_last(2, 3, 6, 6).double(),
        channels_last(2, 3, 6, 6).half(),
        channels_last(2, 3, 6, 6).contiguous(),
        channels_last(2, 3, 12, 6)[:, :, ::2],
        channels_last(2, 1, 6, 6).expand(2, 3, 6, 6),
        channels_last(0, 3, 6, 6),
        torch.empty(2, 3, 6, 6, device="meta"),
    ],
    ids=["float64", "float16", "channels first", "strided", "overlapping", "empty", "meta"],
)
def test_what_the_kernels_cannot_take_goes_to_pytorch(x):
    x = x.detach().requires_grad_()
    y = block.bias_act_pool(x, activation="relu", pool=Pool("max", (2, 2)))
    expected = reference.bias_act_pool(
        x, None, activation="relu", negative_slope=0.0, residual=None, pool=Pool("max", (2, 2))
    )
    assert y.grad_fn.name() != "_BlockBackward"
    assert (y.shape, y.dtype, y.device) == (expected.shape, expected.dtype, expected.device)
    assert x.is_meta or torch.equal(y, expected)


def test_without_a_library_all_goes_to_pytorch():
    x, kept = channels_last(2, 3, 6, 6), parameters(3)
    case = {"mode": "batch", "residual": x, "kept": kept, "activation": "relu", "pool": Pool("max", (3, 3))}
    with library.using(None):
        found = run(block, x, dtype=torch.float32, **case)
    assert all(torch.equal(f, e) for f, e in zip(found, run(reference, x, dtype=torch.float32, **case), strict=True))


def test_windows_of_more_places_than_a_byte_names_go_to_pytorch():
    x = channels_last(1, 2, 16, 17).requires_grad_()
    assert block.bias_act_pool(x, pool=Pool("max", (16, 16))).grad_fn.name() != "_BlockBackward"
    if library.available():
        y = block.bias_act_pool(x, pool=Pool("max", (15, 17)))
        expected = torch.nn.functional.max_pool2d(x, (15, 17))
        assert torch.equal(y, expected)
        dy = torch.randn(y.shape)
        assert torch.equal(*(torch.autograd.grad(out, x, dy)[0] for out in (y, expected)))


def test_torch_func_transforms_it():
    x = channels_last(3, 2, 4, 5)
    square = torch.func.vmap(lambda a: block.bias_act_pool(a[None], activation="relu")[0].square())
    assert torch.equal(square(x), x.relu().square())
    gradient = torch.func.grad(lambda a: block.bias_act_pool(a, activation="relu").sum())
    assert torch.equal(gradient(x), (x > 0).float())


def test_exported():
    class Block(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return block.bias_act_pool(x, activation="silu", pool=Pool("max", (2, 2)))

    x = channels_last(3, 2, 4, 5)
    batch = torch.export.Dim("batch", min=2, max=64)
    program = torch.export.export(Block(), (x,), dynamic_shapes={"x": {0: batch}})
    kernels = [str(node.target) for node in program.graph.nodes if "lenrek" in str(node.target)]
    assert kernels == (["lenrek.block_forward.default"] if library.available() else [])
    larger = channels_last(7, 2, 4, 5)
    assert torch.equal(program.module()(larger), Block()(larger))


@needs_library
def test_batch_norm_of_features_without_axes(isa):
    x, kept = channels_last(40, 21, seed=3), parameters(21)
    case = {"mode": "batch", "residual": channels_last(40, 21, seed=4), "kept": kept, "activation": "gelu"}
    assert_close(run(block, x, dtype=torch.float32, **case), run(reference, x, dtype=torch.float64, **case), "features")


def test_one_value_per_channel_has_no_variance():
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        block.norm_act_pool(torch.zeros(1, 3, 1), None, None, None, None, training=True)


def test_autocast_leaves_the_type(isa):
    with torch.autocast("cpu", torch.bfloat16):
        for dtype in (torch.float32, torch.bfloat16):
            x = channels_last(2, 5, 4, 4).to(dtype)
            assert block.norm_act_pool(x, torch.ones(5), None, None, None, training=True).dtype == dtype


@needs_library
def test_the_operators_are_sound_for_pytorch():
    x, p = channels_last(2, 5, 6, 6), parameters(5)
    pool = Pool("max", (2, 2)).code
    arguments = (x, x, p["weight"], p["bias"], None, None, True, 1e-5, 1, 0.0, pool)
    y, index, statistics = torch.ops.lenrek.block_forward(*arguments)
    torch.library.opcheck(torch.ops.lenrek.block_forward.default, arguments)
    backward = (y, x, None, index, p["weight"], p["bias"], statistics, list(x.shape), True, 1, 0.0, pool, [True] * 4)
    torch.library.opcheck(torch.ops.lenrek.block_backward.default, backward)


@needs_library
def test_compiled_in_one_graph():
    x, p = channels_last(2, 5, 6, 6).requires_grad_(), parameters(5)
    weight = p["weight"].clone().requires_grad_()

    def compute(x: Tensor, weight: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        y = block.norm_act_pool(x, weight, None, mean, var, training=True, activation="relu", pool=Pool("max", (2, 2)))
        return block.bias_act_pool(y.sin(), p["bias"], activation="gelu", residual=y)

    results = []
    for function in (compute, torch.compile(compute, fullgraph=True, backend="aot_eager")):
        mean, var = p["running_mean"].clone(), p["running_var"].clone()
        y = function(x, weight, mean, var)
        results.append([y, *torch.autograd.grad(y.square().sum(), (x, weight)), mean, var])
    assert_close(results[1], results[0], "compiled", 1e-6)


def test_an_activation_nobody_knows():
    with pytest.raises(OptionError) as error:
        block.bias_act_pool(torch.zeros(1, 1, 4), activation="swish")
    assert str(error.value) == (
        "bias_act_pool: activation 'swish', expected one of none, relu, leaky_relu, relu6, gelu, silu, hardswish."
    )


def test_evaluation_needs_running_statistics():
    with pytest.raises(OptionError) as error:
        block.norm_act_pool(torch.zeros(1, 1, 4), None, None, torch.zeros(1), None, training=False)
    assert str(error.value) == (
        "norm_act_pool: training=False normalises by running_mean and running_var, but one of them is None.\n"
        "  Hint: without running statistics every batch is its own: pass training=True."
    )


def test_a_pool_of_other_axes():
    with pytest.raises(ShapeError) as error:
        block.bias_act_pool(torch.zeros(1, 1, 4), pool=Pool("max", (2, 2)))
    assert str(error.value) == (
        "bias_act_pool: Pool(kind='max', kernel_size=(2, 2), stride=(2, 2), padding=(0, 0), ceil_mode=False) is for "
        "2 axes, but x (1, 1, 4) has 3 − 2 = 1."
    )
