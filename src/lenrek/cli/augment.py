"""`lenrek data augment DATA`: a picture of what a policy does, and whether a network still sees the same classes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lenrek.cli.console import emit, table
from lenrek.cli.subject import parse_size
from lenrek.data.shown import counted, shown

PHOTO_SIDE = 128  # of images that are not all alike, where nothing else is said
LOOKED_AT = 100  # samples per class that a network is asked about


def augment(
    source: Annotated[str, typer.Argument(metavar="DATA", help="As for train.")],
    policy: Annotated[str, typer.Option(help="As for train --augment.")] = "standard",
    out: Annotated[Path, typer.Option(help="The picture: .html, or of images .png.")] = Path("augment.html"),
    views: Annotated[int, typer.Option(min=1, help="Per sample.")] = 8,
    size: Annotated[str | None, typer.Option(help="Of the samples: 96 or 64x96. Default: the data's own.")] = None,
    check: Annotated[
        str | None, typer.Option(metavar="RUN", help="A run's folder or model file that is asked for the classes.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show what a policy does to each class, and with --check which transforms change the class for a network."""
    from lenrek.data.augmentation.picture import policy_montage, policy_page
    from lenrek.data.augmentation.policy import Policy
    from lenrek.errors import OptionError

    if out.suffix not in (".html", ".png"):
        raise OptionError(f"augment: --out is {shown(out)}, but must end in .html or .png.")
    wanted = Policy.parse(policy)
    found, contract, classifier = _subject(source, size, check)
    if out.suffix == ".png" and len(contract.size) != 2:
        raise OptionError(f"augment: --out {shown(out)} is for images, but {found.name} holds {found.kind}s.\n"
                          "  Hint: pass a name that ends in .html.")  # fmt: skip
    wanted.check(contract.channels, contract.size, contract.classes)
    x, labels = _some(found, contract, LOOKED_AT if check else 1)
    first = _first_of_each(labels)
    sensitivities = _asked(wanted, x, labels, classifier, seed) if classifier else []
    rows: Any = (wanted, x[first], labels[first], contract.classes)
    if out.suffix == ".png":
        policy_montage(*rows, views=views, seed=seed).save(out)
    else:
        page = policy_page(*rows, name=found.name, views=views, seed=seed, sensitivities=sensitivities)
        out.write_text(page, encoding="utf-8")
    flagged = [one for one in sensitivities if one.flagged]
    if json:
        emit({
            "policy": str(wanted), "data": found.name, "out": str(out),
            "transforms": [
                {"class": one.class_name, "transform": one.transform, "samples": one.samples, "changed": one.changed,
                 "base": one.base, "flagged": one.flagged, "becomes": one.becomes}
                for one in sensitivities
            ],
        })  # fmt: skip
        return
    print(f"picture   {shown(str(out))}")
    print(f"policy    {wanted.describe(contract.channels, contract.size)}")
    if not check:
        return
    asked = counted(len(x), found.kind)
    if not flagged:
        print(f"classes   {shown(check)} sees the class of {asked} as before, whatever is done")
        return
    print(f"classes   {shown(check)} takes some of {asked} for another class:\n")
    cells = [
        [one.class_name, one.transform, f"{one.changed:.0%}", f"{one.base:.0%}", one.becomes]
        for one in sorted(flagged, key=lambda one: -one.changed)
    ]
    table(["class", "transform", "changed", "wrong before", "mostly taken for"], cells, numeric=(2, 3))


def _subject(source: str, size: str | None, check: str | None) -> tuple[Any, Any, Any]:
    """The data, what its samples are brought to, and the network that is asked."""
    from dataclasses import replace

    from lenrek.data.open import open_source
    from lenrek.errors import DataError, OptionError
    from lenrek.models.registry import find_architecture
    from lenrek.training.classifier import load
    from lenrek.training.config import TrainConfig
    from lenrek.training.plan import plan_contract

    found = open_source(source)
    if check is None:
        alike = bool((found.sizes == found.sizes[0]).all())
        wanted = parse_size(size, "augment") or (None if alike or found.kind != "image" else (PHOTO_SIDE,))
        config = TrainConfig(source, model="lenet5", size=wanted)
        contract, _ = plan_contract(found, config, find_architecture("lenet5"))
        return found, contract, None
    if size is not None:
        raise OptionError(f"augment: --size {size} has no effect with --check {check}, which knows its own input.")
    classifier = load(check)
    contract = classifier.contract
    unknown = sorted(set(found.classes) - set(contract.classes))
    if unknown:
        raise DataError(f"augment: {found.name} has a class {unknown[0]!r} that {check} was not trained on.")
    labels = [contract.classes.index(name) for name in found.classes]
    return replace(found, labels=_renumbered(found.labels, labels), classes=contract.classes), contract, classifier


def _renumbered(labels: Any, new: list[int]) -> Any:
    import numpy as np

    return np.array(new)[labels]


def _some(found: Any, contract: Any, per_class: int) -> tuple[Any, Any]:
    """Up to so many samples of every class, evenly spaced, as they are stored."""
    import numpy as np

    from lenrek.data.load import load_samples

    chosen = []
    for label in np.unique(found.labels).tolist():
        of_class = np.flatnonzero(found.labels == label)
        chosen.append(of_class[np.unique(np.arange(per_class) * len(of_class) // per_class)])
    order = np.concatenate(chosen)
    samples = load_samples(found, contract, indices=np.unique(order), mode="stream")
    batch = next(samples.batches(order, len(order)))
    return batch.x, batch.labels.numpy()


def _first_of_each(labels: Any) -> Any:
    import numpy as np

    return np.unique(labels, return_index=True)[1]


def _asked(policy: Any, x: Any, labels: Any, classifier: Any, seed: int) -> list[Any]:
    import torch

    from lenrek.data.augmentation.safety import label_safety
    from lenrek.data.normalise import normalise

    device = next(classifier.network.parameters()).device

    @torch.inference_mode()
    def posteriors(part: torch.Tensor) -> torch.Tensor:
        return classifier.network(normalise(part, classifier.contract).to(device)).softmax(1).cpu()

    return label_safety(policy, x, labels, classifier.contract.classes, posteriors, seed=seed)
