"""A network's operators as seen on tensors without values, against the network run with values."""

import copy
from collections import Counter

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explain.published import NETWORKS
from lenrek.explain.inputs import inputs_of
from lenrek.explain.record import TraceError, Volume
from lenrek.explain.trace import trace
from lenrek.models.create import create_model
from lenrek.models.registry import ARCHITECTURES


def ran(model: nn.Module, *inputs: Tensor, **options) -> list[tuple[str, str]]:
    return [(call.path, call.name.removeprefix("aten.")) for call in trace(model, inputs, **options).calls]


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_of_every_module_are_those_of_a_run_with_values(name):
    network, size = NETWORKS[name]()
    network.eval()
    seen: list[tuple] = []
    shapes = lambda values: [tuple(t.shape) for t in torch.utils._pytree.tree_leaves(values) if isinstance(t, Tensor)]  # noqa: E731
    handles = [
        module.register_forward_hook(lambda module, given, made: seen.append((id(module), shapes(given), shapes(made))))
        for module in network.modules()
    ]
    with torch.no_grad():
        network(torch.randn(2, *size))
    for handle in handles:
        handle.remove()
    traced = [
        (id(one.module), [v.shape for v in one.inputs], [v.shape for v in one.outputs])
        for one in trace(network, inputs_of(network, size, 2, who="test")).modules
    ]
    assert sorted(traced) == sorted(seen)


def test_modules_and_their_operators():
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
            self.again = nn.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.again(self.body(x))
            return F.relu(self.again(x) + x)

    found = trace(Network(), [torch.empty(2, 3, 8, 7)])
    assert [(c.path, c.name) for c in found.calls] == [
        ("body.0", "aten.convolution"), ("body.1", "aten.relu"), ("again", "aten.convolution"),
        ("again", "aten.convolution"), ("", "aten.add"), ("", "aten.relu"),
    ]  # fmt: skip
    assert [(m.path, m.depth, m.first, m.last) for m in found.modules] == [
        ("", 0, 0, 6), ("body", 1, 0, 2), ("body.0", 2, 0, 1), ("body.1", 2, 1, 2), ("again", 1, 2, 3),
        ("again", 1, 3, 4),
    ]  # fmt: skip
    convolution = found.calls[0]
    assert [(v.kind, v.name, v.shape) for v in convolution.inputs] == [
        ("input", "input", (2, 3, 8, 7)), ("parameter", "body.0.weight", (4, 3, 3, 3)),
        ("parameter", "body.0.bias", (4,)),
    ]  # fmt: skip
    assert found.outputs == [found.calls[-1].outputs[0]]
    assert found.outputs[0].shape == (2, 4, 6, 5)


def test_writing_makes_a_new_volume_of_the_same_storage():
    class Writes(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x * 2
            y[:, 1:3].add_(1)
            return y

    found = trace(Writes(), [torch.empty(2, 5)])
    made, view, written = (call.outputs[0] for call in found.calls if call.name != "aten.alias")
    assert made.storage == view.storage == written.storage
    add = found.calls[-1]
    assert add.written == (view,)
    assert written is not view


def test_the_network_is_left_as_it_was():
    network, size = NETWORKS["crnn"]()
    network = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.5), network)
    before = copy.deepcopy(network.state_dict())
    state = torch.get_rng_state()
    trace(network, [torch.empty(3, *size)], gradients=True)
    assert network.training
    assert torch.equal(torch.get_rng_state(), state)
    for key, value in network.state_dict().items():
        assert torch.equal(value, before[key]), key
        assert value.device.type == "cpu"
    assert network(torch.randn(3, *size)).requires_grad


def test_live_and_kept_bytes():
    network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).eval()
    found = trace(network, [torch.empty(10, 4)])
    assert [(c.name, c.live_bytes) for c in found.calls if c.name != "aten.t"] == [
        ("aten.addmm", 320), ("aten.relu", 640), ("aten.addmm", 400)
    ]  # fmt: skip
    assert sum(found.kept.values()) == 80
    training = trace(network, [torch.empty(10, 4)], gradients=True)
    assert sum(training.kept.values()) == 320 + 80  # ReLU's result, which the second layer also needs, and the output
    assert (
        sum(trace(nn.Sequential(nn.Linear(4, 8), nn.GELU()), [torch.empty(10, 4)], gradients=True).kept.values()) == 640
    )


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_are_their_matrix_products(layer):
    for gradients in (False, True):
        found = trace(layer(3, 4, num_layers=2), [torch.empty(6, 5, 3)], gradients=gradients)
        assert found.outputs[0].shape == (6, 5, 4)
        assert (len(found.kept) > len(found.outputs)) == gradients  # the gates, which the gradient needs
        used = {v.name for call in found.calls for v in call.inputs if v.kind == "parameter"}
        assert used == {
            f"{one}_{two}_l{level}" for one in ("weight", "bias") for two in ("ih", "hh") for level in (0, 1)
        }


