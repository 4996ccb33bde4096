"""Which samples train, which choose, which measure: given parts are honoured, others drawn by class and group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lenrek.data.shown import counted
from lenrek.data.source import Source
from lenrek.errors import DataError, OptionError

SPLIT_WORDS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}


@dataclass(frozen=True)
class Split:
    """Source indices (int64, ascending) of the three parts; no index is in two of them."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split_source(
    source: Source, *, seed: int = 0, validation: float = 0.1, test: float = 0.1, grouped: bool | None = None
) -> Split:
    """Split a source into train, validation and test.

    What the source gives is honoured; a validation or test part it does not give is drawn from its training samples and
    those of which it says nothing. Parts are drawn class by class: of a class of n samples, n · fraction rounded, at
    least one, go to the part. With groups, whole groups are drawn, so that the shares of every class come near the
    fraction. The same seed gives the same samples, whatever order the file system listed them in.

    Args:
        seed: of the random draw.
        validation, test: fraction of the training pool to draw for a part that is not given; 0 leaves it empty.
        grouped: keep samples of one group in one part; None does so when the source declares its groups.
    Raises:
        OptionError: fractions outside 0–1 or that leave nothing to train on, `grouped` for a source without groups.
        DataError: one class only, too few samples or groups of a class, given parts that tear a group apart.
    """
    for name, fraction in (("validation", validation), ("test", test)):
        if not 0 <= fraction < 1:
            raise OptionError(f"split_source: {name} is {fraction}, but a fraction from 0 to below 1 is expected.")
    if validation + test >= 1:
        raise OptionError(
            f"split_source: validation {validation} + test {test} = {validation + test:g} leaves nothing to train on: "
            "less than 1 is expected."
        )
    if grouped and source.groups is None:
        raise OptionError(
            f"split_source: grouped=True, but {source.name} has no groups.\n"
            "  Hint: name them in a column group, speaker, patient or subject of a manifest, or an array groups."
        )
    if len(source.classes) < 2:
        raise DataError(
            f"{source.name}: all {counted(len(source), 'sample')} are of one class, {source.classes[0]!r}, "
            "but at least two are needed to tell apart."
        )
    given = source.split if source.split is not None else np.full(len(source), "")
    groups = source.groups if (source.groups_declared if grouped is None else grouped) else None
    if groups is not None:
        _check_given_groups(source, given, groups)
    pool = np.flatnonzero((given == "train") | (given == ""))
    parts = {part: np.flatnonzero(given == part) for part in ("validation", "test")}
    wanted = {"test": test, "validation": validation}
    drawn = {part: fraction for part, fraction in wanted.items() if fraction > 0 and not len(parts[part])}
    _check_enough(source, pool, groups, list(drawn))
    rng = np.random.default_rng(seed)
    # By name, not by position: a file system lists the same files in any order.
    pool = pool[np.argsort(np.asarray(source.names)[pool], kind="stable")]
    unit = None if groups is None else np.unique(groups[pool], return_inverse=True)[1]
    taken = (
        _draw_samples(source.labels[pool], drawn, rng)
        if unit is None
        else _draw_groups(source, source.labels[pool], unit, drawn, rng)
    )
    parts |= {part: np.sort(pool[taken == part]) for part in drawn}
    return Split(np.sort(pool[taken == ""]), parts["validation"], parts["test"])


def _check_given_groups(source: Source, given: np.ndarray, groups: np.ndarray) -> None:
    """No group in two given parts; samples of which nothing is said count as training."""
    said = np.where(given == "", "train", given)
    names, group = np.unique(groups, return_inverse=True)
    parts, part = np.unique(said, return_inverse=True)
    present = np.zeros((len(names), len(parts)), dtype=bool)
    present[group, part] = True
    torn = np.flatnonzero(present.sum(axis=1) > 1)
    if len(torn):
        torn_between = " and ".join(parts[present[torn[0]]])
        raise DataError(
            f"{source.name}: group {str(names[torn[0]])!r} is in the given parts {torn_between}, but a group belongs "
            f"to one ({counted(len(torn), 'group')} of {len(names):,} torn).\n"
            "  Hint: grouped=False takes the given split as it is."
        )


