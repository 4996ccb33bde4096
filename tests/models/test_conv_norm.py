import pytest
import torch
from network_checks import normalized, randomize_norms
from torch import nn
from torch.nn import functional as F

from lenrek.models.conv_norm import conv_norm_activation


def test_equals_convolution_norm_and_activation_written_out():
    torch.manual_seed(0)
    block = conv_norm_activation(4, 6, 2, kernel_size=3, stride=2, dilation=3, groups=2, activation=nn.ReLU6).double()
    block.eval()
    randomize_norms(block)
    x = 5 * torch.randn(2, 4, 11, 16, dtype=torch.float64)
    y = F.conv2d(x, block[0].weight, stride=2, padding=3, dilation=3, groups=2)
    torch.testing.assert_close(block(x), normalized(y, dict(block.state_dict()), "1").clamp(0, 6))


@pytest.mark.parametrize(("kernel_size", "dilation"), [(1, 1), (3, 1), (3, 4), (5, 2), (7, 1)])
def test_odd_kernels_keep_the_size_and_strides_divide_it(kernel_size, dilation):
    for size in range(1, 12):
        for stride in (1, 2, 3):
            block = conv_norm_activation(1, 1, 1, kernel_size=kernel_size, dilation=dilation, stride=stride).eval()
            assert block(torch.zeros(1, 1, size)).shape[2] == -(-size // stride)


def test_activation_is_relu_unless_told_otherwise():
    assert list(map(type, conv_norm_activation(1, 1, 3, kernel_size=1))) == [nn.Conv3d, nn.BatchNorm3d, nn.ReLU]
