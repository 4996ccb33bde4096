"""Fresh weights that keep the variance of the gradient from layer to layer."""

from __future__ import annotations

from torch import nn


def initialize_he(network: nn.Module) -> None:
    """Redraw every convolution of `network` from N(0, 2 / fan_out), biases 0; everything else keeps PyTorch's default.

    fan_out is what one input sample reaches: out_channels / groups · (taps of the kernel). Batch norms start at
    PyTorch's default, scale 1 and shift 0, as their paper has it.

    Source: He et al. 2015, Delving Deep into Rectifiers, arXiv:1502.01852, §2.2, the backward case.
    Example:
        >>> convolution = nn.Conv1d(64, 256, kernel_size=9)  # fan_out 256 · 9 = 2304
        >>> initialize_he(convolution)
        >>> round(convolution.weight.std().item() * (2304 / 2) ** 0.5, 1)
        1.0
    """
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            fan_out = module.weight[:, 0].numel() / module.groups
            nn.init.normal_(module.weight, std=(2 / fan_out) ** 0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