def _check_enough(source: Source, pool: np.ndarray, groups: np.ndarray | None, drawn: Sequence[str]) -> None:
    """Every class has a sample (or group) for each part that is drawn, and one to train on."""
    needed = len(drawn) + 1
    unit = "sample" if groups is None else "group"
    for label, name in enumerate(source.classes):
        members = pool[source.labels[pool] == label]
        available = len(members) if groups is None else len(np.unique(groups[members]))
        if available < needed:
            raise DataError(
                f"{source.name}: class {name!r} has {counted(available, unit)} to train on and draw from, but one "
                f"for each of {', '.join(['train', *drawn])} is needed: {needed}.\n"
                f"  Hint: add {unit}s or leave the class out."
            )


def _draw_samples(labels: np.ndarray, drawn: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """Per sample the part it is drawn for, "" for train: the same share of every class."""
    taken = np.full(len(labels), "", dtype="U10")
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        start = 0
        for left, (part, fraction) in zip(range(len(drawn), 0, -1), drawn.items(), strict=True):
            # The other parts, and train, keep at least one each.
            stop = min(start + max(1, round(len(members) * fraction)), len(members) - left)
            taken[members[start:stop]] = part
            start = stop
    return taken


def _draw_groups(
    source: Source, labels: np.ndarray, groups: np.ndarray, drawn: dict[str, float], rng: np.random.Generator
) -> np.ndarray:
    """Per sample the part its group is drawn for, "" for train."""
    counts = np.zeros((groups.max() + 1, len(source.classes)))
    np.add.at(counts, (groups, labels), 1)
    part_of = np.full(len(counts), "", dtype="U10")
    for left, (part, fraction) in zip(range(len(drawn), 0, -1), drawn.items(), strict=True):
        chosen = _choose_groups(counts, part_of == "", fraction, left, rng)
        missing = np.flatnonzero(counts[chosen].sum(axis=0) == 0)
        if len(missing):
            raise DataError(
                f"{source.name}: no group with class {source.classes[missing[0]]!r} is left for {part}: groups hold "
                "several classes, and these could not be shared out so that every part has every class.\n"
                "  Hint: another seed draws other groups."
            )
        part_of[chosen] = part
    return part_of[groups]


def _choose_groups(
    counts: np.ndarray, free: np.ndarray, fraction: float, left: int, rng: np.random.Generator
) -> list[int]:
    """Groups for one part, whose share of every class comes near `fraction`.

    Groups in random order join while they lower Σ_class (share − fraction)²; then, for every class missing, the one
    that lowers it most (or raises it least). Of every class, `left` groups stay behind for the parts to come.

    Args:
        counts: (groups, classes) samples.
        free: (groups,) not yet in a part.
    """
    shares = counts / counts.sum(axis=0)
    behind = (counts[free] > 0).sum(axis=0)
    share = np.zeros(counts.shape[1])
    order = rng.permutation(np.flatnonzero(free)).tolist()
    chosen: dict[int, None] = {}

    def gain(group: int) -> float:
        return float(((share - fraction) ** 2 - (share + shares[group] - fraction) ** 2).sum())

    def can_join(group: int) -> bool:
        return group not in chosen and bool((behind[counts[group] > 0] > left).all())

    def join(group: int) -> None:
        chosen[group] = None
        share[:] += shares[group]
        behind[:] -= counts[group] > 0

    for group in order:
        if gain(group) > 0 and can_join(group):
            join(group)
    for label in range(len(share)):
        if share[label] == 0:
            able = [group for group in order if counts[group, label] and can_join(group)]
            if able:
                join(max(able, key=gain))
    return list(chosen)
