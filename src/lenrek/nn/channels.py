"""Channels and groups as a layer is given them, before there is any weight."""

from __future__ import annotations

from lenrek.errors import ShapeError
from lenrek.geometry import per_axis


def check_channels(in_channels: int, out_channels: int, groups: int, who: str) -> None:
    """Raise unless all are at least 1 and both numbers of channels are multiples of groups; `who` is the layer."""
    per_axis(groups, 1, who, "groups")
    for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
        per_axis(channels, 1, who, name)
        if channels % groups:
            raise ShapeError(f"{who}: {name} is {channels}, expected a multiple of groups={groups}.")
