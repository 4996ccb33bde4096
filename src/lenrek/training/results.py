"""The end of a run: the kept network on validation and, once, on test; the numbers as JSON and the report as HTML.

In fp32, as `lenrek.load` will run it, on a faster engine where that pays off: the figures are those of the file, and
anyone's who evaluates it again.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import torch
from torch import nn

from lenrek.errors import ModelError
from lenrek.models.model_file import load_model
from lenrek.training.engine import EngineStep
from lenrek.training.evaluation import Evaluation, evaluate_posteriors, worst_mistakes
from lenrek.training.fitting import Fitting
from lenrek.training.loop import EVALUATION_BATCH, posteriors
from lenrek.training.machine import describe_machine, versions
from lenrek.training.preparation import PreparedData
from lenrek.training.report import DataSummary, Mistake, RunRecord, write_report
from lenrek.training.transfer.head_fitting import HeadFitting
from lenrek.training.transfer.start import digest_of


def write_results(fitting: Fitting | HeadFitting, prepared: PreparedData, command: str | None) -> dict[str, Evaluation]:
    """Evaluate the model file as it was written (not what is left in memory) and write everything about it."""
    network, _ = load_model(fitting.folder.model, fitting.task.module)
    network.to(fitting.device)
    if (sentence := _frozen(fitting, network)) is not None:
        prepared.steps.append(sentence)
    evaluations, mistakes = _evaluate(prepared, network, fitting.device)
    folder, config = fitting.folder, fitting.config
    source, contract = prepared.source, prepared.contract
    machine = describe_machine(fitting.device)
    folder.write_json(folder.evaluation, {part: e.to_json() for part, e in evaluations.items()})
    settings = {
        "config": config.to_json(), "contract": contract.to_json(), "precision": asdict(fitting.precision),
        "command": command, "machine": machine, "versions": versions(),
    }  # fmt: skip
    folder.write_json(folder.config, settings)
    parts = {part: len(getattr(prepared.split, part)) for part in ("train", "validation", "test")}
    data = DataSummary(
        source.name, source.kind, parts, contract.channels, contract.size, source.problems,
        [*prepared.steps, f"Precision: {fitting.precision.reason}."],
    )  # fmt: skip
    record = RunRecord(
        title=f"{config.model} on {source.name}",
        command=command,
        config=config.to_json(),
        history=fitting.history,
        evaluations=evaluations,
        mistakes=mistakes,
        filters=_first_filters(network),
        classes=contract.classes,
        data=data,
        parameters=sum(p.numel() for p in network.parameters()),
        time_s=sum(row["time_s"] for row in fitting.history),  # also of the epochs before an interruption
        best_epoch=fitting.best["epoch"],
        machine=machine,
        versions=versions(),
    )
    write_report(folder.report, record)
    return evaluations


def _frozen(fitting: Fitting | HeadFitting, network: nn.Module) -> str | None:
    """That what was to be frozen was: parameters and statistics, bit for bit, in the model as it was written."""
    names = fitting.task.frozen
    if not names:
        return None
    if digest_of(network, names) != fitting.task.frozen_digest:
        raise ModelError(f"train: of the {len(names)} frozen tensors of {fitting.folder.model} some have changed.")
    values = sum(network.state_dict()[name].numel() for name in names)
    return f"Frozen: {len(names)} tensors of {values:,} values are bit for bit as they were at the start."


def _evaluate(
    prepared: PreparedData, network: nn.Module, device: torch.device
) -> tuple[dict[str, Evaluation], list[Mistake]]:
    parts = ("validation", "test") if len(prepared.split.validation) else ("test",)
    step = EngineStep(network, prepared.contract, device, sum(len(getattr(prepared.split, part)) for part in parts))
    evaluations: dict[str, Evaluation] = {}
    mistakes: list[Mistake] = []
    for part in parts:
        found, labels, index = posteriors(step, prepared.samples, getattr(prepared.split, part))
        evaluations[part] = evaluate_posteriors(found, labels, prepared.contract.classes)
        if part == "test":
            mistakes = _worst_mistakes(prepared, found, labels, index)
    return evaluations, mistakes


def _worst_mistakes(prepared: PreparedData, found: np.ndarray, labels: np.ndarray, index: np.ndarray) -> list[Mistake]:
    """The worst wrong answers, with the samples as the network saw them."""
    worst = worst_mistakes(found, labels)
    samples: dict[int, np.ndarray] = {}
    for batch in prepared.samples.batches(index[worst], EVALUATION_BATCH):
        samples |= dict(zip(batch.index.tolist(), batch.x.numpy(), strict=True))
    return [Mistake(samples[index[i]], prepared.source.names[index[i]], int(labels[i]), found[i]) for i in worst]


def _first_filters(network: nn.Module) -> np.ndarray | None:
    """Weights (out, in, *kernel) of the first convolution, or None where there is none."""
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            return module.weight.detach().float().cpu().numpy()
    return None
