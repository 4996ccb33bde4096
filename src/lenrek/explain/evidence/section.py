"""Class evidence on a page: heat-maps, their deletion and insertion curves, and the check with random weights."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from lenrek.drawing.svg import element
from lenrek.errors import ModelError
from lenrek.explain.evidence.card import evidence_card, input_card
from lenrek.explain.evidence.faithfulness import Faithfulness, compare_orders
from lenrek.explain.evidence.methods import OF_LAYERS, class_evidence
from lenrek.explain.evidence.randomization import RandomizationCheck, compare_randomised
from lenrek.explain.evidence.result import Evidence
from lenrek.explain.features.panels import slices_in_words
from lenrek.explain.page.question import Question, Sample, Section

STAGES = 1  # of the check: all weights random at once
STEPS = 16  # of the curves
MOST_CELLS = 1024  # that JSON tells
SMALL_GAP = 0.05  # of the change of score
NOTE = (
    "Red speaks for the class, blue against it; what has no colour says nothing. Each map has a scale of its own, full "
    "colour for its highest hundredth. Below: the probability of the class while samples are deleted, the most "
    "important first, and while they are given back; the map's order in red, a random one in grey, and the areas under "
    "both. A map that finds what the network uses falls sooner and rises sooner than the random order."
)


def evidence_section(question: Question, sample: Sample) -> Section:
    """Per method a heat-map for the sample's class, and how far to trust it.

    Raises:
        ModelError: none of the methods that were asked for can be had of this network.
    """
    found, refused = [], []
    for method in question.methods:
        layer = question.layer if method in OF_LAYERS else None
        try:
            found.append(class_evidence(question.network, sample.x, method, layer, sample.target))
        except ModelError as error:
            if question.layer is not None:
                raise
            refused.append(f"No {method}: {str(error).partition(chr(10))[0].partition(': ')[2]}")
    if not found:
        raise ModelError("explain: " + "\n  ".join(refused))
    trusted = compare_orders(question.network, sample.x, found, steps=min(STEPS, sample.stored[0].size))
    checked = compare_randomised(question.network, sample.x, found, stages=STAGES)
    name = question.contract.classes[sample.target]
    note = NOTE + (" " + slices_in_words(sample.stored.shape[1]) if sample.stored.ndim == 4 else "")
    cards = [evidence_card(sample.stored, *one, name) for one in zip(found, trusted, strict=True)]
    return Section(
        "evidence",
        f"What speaks for {name}",
        tuple(refused),
        (
            element("div", input_card(sample.stored), *cards, class_="tiles"),
            element("p", note, class_="soft"),
            _in_words(found, trusted, checked),
        ),
        {"methods": [_told(*one) for one in zip(found, trusted, checked, strict=True)]},
    )


def _in_words(found: list[Evidence], trusted: list[Faithfulness], checked: list[RandomizationCheck]) -> Markup:
    """What the curves and the check say."""
    items = []
    for evidence, faith, check in zip(found, trusted, checked, strict=True):
        words = [f"{_compared(faith)}; {check.verdict}."]
        if evidence.gap is not None:
            words.append(gap_in_words(evidence))
        items.append(element("li", element("strong", evidence.method), f": {' '.join(words)}"))
    return element("ul", *items, class_="list")


def gap_in_words(evidence: Evidence) -> str:
    """Whether integrated gradients add up to what they explain."""
    assert evidence.gap is not None
    total, gap = evidence.values[0].sum().item(), evidence.gap[0].item()
    change = total - gap
    small = abs(gap) <= SMALL_GAP * abs(change)
    more = "" if small else ", which is too much: take more steps"
    return f"Its values add up to {total:.3g}; the score changes by {change:.3g}, a gap of {gap:.2g}{more}."


def _compared(faith: Faithfulness) -> str:
    better = [
        name
        for name, won in (
            ("deletion", faith.deletion_auc < faith.random_deletion_auc),
            ("insertion", faith.insertion_auc > faith.random_insertion_auc),
        )
        if bool(won)
    ]
    if len(better) == 2:
        return "by deletion and by insertion better than a random order"
    if better:
        return f"by {better[0]} better than a random order, but not by {({'deletion', 'insertion'} - {*better}).pop()}"
    return "neither by deletion nor by insertion better than a random order: do not rely on this map"


def _told(evidence: Evidence, faith: Faithfulness, check: RandomizationCheck) -> dict[str, Any]:
    own = {key: value[0] if key in ("target", "score", "cells", "gap") else value
           for key, value in evidence.to_dict().items()}  # fmt: skip
    if evidence.cells.numel() > MOST_CELLS:
        del own["cells"]
    areas = {name: value[0] for name, value in faith.to_dict().items() if name.endswith("_auc")}
    return own | areas | {"random_weights": {"correlation": check.to_dict()["final"], "verdict": check.verdict}}
