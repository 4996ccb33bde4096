"""`optimize`: the same values, gradients, statistics and behaviour, for every network people write."""

from __future__ import annotations

import copy
import io
import pickle

import pytest
import torch
from networks import NETWORKS, Branches, Dropping, FunctionalDropout, InPlace, Shared, ValueDependent
from torch import nn

from lenrek.errors import OptionError
from lenrek.kernels import library
from lenrek.models import create  # noqa: F401 (registers the architectures)
from lenrek.models.registry import ARCHITECTURES
from lenrek.optimization.module import optimize

compiled = pytest.mark.skipif(not library.available(), reason="no compiled kernels")


def flat(result):
    if isinstance(result, torch.Tensor):
        return [result]
    return [t for value in (result.values() if isinstance(result, dict) else result) for t in flat(value)]


def step(net, inputs):
    """Outputs, gradients of parameters and inputs, and what the buffers became."""
    inputs = [x.clone().requires_grad_() if isinstance(x, torch.Tensor) else x for x in inputs]
    outputs = flat(net(*inputs))
    sum((y.double() * torch.arange(y.numel()).reshape(y.shape).cos()).sum() for y in outputs).backward()
    grads = [p.grad for p in net.parameters()] + [x.grad for x in inputs if isinstance(x, torch.Tensor)]
    return outputs, grads, list(net.buffers())


def in_double(inputs):
    return [x.double() if isinstance(x, torch.Tensor) else x for x in inputs]


def distance(a, b):
    """Relative to the largest, all tensors together; those that are zero up to rounding do not count alone."""
    pairs = [(x.detach().double(), y.detach().double()) for x, y in zip(a, b, strict=True) if x is not None]
    scale = max(y.abs().max() for _, y in pairs if y.numel())
    return float(max((x - y).abs().max() for x, y in pairs if y.numel()) / scale.clamp_min(1e-30))


def assert_same(net, inputs, most=2e-5):
    exact = copy.deepcopy(net).double()
    plain, fast = copy.deepcopy(net), optimize(copy.deepcopy(net), torch.float32)
    truth, theirs, ours = step(exact, in_double(inputs)), step(plain, inputs), step(fast, inputs)
    for a, b, c in zip(truth, theirs, ours, strict=True):
        assert [x.shape for x in c if x is not None] == [x.shape for x in b if x is not None]
        assert [x.dtype for x in c if x is not None] == [x.dtype for x in b if x is not None]
        if a:
            assert distance(c, a) < max(most, 3 * distance(b, a))
    return fast


def chains(fast):
    found = [f for m in fast.modules() for f in getattr(m, "_lenrek_forwards", {}).values()]
    return [str(chain) for forward in found for chain in forward.chains]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("training", [True, False])
def test_every_kind_of_network(name, training):
    torch.manual_seed(1)
    make, inputs = NETWORKS[name]
    net = make().train(training)
    warm = inputs()
    with torch.no_grad():
        net(*warm)  # running statistics other than 0 and 1
    assert_same(net, inputs())


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
@pytest.mark.parametrize("training", [True, False])
def test_every_registered_network(name, training):
    """In float64, where the kernels' twins run, exactly; in float32 as far as ReLU's kinks allow."""
    torch.manual_seed(0)
    architecture = ARCHITECTURES[name]
    ndim = 2 if 2 in architecture.ndims else 1
    net = architecture.build(4, 3, ndim).train(training)
    for module in net.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0  # masks are drawn in the order of memory, which differs
    x = torch.randn(4, 3, *[max(architecture.min_size, 40 if ndim == 2 else 64)] * ndim)
    exact, fast = copy.deepcopy(net).double(), optimize(copy.deepcopy(net).double(), torch.float32)
    for truth, ours in zip(step(exact, (x.double(),)), step(fast, (x.double(),)), strict=True):
        assert not truth or distance(ours, truth) < 1e-9
    with torch.no_grad():
        truth, theirs = exact(x.double()), net(x)
        ours = optimize(net, torch.float32)(x)
    assert distance([ours], [truth]) < max(1e-5, 10 * distance([theirs], [truth]))


@compiled
def test_what_is_fused():
    fast = optimize(Branches(), torch.float32)
    fast(torch.randn(2, 3, 9, 11))
    assert sorted(chains(fast)) == [
        "average pool",
        "max pool",
        "norm",
        "norm + add + leaky_relu",
        "norm + relu",
    ]
    fast = optimize(Shared(), torch.float32)
    fast(torch.randn(2, 3, 12, 12))
    assert sorted(chains(fast)) == ["norm + relu", "norm + relu + max pool"]


@compiled
def test_where_the_whole_cannot_be_traced_its_parts_are():
    fast = optimize(ValueDependent(), torch.float32)
    fast(torch.randn(2, 3, 8, 9))
    fast(torch.randn(2, 3, 8, 9))
    assert chains(fast) == ["norm + relu + max pool"]


def test_parts_that_cannot_be_traced_are_made_fast_once():
    net = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), ValueDependent())
    fast, x = optimize(net, torch.float32), torch.randn(2, 2, 8, 9)
    for training in (True, False, True):
        assert torch.isfinite(fast.train(training)(x)).all()


def test_the_model_itself_stays_as_it_is():
    net = Branches()
    strides = [parameter.stride() for parameter in net.parameters()]
    kinds = [type(module) for module in net.modules()]
    optimize(net)(torch.randn(2, 3, 9, 11)).sum().backward()
    assert [parameter.stride() for parameter in net.parameters()] == strides
    assert [type(module) for module in net.modules()] == kinds


