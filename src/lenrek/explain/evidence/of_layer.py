"""What the methods that weigh a layer's features have in common: the layer is run, weighed, and placed on the input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from lenrek.explain.evidence.layer_run import gradient_at, run_from
from lenrek.explain.evidence.network import looked_into, samples_for
from lenrek.explain.evidence.placement import Placement, default_layer, find_placement
from lenrek.explain.evidence.result import Evidence
from lenrek.explain.evidence.target import Target, classes_of, read_target
from lenrek.explain.network_of import plain_network


@dataclass(frozen=True, eq=False)
class LayerRun:
    """A layer's features for samples, and the scores computed from them.

    Attributes:
        samples: (batch, channels, *size), as the network takes them.
        maps: (batch, channels, *map_size), a leaf with a gradient.
        scores: (batch, classes).
        target: (batch,), the classes asked about.
        place: where the features stand on the input.
    """

    network: nn.Module
    layer: str
    samples: Tensor
    maps: Tensor
    scores: Tensor
    target: Tensor
    place: Placement
    who: str

    @property
    def features(self) -> Tensor:
        """The maps as numbers, in the type of the scores."""
        return self.maps.detach().to(self.scores.dtype)

    def gradient(self) -> Tensor:
        """∂score/∂maps for each sample's class."""
        return gradient_at(self.maps, self.scores, self.target, self.layer, self.who)


def evidence_of_layer(
    method: str,
    who: str,
    model: Any,
    x: Any,
    layer: str | None,
    target: Target,
    weigh: Callable[[LayerRun], Tensor],
) -> Evidence:
    """`weigh` makes (batch, *map_size) of a run; what is below zero is left out. As `grad_cam`."""
    network = plain_network(model, who)
    with looked_into(network):
        samples = samples_for(network, x, who)
        layer = default_layer(network, samples, who) if layer is None else layer
        maps, scores = run_from(network, samples, layer, who)
        place = find_placement(network, samples, layer, who)
        chosen = read_target(target, scores, classes_of(model), who)
        run = LayerRun(network, layer, samples, maps, scores, chosen, place, who)
        cells = weigh(run).clamp(min=0).cpu()
        score = scores.detach().gather(1, chosen[:, None])[:, 0].cpu()
    return Evidence(method, layer, chosen.cpu(), score, cells, place(cells), place.centres)
