"""Published architectures as people write them in plain PyTorch: modules, functional calls, loops, shared layers.

The classes have the published sizes by default; `NETWORKS` has narrow and shallow ones of the same structure, which run
in a moment with real values.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from explain.published.attention import ConvNeXt, Swin, ViT
from explain.published.inception import DenseNet, GoogLeNet, InceptionV3
from explain.published.mobile import EfficientNet, MobileNetV3, ResNeXt, ShuffleNetV2
from explain.published.pixelwise import DCGAN, FPN, DeepLab, HRNet, UNet
from explain.published.signals import CRNN, WaveNet

Made = tuple[nn.Module, tuple[int, ...]]

NETWORKS: dict[str, Callable[[], Made]] = {  # → a network, and (channels, *size) of its input
    "googlenet": lambda: (GoogLeNet(16, 5), (3, 75, 64)),
    "inception_v3": lambda: (InceptionV3(16, 5), (3, 91, 79)),
    "densenet": lambda: (DenseNet((2, 3, 2), 4, 5), (3, 48, 40)),
    "resnext": lambda: (ResNeXt((1, 2, 1), 4, 2, 5), (3, 48, 40)),
    "shufflenet_v2": lambda: (ShuffleNetV2((2, 2), (8, 12, 16, 24), 5), (3, 48, 40)),
    "mobilenet_v3": lambda: (MobileNetV3(6, 24, 5), (3, 48, 40)),
    "efficientnet": lambda: (EfficientNet(3, 2, 5), (3, 36, 40)),
    "convnext": lambda: (ConvNeXt((1, 2), (6, 10), 5), (3, 48, 40)),
    "vit": lambda: (ViT(32, 8, 24, 2, 3, 40, 5), (3, 32, 32)),
    "swin": lambda: (Swin((2, 2), 8, (2, 4), 4, 5), (3, 64, 64)),
    "unet": lambda: (UNet((4, 6, 8)), (1, 24, 20)),
    "unet_3d": lambda: (UNet((3, 4, 6), ndim=3), (1, 12, 16, 8)),
    "fpn": lambda: (FPN((6, 8, 10), 5), (3, 37, 29)),
    "hrnet": lambda: (HRNet((6, 8)), (3, 32, 24)),
    "deeplab": lambda: (DeepLab(6), (3, 45, 37)),
    "dcgan": lambda: (DCGAN(3, 10), (10, 1, 1)),
    "wavenet": lambda: (WaveNet(6, 5, 7, 4, 2), (1, 64)),
    "crnn": lambda: (CRNN(4, 3), (1, 16, 22)),
}
