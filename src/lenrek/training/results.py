"""The end of a run: the kept network on validation and, once, on test; the numbers as JSON and the report as HTML.

In fp32, as `lenrek.load` will run it: the figures are those of the file, and anyone's who evaluates it again.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from torch import nn

from lenrek.data.source import Source
from lenrek.models.model_file import load_model
from lenrek.training.evaluation import Evaluation, evaluate_posteriors, worst_mistakes
from lenrek.training.fitting import Fitting
from lenrek.training.loop import EVALUATION_BATCH, Step, posteriors
from lenrek.training.machine import describe_machine, versions
from lenrek.training.report import DataSummary, Mistake, RunRecord, write_report


def write_results(fitting: Fitting, source: Source, steps: list[str], command: str | None) -> dict[str, Evaluation]:
    """Evaluate the model file as it was written (not what is left in memory) and write everything about it."""
    network, _ = load_model(fitting.folder.model)
    network.to(fitting.device)
    evaluations, mistakes = _evaluate(fitting, source, network)
    folder, config, contract = fitting.folder, fitting.config, fitting.contract
    machine = describe_machine(fitting.device)
    folder.write_json(folder.evaluation, {part: e.to_json() for part, e in evaluations.items()})
    settings = {
        "config": config.to_json(), "contract": contract.to_json(), "precision": asdict(fitting.precision),
        "command": command, "machine": machine, "versions": versions(),
    }  # fmt: skip
    folder.write_json(folder.config, settings)
    parts = {part: len(getattr(fitting.split, part)) for part in ("train", "validation", "test")}
    data = DataSummary(
        source.name, source.kind, parts, contract.channels, contract.size, source.problems,
        [*steps, f"Precision: {fitting.precision.reason}."],
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


def _evaluate(fitting: Fitting, source: Source, network: nn.Module) -> tuple[dict[str, Evaluation], list[Mistake]]:
    step = Step(network, fitting.contract, fitting.device)
    evaluations: dict[str, Evaluation] = {}
    mistakes: list[Mistake] = []
    for part in ("validation", "test"):
        found, labels, index = posteriors(step, fitting.samples, getattr(fitting.split, part))
        evaluations[part] = evaluate_posteriors(found, labels, fitting.contract.classes)
        if part == "test":
            mistakes = _worst_mistakes(fitting, source, found, labels, index)
    return evaluations, mistakes


def _worst_mistakes(
    fitting: Fitting, source: Source, found: np.ndarray, labels: np.ndarray, index: np.ndarray
) -> list[Mistake]:
    """The worst wrong answers, with the samples as the network saw them."""
    worst = worst_mistakes(found, labels)
    samples: dict[int, np.ndarray] = {}
    for batch in fitting.samples.batches(index[worst], EVALUATION_BATCH):
        samples |= dict(zip(batch.index.tolist(), batch.x.numpy(), strict=True))
    return [Mistake(samples[index[i]], source.names[index[i]], int(labels[i]), found[i]) for i in worst]


def _first_filters(network: nn.Module) -> np.ndarray | None:
    """Weights (out, in, *kernel) of the first convolution, or None where there is none."""
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            return module.weight.detach().float().cpu().numpy()
    return None