def test_constants_keep_their_values():
    class Gathers(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            index = torch.arange(x.shape[1]).flip(0)
            return x[:, index] if index[0] > 1 else x

    index = next(c for c in trace(Gathers(), [torch.empty(2, 5)]).calls if c.name == "aten.index").args[1][1]
    assert isinstance(index, Volume)
    assert index.kind == "constant"
    assert index.values is not None
    assert index.values.tolist() == [4, 3, 2, 1, 0]


def test_what_the_forward_pass_makes_to_be_filled_or_by_chance_has_no_values():
    class Makes(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            state = torch.zeros(x.shape[1])
            state[1:3] = x[0, 1:3]
            return x + state + torch.rand(x.shape[1])

    state = torch.get_rng_state()
    found = trace(Makes(), [torch.empty(2, 5)])
    assert torch.equal(torch.get_rng_state(), state)
    last = [call for call in found.calls if call.name == "aten.add"]
    assert [one.inputs[1].values for one in last] == [None, None]
    assert last[0].inputs[1].kind == "computed"


def test_the_input_written_into_a_known_constant_is_refused():
    class Writes(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            table = torch.arange(5)
            table[0] = x.sum().long()
            return x + table

    with pytest.raises(TraceError, match="writes what depends on the input into a constant made in the forward pass"):
        trace(Writes(), [torch.empty(2, 5)])


def test_constants_of_any_size_are_made_without_their_values():
    class Makes(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sum() + torch.arange(10**15).sum()

    assert trace(Makes(), [torch.empty(2, 5)]).outputs[0].shape == ()


def test_a_module_that_fails_and_is_caught_has_ended():
    class Tries(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wrong, self.right = nn.Linear(3, 2), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            try:
                return self.wrong(x)
            except RuntimeError:
                return self.right(x)

    found = trace(nn.Sequential(Tries(), nn.ReLU()), [torch.empty(5, 4)])
    assert [(one.path, one.depth) for one in found.modules] == [
        ("", 0), ("0", 1), ("0.wrong", 2), ("0.right", 3), ("1", 1)
    ]  # fmt: skip
    assert found.calls[-1].path == "1"


def test_a_module_that_the_network_does_not_know_is_named_by_its_type():
    class Hides(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = [nn.ReLU()]

        def forward(self, x: Tensor) -> Tensor:
            return self.hidden[0](x)

    assert [one.path for one in trace(nn.Sequential(Hides()), [torch.empty(5, 4)]).modules] == ["", "0", "0.(ReLU)"]


def test_whole_numbers_and_single_ones_are_known_even_where_they_could_be_filled():
    class Decides(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            start = torch.zeros(3, dtype=torch.int64)
            return x[:, start] if torch.full((), 0.5) < 1 and start[1] == 0 else x

    assert trace(Decides(), [torch.empty(2, 5)]).outputs[0].shape == (2, 3)


def test_constants_made_outside_the_forward_pass_keep_their_values():
    class Turns(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.order = [torch.tensor([2, 0, 1])]

        def forward(self, x: Tensor) -> Tensor:
            return x[:, self.order[0]]

    (call,) = trace(Turns(), [torch.empty(2, 3)]).calls
    assert call.args[1][1].values.tolist() == [2, 0, 1]


def test_the_largest_batch_costs_nothing():
    network = create_model("resnet18", num_classes=10, in_channels=3)
    found = trace(network, [torch.empty(10**6, 3, 224, 224, device="meta")])
    assert found.outputs[0].shape == (10**6, 10)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_is_traced_in_both_modes(name):
    architecture = ARCHITECTURES[name]
    ndim = 2 if 2 in architecture.ndims else architecture.ndims[0]
    with torch.device("meta"):
        network = create_model(name, num_classes=5, in_channels=2, ndim=ndim)
    inputs = [torch.empty(2, 2, *[architecture.min_size] * ndim)]
    training = trace(network.train(), inputs, gradients=True)
    evaluation = trace(network.eval(), inputs)
    assert training.outputs[0].shape == evaluation.outputs[0].shape == (2, 5)
    used = {v.name for call in evaluation.calls for v in call.inputs if v.kind == "parameter"}
    assert used == {name for name, _ in network.named_parameters()}
    assert Counter(type(m.module) for m in training.modules) == Counter(type(m.module) for m in evaluation.modules)


def test_a_wrong_size_says_where():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(10, 2))
    with pytest.raises(TraceError) as caught:
        trace(network, [torch.empty(1, 3, 8, 8)], who="summary")
    assert str(caught.value) == (
        "summary: stopped in module '2' (Linear) given (1, 144), at aten.addmm.default of (2,), (1, 144), (10, 2).\n"
        "  RuntimeError: a and b must have same reduction dim, but got [1, 144] X [10, 2].\n"
        "  Hint: is the input size right? It is (channels, *size) of one sample."
    )
    assert [c.path for c in caught.value.trace.calls if c.name == "aten.convolution"] == ["0"]
    assert [(m.path, m.last) for m in caught.value.trace.modules] == [("", -1), ("0", 1), ("1", 2), ("2", -1)]


def test_a_way_that_depends_on_values_says_so():
    class Decides(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(TraceError) as caught:
        trace(nn.Sequential(nn.ReLU(), Decides()), [torch.empty(1, 3)], who="summary")
    message = str(caught.value)
    assert message.startswith("summary: stopped in module '1' (Decides) given (1, 3), at aten._local_scalar_dense")
    assert message.endswith(
        "\n  Hint: its way depends on values (if, while, .item(), a mask), which sizes alone do not tell; "
        "pass the part of the network before or after."
    )
