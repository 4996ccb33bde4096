"""Networks with attention, and the convolutional one that was drawn after them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvNeXtBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.wide, self.narrow = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x).permute(0, 2, 3, 1)
        y = self.scale * self.narrow(F.gelu(self.wide(self.norm(y))))
        return x + y.permute(0, 3, 1, 2)


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of an image."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    """Liu et al. 2022, arXiv:2201.03545: ConvNeXt-T."""

    def __init__(self, depths=(3, 3, 9, 3), widths=(96, 192, 384, 768), num_classes: int = 1000) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 4, 4), ChannelNorm(widths[0])]
        for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            if stage:
                layers += [ChannelNorm(widths[stage - 1]), nn.Conv2d(widths[stage - 1], width, 2, 2)]
            layers += [ConvNeXtBlock(width) for _ in range(depth)]
        self.features = nn.Sequential(*layers)
        self.norm, self.head = nn.LayerNorm(widths[-1], eps=1e-6), nn.Linear(widths[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.features(x).mean((2, 3))))


class EncoderBlock(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    """Dosovitskiy et al. 2021, arXiv:2010.11929: ViT-B/16."""

    def __init__(self, size=224, patch=16, width=768, depth=12, heads=12, hidden=3072, num_classes=1000) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(torch.zeros(1, 1 + (size // patch) ** 2, width))
        self.blocks = nn.Sequential(*(EncoderBlock(width, heads, hidden) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        return self.head(self.norm(self.blocks(x))[:, 0])


class WindowAttention(nn.Module):
    """Attention among the pixels of a window; the windows are shifted by rolling the image."""

    def __init__(self, width: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.heads, self.window, self.shift = heads, window, shift
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        place = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
        offset = place[:, :, None] - place[:, None, :] + window - 1
        self.register_buffer("index", offset[0] * (2 * window - 1) + offset[1])

    def forward(self, x: Tensor) -> Tensor:
        batch, height, width, channels = x.shape
        w, shift = self.window, self.shift if self.window < min(height, width) else 0
        rolled = torch.roll(x, (-shift, -shift), (1, 2)) if shift else x
        parts = rolled.view(batch, height // w, w, width // w, w, channels).permute(0, 1, 3, 2, 4, 5)
        qkv = self.qkv(parts.reshape(-1, w * w, channels))
        q, k, v = qkv.reshape(-1, w * w, 3, self.heads, channels // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
        weights = weights + self.table[self.index.flatten()].view(w * w, w * w, -1).permute(2, 0, 1)[None]
        if shift:
            weights = weights.view(batch, -1, self.heads, w * w, w * w) + self._mask(height, width, x)[None, :, None]
            weights = weights.view(-1, self.heads, w * w, w * w)
        y = self.out((weights.softmax(-1) @ v).transpose(1, 2).reshape(-1, w * w, channels))
        y = y.view(batch, height // w, width // w, w, w, channels).permute(0, 1, 3, 2, 4, 5)
        y = y.reshape(batch, height, width, channels)
        return torch.roll(y, (shift, shift), (1, 2)) if shift else y

    def _mask(self, height: int, width: int, x: Tensor) -> Tensor:
        """Pixels that the roll brought together do not see each other."""
        w, region = self.window, torch.zeros(height, width, device=x.device)
        edges = (slice(0, -w), slice(-w, -self.shift), slice(-self.shift, None))
        for number in range(9):
            region[edges[number // 3], edges[number % 3]] = number
        parts = region.view(height // w, w, width // w, w).permute(0, 2, 1, 3).reshape(-1, w * w)
        return (parts[:, None] - parts[:, :, None]).ne(0) * -100.0


class SwinBlock(nn.Module):
    def __init__(self, width: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = WindowAttention(width, heads, window, shift)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchMerging(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.reduce = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        corners = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduce(self.norm(torch.cat(corners, -1)))


class Swin(nn.Module):
    """Liu et al. 2021, arXiv:2103.14030: Swin-T."""

    def __init__(self, depths=(2, 2, 6, 2), width=96, heads=(3, 6, 12, 24), window=7, num_classes=1000) -> None:
        super().__init__()
        self.embed, self.embed_norm = nn.Conv2d(3, width, 4, 4), nn.LayerNorm(width)
        layers: list[nn.Module] = []
        for stage, (depth, number) in enumerate(zip(depths, heads, strict=True)):
            if stage:
                layers.append(PatchMerging(width))
                width *= 2
            layers += [SwinBlock(width, number, window, window // 2 * (index % 2)) for index in range(depth)]
        self.blocks = nn.Sequential(*layers)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.embed_norm(self.embed(x).permute(0, 2, 3, 1)))
        return self.head(self.norm(x).mean((1, 2)))
