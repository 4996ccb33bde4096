"""One process alone computes what PyTorch's batch normalisation does; `test_processes` proves it for two."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

from lenrek.training.global_batch_norm import GlobalBatchNorm, share_statistics


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def pair(build: type[nn.Module], channels: int, **options) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(3)
    plain = build(channels, **options).double()
    if plain.affine:
        nn.init.normal_(plain.weight)
        nn.init.normal_(plain.bias)
    shared = build(channels, **options).double()
    shared.load_state_dict(plain.state_dict())
    shared.__class__ = GlobalBatchNorm
    return plain, shared


@pytest.mark.parametrize(
    ("build", "shape", "options"),
    [
        (nn.BatchNorm1d, (5, 3), {"momentum": None}),
        (nn.BatchNorm1d, (2, 3, 7), {"momentum": 0.3, "eps": 0.01}),
        (nn.BatchNorm2d, (4, 3, 2, 5), {"affine": False}),
        (nn.BatchNorm3d, (2, 3, 4, 1, 3), {"track_running_stats": False}),
    ],
)
@pytest.mark.usefixtures("group")
def test_equals_batch_norm(build: type[nn.Module], shape: tuple[int, ...], options: dict) -> None:
    plain, shared = pair(build, shape[1], **options)
    for seed in (1, 2, 3):
        torch.manual_seed(seed)
        x = 3 + 2 * torch.randn(shape, dtype=torch.float64)
        v = torch.randn(shape, dtype=torch.float64)
        inputs = [x.clone().requires_grad_() for _ in range(2)]
        outputs = [layer(given) for layer, given in zip((plain, shared), inputs, strict=True)]
        torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-6, atol=1e-6)
        for output in outputs:
            (output * v).sum().backward()
        torch.testing.assert_close(inputs[1].grad, inputs[0].grad, rtol=1e-5, atol=1e-6)
    assert plain.state_dict().keys() == shared.state_dict().keys()
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(shared.state_dict()[name], value, rtol=1e-6, atol=1e-6)
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(dict(shared.named_parameters())[name].grad, parameter.grad, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(shared.eval()(x), plain.eval()(x), rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures("group")
def test_bfloat16_is_summed_in_float32() -> None:
    _, shared = pair(nn.BatchNorm2d, 2)
    x = (100 + torch.randn(64, 2, 9, 8)).bfloat16()
    y = shared.float()(x)
    assert y.dtype == torch.bfloat16
    expected = nn.functional.batch_norm(x.float(), None, None, shared.weight, shared.bias, training=True)
    torch.testing.assert_close(y.float(), expected, rtol=0.01, atol=0.02)


def test_one_process_keeps_pytorchs_own() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    assert share_statistics(network) is network
    assert type(network[1]) is nn.BatchNorm2d
