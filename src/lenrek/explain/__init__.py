# ruff: noqa: F401  (names for type checkers)
"""What a network is and does: its layers and cost, what each feature sees, what it learned to ignore.

The names below are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "Evidence": "lenrek.explain.evidence.result",
    "class_evidence": "lenrek.explain.evidence.methods",
    "grad_cam": "lenrek.explain.evidence.cam",
    "grad_cam_plus_plus": "lenrek.explain.evidence.cam",
    "layer_cam": "lenrek.explain.evidence.cam",
    "score_cam": "lenrek.explain.evidence.score_cam",
    "integrated_gradients": "lenrek.explain.evidence.integrated_gradients",
    "occlusion": "lenrek.explain.evidence.occlusion",
    "draw_evidence": "lenrek.explain.evidence.painted",
    "deletion_insertion": "lenrek.explain.evidence.faithfulness",
    "Faithfulness": "lenrek.explain.evidence.faithfulness",
    "randomization_check": "lenrek.explain.evidence.randomization",
    "RandomizationCheck": "lenrek.explain.evidence.randomization",
    "fgsm": "lenrek.explain.adversarial.attacks",
    "pgd": "lenrek.explain.adversarial.attacks",
    "robustness": "lenrek.explain.adversarial.measure",
    "Robustness": "lenrek.explain.adversarial.measure",
    "filters": "lenrek.explain.features.filters",
    "feature_maps": "lenrek.explain.features.maps",
    "strongest_patches": "lenrek.explain.features.patches",
    "synthesize": "lenrek.explain.features.synthesis",
    "channel": "lenrek.explain.features.objective",
    "direction": "lenrek.explain.features.objective",
    "class_logit": "lenrek.explain.features.objective",
    "filter_health": "lenrek.explain.features.health",
    "field_on_sample": "lenrek.explain.features.field_on_sample",
    "sample_vectors": "lenrek.explain.features.vectors",
    "latent_map": "lenrek.explain.features.latent_map",
}
__all__ = [*_HOMES]

if TYPE_CHECKING:
    from lenrek.explain.adversarial.attacks import fgsm, pgd
    from lenrek.explain.adversarial.measure import Robustness, robustness
    from lenrek.explain.evidence.cam import grad_cam, grad_cam_plus_plus, layer_cam
    from lenrek.explain.evidence.faithfulness import Faithfulness, deletion_insertion
    from lenrek.explain.evidence.integrated_gradients import integrated_gradients
    from lenrek.explain.evidence.methods import class_evidence
    from lenrek.explain.evidence.occlusion import occlusion
    from lenrek.explain.evidence.painted import draw_evidence
    from lenrek.explain.evidence.randomization import RandomizationCheck, randomization_check
    from lenrek.explain.evidence.result import Evidence
    from lenrek.explain.evidence.score_cam import score_cam
    from lenrek.explain.features.field_on_sample import field_on_sample
    from lenrek.explain.features.filters import filters
    from lenrek.explain.features.health import filter_health
    from lenrek.explain.features.latent_map import latent_map
    from lenrek.explain.features.maps import feature_maps
    from lenrek.explain.features.objective import channel, class_logit, direction
    from lenrek.explain.features.patches import strongest_patches
    from lenrek.explain.features.synthesis import synthesize
    from lenrek.explain.features.vectors import sample_vectors


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lenrek.explain' has no attribute {name!r}; it has {', '.join(_HOMES)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
