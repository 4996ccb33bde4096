"""`lenrek spectrum MODEL`: by how much each linear layer of a network can stretch a difference."""

from __future__ import annotations

from typing import Annotated

import typer

from lenrek.cli.console import emit, table
from lenrek.cli.subject import find_subject

WHO = "spectrum"


def spectrum(
    model: Annotated[str, typer.Argument(help="An architecture, a run's folder or a model file.")],
    size: Annotated[str | None, typer.Option(help="Input size of an architecture: 96 or 64x96.")] = None,
    channels: Annotated[int | None, typer.Option(min=1, help="Of the input of an architecture. Default: 3.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line and layer.")] = False,
) -> None:
    """Spectral norm of every convolution and fully connected layer, at the size it has in the network."""
    import torch

    from lenrek.explain.layer_norms import layer_norms

    subject = find_subject(model, size, channels, WHO)
    torch.manual_seed(0)  # weights of a network that has not been trained
    rows = []
    for found in layer_norms(subject.make(), subject.shape):
        if json:
            emit(found.to_json())
        rows.append([found.name, found.type, "×".join(map(str, found.in_shape)), f"{found.norm:.4g}", found.method])
    if not json:
        table(["layer", "type", "input", "norm", "by"], rows, numeric=(3,), wrap=False)