def test_what_is_written_in_place_is_read_before():
    torch.manual_seed(0)
    net, x = InPlace().eval(), torch.randn(2, 3, 6, 7)
    with torch.no_grad():
        torch.testing.assert_close(optimize(net, torch.float32)(x.clone()), net(x.clone()))


def test_a_network_that_torch_fx_has_traced():
    plain = torch.fx.symbolic_trace(nn.Sequential(nn.Conv2d(2, 3, (3, 2)), nn.BatchNorm2d(3), nn.ReLU())).eval()
    x = torch.randn(2, 2, 6, 7)
    torch.testing.assert_close(optimize(nn.Sequential(plain), torch.float32).eval()(x), plain(x))


def test_random_numbers_are_not_frozen():
    torch.manual_seed(0)
    fast, x = optimize(Dropping().train(), torch.float32), torch.randn(2, 3, 6, 6)
    skipped = {bool(torch.equal(fast(x), x)) for _ in range(20)}
    assert skipped == {True, False}


def test_functional_dropout_follows_the_mode():
    fast, x = optimize(FunctionalDropout(), torch.float32), torch.randn(2, 3, 20, 20)
    for training in (True, False, True):
        fast.train(training)
        assert (fast(x) == 0).float().mean() > 0.4 if training else (fast(x) == 0).float().mean() < 0.1


def test_frozen_norms_stay_frozen():
    torch.manual_seed(0)
    net = Branches().train()
    net.bn1.eval()
    for parameter in net.bn1.parameters():
        parameter.requires_grad_(False)
    before = net.bn1.running_mean.clone()
    fast = assert_same(net, (torch.randn(4, 3, 9, 11),))
    assert torch.equal(fast.bn1.running_mean, before)
    assert fast.bn1.weight.grad is None


def test_the_parameters_are_the_same_and_the_rest_is_not():
    net = Branches()
    fast = optimize(net)
    assert all(a is b for a, b in zip(net.parameters(), fast.parameters(), strict=True))
    assert all(a is b for a, b in zip(net.buffers(), fast.buffers(), strict=True))
    assert list(net.state_dict()) == list(fast.state_dict())
    assert isinstance(fast, Branches)
    fast.eval()
    assert net.training
    fast.fc = nn.Linear(16, 2)
    assert net.fc.out_features == 5
    assert fast(torch.randn(2, 3, 9, 11)).shape == (2, 2)


def test_hooks_fire_wherever_they_are():
    fast, seen = optimize(Branches(), torch.float32), []
    x = torch.randn(2, 3, 9, 11)
    expected = fast(x)
    for name in ("bn1", "down", "down.1", "pool", "fc"):
        fast.get_submodule(name).register_forward_hook(lambda *_, name=name: seen.append(name))
    torch.testing.assert_close(fast(x), expected)
    assert sorted(seen) == ["bn1", "down", "down.1", "fc", "pool"]
    doubled = fast.bn1.register_forward_hook(lambda module, args, result: 2 * result)
    assert not torch.allclose(fast(x), expected)
    doubled.remove()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_are_independent_and_still_fast(copied):
    fast, x = optimize(Branches(), torch.float32), torch.randn(2, 3, 9, 11)
    expected = fast(x)
    other = copied(fast)
    fast.load_state_dict({k: torch.zeros_like(v) for k, v in fast.state_dict().items()})
    fast.eval(), other.train()
    torch.testing.assert_close(other(x), expected)
    if library.available():
        assert chains(other)


def test_a_saved_module_loads():
    fast, x = optimize(Branches(), torch.float32).eval(), torch.randn(2, 3, 9, 11)
    file = io.BytesIO()
    torch.save(fast, file)
    file.seek(0)
    torch.testing.assert_close(torch.load(file, weights_only=False)(x), fast(x))


def test_bfloat16_is_no_farther_from_the_truth_than_pytorchs():
    torch.manual_seed(0)
    net, x = Branches().train(), torch.randn(8, 3, 19, 21)
    truth = step(copy.deepcopy(net).double(), (x.double(),))
    plain, fast = copy.deepcopy(net), optimize(copy.deepcopy(net))
    with torch.autocast("cpu", torch.bfloat16):
        y = plain(x)
    (y.double() * torch.arange(y.numel()).reshape(y.shape).cos()).sum().backward()
    ours = step(fast, (x,))
    assert ours[0][0].dtype == torch.float32
    assert distance(ours[0], truth[0]) < 1.5 * distance([y], truth[0]) + 1e-3
    grads = [p.grad for p in plain.parameters()]
    assert (
        distance(ours[1][: len(grads)], truth[1][: len(grads)]) < 1.5 * distance(grads, truth[1][: len(grads)]) + 1e-3
    )


def test_a_second_gradient():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.SiLU(), nn.AvgPool2d(2))
    x = torch.randn(3, 2, 8, 8)
    found = []
    for model in (net, optimize(net, torch.float32)):
        wanted = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(model(wanted).square().sum(), wanted, create_graph=True)
        found.append(torch.autograd.grad(g.square().sum(), wanted)[0])
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-4)


def test_it_is_what_is_asked_for():
    with pytest.raises(OptionError, match=r"model is function, expected a torch\.nn\.Module"):
        optimize(lambda x: x)
    with pytest.raises(OptionError, match=r"dtype is torch\.float16, expected one of torch\.float32, torch\.bfloat16"):
        optimize(nn.ReLU(), torch.float16)
    twice = optimize(optimize(Branches(), torch.float32), torch.float32)
    assert type(twice).__mro__.count(Branches) == 1
