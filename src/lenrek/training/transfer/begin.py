"""How a training begins: all fresh; from a network whose features are frozen; or from one that is trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lenrek.data.augmentation.augmenter import Augmenter, SampleOthers
from lenrek.data.augmentation.policy import Policy
from lenrek.data.resident import ResidentSamples
from lenrek.data.split import Split
from lenrek.models.contract import InputContract
from lenrek.models.model_file import save_model
from lenrek.training import processes
from lenrek.training.balance import ClassBalance
from lenrek.training.config import TrainConfig
from lenrek.training.fitting import Fitting, origin_of
from lenrek.training.plan import contents_fingerprint, data_fingerprint
from lenrek.training.preparation import PreparedData
from lenrek.training.rates import depths, fine_tuning_rate
from lenrek.training.run_folder import RunFolder
from lenrek.training.task import Task
from lenrek.training.transfer.cut import cut_after, cut_before
from lenrek.training.transfer.features import FeatureMaker
from lenrek.training.transfer.head_fitting import HeadFitting
from lenrek.training.transfer.solve import Features
from lenrek.training.transfer.start import Start, digest_of
from lenrek.training.wording import percent

Say = Callable[[str], None]


def begin(
    config: TrainConfig, start: Start, prepared: PreparedData, folder: RunFolder, resume: bool, say: Say
) -> Fitting | HeadFitting:
    """The training that `config` asks for, up to its first epoch.

    Raises:
        LenrekError: options, data or weights that do not work together.
    """
    fingerprint = data_fingerprint(prepared.source)
    task = _whole_task(config, start, prepared)
    if start.head is None or start.pretrained is None:
        return Fitting(config, task, folder, fingerprint, resume)
    known = start.pretrained.contract
    trained = "" if known is None else f", trained for {len(known.classes):,} classes"
    say(
        f"{start.pretrained.name}: {start.pretrained.architecture}{trained}; its last layer makes room for "
        f"{start.head.name}."
    )
    if config.freeze != "features" and config.learning_rate is None:
        rate = fine_tuning_rate(config.optimizer, len(prepared.split.train))
        config = replace(config, learning_rate=rate)
        say(f"Rate: {rate:g} at its peak, for {len(prepared.split.train):,} samples (--lr).")
    if config.frozen_layer is not None:
        return Fitting(config, _rest_task(config, start, prepared, task, say), folder, fingerprint, resume)
    head = start.head.name
    maker = _maker(config, cut_before(start.network, head).body, prepared, task.augmenter, say)
    frozen = HeadFitting(config, task, head, maker, folder, fingerprint, say)
    if config.freeze == "features":
        return frozen
    if resume and folder.checkpoint.exists() and not config.auto:
        return Fitting(config, task, folder, fingerprint, resume)
    return Fitting(config, _with_head(config, task, frozen, say), folder, fingerprint, resume)


def _whole_task(config: TrainConfig, start: Start, prepared: PreparedData) -> Task:
    contract = prepared.contract
    others = SampleOthers(prepared.samples, prepared.split.train)

    def save(path: Path, network: nn.Module, about: dict[str, Any]) -> None:
        save_model(path, network, config.model, contract, about)

    frozen = _frozen_names(config, start)
    return Task(
        frozen=frozen,
        frozen_digest=digest_of(start.network, frozen),
        network=start.network,
        contract=contract,
        samples=prepared.samples,
        split=prepared.split,
        balance=prepared.balance,
        augmenter=Augmenter(Policy.parse(config.augment), contract.classes, config.seed, others),
        save=save,
        module=None if start.pretrained is None else start.pretrained.module,
        depths=None if start.head is None else depths(start.network, start.head),
        start=None if start.pretrained is None else start.pretrained.digest,
    )


def _frozen_names(config: TrainConfig, start: Start) -> tuple[str, ...]:
    if start.head is None or config.freeze == "none":
        return ()
    rest = cut_after(start.network, config.frozen_layer) if config.frozen_layer else None
    trained = {f"{start.head.name}.weight", f"{start.head.name}.bias"} if rest is None else {*rest.rest.state_dict()}
    return tuple(name for name in start.network.state_dict() if name not in trained)


def _with_head(config: TrainConfig, task: Task, frozen: HeadFitting, say: Say) -> Task:
    """`task` after its head was solved; with `auto` that is what training has to be better than."""
    for _ in frozen.solve():
        pass
    best = frozen.best
    say(
        f"Head: solved on frozen features, {percent(best['validation_accuracy'])} on "
        f"{'validation' if len(task.split.validation) else 'what each fold left out'}; now all layers are trained."
    )
    if not config.auto:
        return task
    origin = origin_of(config, frozen.data_fingerprint, task.start)
    if processes.is_first():
        task.save(frozen.folder.model, task.network, {"training": origin | {"epoch": 0}})
    return replace(task, baseline={**best, "epoch": 0})


def _rest_task(config: TrainConfig, start: Start, prepared: PreparedData, whole: Task, say: Say) -> Task:
    """What comes after the frozen layer, on what that layer computes; every view of a sample is one sample of it."""
    layer = config.frozen_layer or ""
    cut = cut_after(start.network, layer)
    maker = _maker(config, cut.body, prepared, whole.augmenter, say)
    views = maker.views(prepared.split.train, config.views)
    validation = [maker.plain(prepared.split.validation)] if len(prepared.split.validation) else []
    every = Features.joined([*views, *validation])
    x, labels, rows = every.x, every.labels, np.arange(len(every.x))
    trained = rows[: sum(len(view.labels) for view in views)]
    split = Split(trained, rows[len(trained) :], rows[:0])
    say(_describe_rest(layer, views, x))
    channels, *size = x.shape[1:]
    contract = InputContract(
        channels, tuple(size), (0.0,) * channels, (1.0,) * channels, prepared.contract.classes, full_scale=1
    )
    there = np.ones(len(x), bool)
    samples = ResidentSamples(x, labels, rows, there, there)

    def save(path: Path, rest: nn.Module, about: dict[str, Any]) -> None:
        start.network.load_state_dict(rest.state_dict(), strict=False)
        whole.save(path, start.network, about)

    return Task(
        network=cut.rest,
        contract=contract,
        samples=samples,
        split=split,
        balance=ClassBalance(config.balance, trained, labels[trained], contract.classes, config.seed),
        augmenter=Augmenter(Policy(), contract.classes, config.seed, SampleOthers(samples, trained)),
        save=save,
        module=whole.module,
        start=whole.start,
        frozen=whole.frozen,
        frozen_digest=whole.frozen_digest,
    )


def _describe_rest(layer: str, views: list[Features], x: np.ndarray) -> str:
    each = f"{len(views)} views of each sample" if len(views) > 1 else "each sample"
    shape = "×".join(map(str, x.shape[1:]))
    return f"Frozen up to {layer}: {shape} numbers of {each} are kept; what comes after is trained on them."


def _maker(
    config: TrainConfig, body: nn.Module, prepared: PreparedData, augmenter: Augmenter, say: Say
) -> FeatureMaker:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    source = prepared.source
    return FeatureMaker(
        body.to(device), prepared.samples, source.labels, prepared.contract, device, augmenter,
        contents_fingerprint(source), say,
    )  # fmt: skip
