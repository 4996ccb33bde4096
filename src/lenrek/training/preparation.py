"""From what the user named as data to samples and a contract that a network can be trained with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lenrek.data.augmentation.policy import Policy
from lenrek.data.check import check_source
from lenrek.data.load import channel_statistics, load_samples
from lenrek.data.normalise import FULL_SCALE
from lenrek.data.open import open_source
from lenrek.data.problems import sentences
from lenrek.data.samples import Samples
from lenrek.data.source import Source
from lenrek.data.split import Split, split_source
from lenrek.errors import DataError, OptionError
from lenrek.models.contract import InputContract
from lenrek.models.registry import architecture_named
from lenrek.training.balance import ClassBalance
from lenrek.training.config import TrainConfig
from lenrek.training.mixing import Mixer
from lenrek.training.plan import plan_contract

PARTS = {"train": "to learn from", "validation": "to choose the epoch on", "test": "to measure the result on"}


@dataclass(frozen=True)
class PreparedData:
    """Data, ready to train on.

    Attributes:
        split: readable samples only, as far as they have been read; no part is empty.
        balance: of its training part.
        contract: with the mean and standard deviation of the training part.
        steps: sentences that say what happens to the samples on their way to the network.
    """

    source: Source
    split: Split
    balance: ClassBalance
    samples: Samples
    contract: InputContract
    steps: list[str]


def prepare(
    data: Any, config: TrainConfig, say: Callable[[str], None], trained: InputContract | None = None
) -> PreparedData:
    """Open, split, check and load `data`, telling `say` each thing found or done as it happens.

    Args:
        trained: contract of the network to begin with, where it was trained before.

    Raises:
        LenrekError: data or options that do not work together.
    """
    architecture = architecture_named(config.model, config.start)
    policy = Policy.parse(config.augment)
    source = open_source(data, strict=config.strict)
    split = split_source(
        source, seed=config.seed, validation=config.validation, test=config.test, grouped=config.grouped
    )
    _require_parts(source, split, config)
    source.problems.extend(check_source(source, split))
    known = len(source.problems)
    for sentence in sentences(source.problems):
        say(sentence)
    steps: list[str] = []

    def step(sentence: str) -> None:
        steps.append(sentence)
        say(sentence)

    contract, fitted = plan_contract(source, config, architecture, trained)
    policy.check(contract.channels, contract.size, source.classes)
    mixer = Mixer.of(config)
    if mixer is not None:
        mixer.check(contract.size)
    _balance(source, split, config).check(policy, contract.channels, contract.size)  # before anything is decoded
    step(_describe(source, split))
    step(fitted)
    samples = load_samples(source, contract, mode=config.loading, strict=config.strict, say=step)  # type: ignore[arg-type]
    if trained is not None and trained.channels == contract.channels:
        mean, std = contract.mean, contract.std
    else:
        mean, std = channel_statistics(samples, split.train)
    step(policy.describe(contract.channels, contract.size))
    if mixer is not None:
        step(mixer.describe())
    for sentence in sentences(source.problems[known:]):  # damaged files, found while decoding
        say(sentence)
    readable = _readable(source, split, samples)
    balance = _balance(source, readable, config)
    if sentence := balance.describe():
        step(sentence)
    stored = next(samples.batches(readable.train[:1], 1)).x.dtype
    contract = replace(contract, mean=mean, std=std, full_scale=FULL_SCALE[stored])
    return PreparedData(source, readable, balance, samples, contract, steps)


def _balance(source: Source, split: Split, config: TrainConfig) -> ClassBalance:
    return ClassBalance(config.balance, split.train, source.labels[split.train], source.classes, config.seed)


def _require_parts(source: Source, split: Split, config: TrainConfig) -> None:
    """Training can do without validation, which leaves more to learn from; what chooses by it cannot."""
    for part, purpose in PARTS.items():
        if part == "validation" and config.patience is None and not config.auto:
            continue
        if not len(getattr(split, part)):
            raise OptionError(
                f"train: {part} is 0 and {source.name} has no {part} part of its own, but one is needed {purpose}.\n"
                f"  Hint: leave {part} out, or give the share to split off, for example 0.1."
            )


def _readable(source: Source, split: Split, samples: Samples) -> Split:
    """`split` without the samples that turned out to be damaged."""
    whole = {part: np.intersect1d(getattr(split, part), samples.index) for part in PARTS}
    for part, purpose in PARTS.items():
        if len(getattr(split, part)) and not len(whole[part]):
            number = len(getattr(split, part))
            raise DataError(
                f"train: none of the {number:,} {part} samples of {source.name} can be read, "
                f"but one is needed {purpose}."
            )
    return Split(**whole)


def _describe(source: Source, split: Split) -> str:
    counts = f"{len(split.train):,} to train, {len(split.validation):,} to validate, {len(split.test):,} to test"
    sentence = f"{source.name}: {len(source):,} {source.kind}s of {len(source.classes)} classes: {counts}."
    return f"{sentence} {_describe_groups(source.groups, split)}" if source.groups is not None else sentence


def _describe_groups(groups: np.ndarray, split: Split) -> str:
    """Whether samples that belong together (of a speaker, a patient) were kept out of each other's parts."""
    number = len(np.unique(groups))
    in_parts = sum(len(np.unique(groups[part])) for part in (split.train, split.validation, split.test))
    if in_parts == number:
        return f"Each of the {number} groups is in one part."
    return f"The {number} groups are spread over the parts: with --grouped, each would be in one."
