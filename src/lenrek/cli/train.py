"""`lenrek train DATA`: from a folder to a trained, evaluated network."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lenrek.cli.console import accuracy_sentence, emit
from lenrek.cli.subject import parse_size
from lenrek.data.shown import shown


class Optimizer(StrEnum):
    adamw = "adamw"
    sgd = "sgd"


class Schedule(StrEnum):
    onecycle = "onecycle"
    cosine = "cosine"
    constant = "constant"


class PrecisionChoice(StrEnum):
    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"


class Loading(StrEnum):
    auto = "auto"
    resident = "resident"
    stream = "stream"


class Balance(StrEnum):
    none = "none"
    loss = "loss"
    sampling = "sampling"
    synthesis = "synthesis"


class Fit(StrEnum):
    stretch = "stretch"
    crop = "crop"
    pad = "pad"


def train(
    data: Annotated[
        str, typer.Argument(help="A named set (digits, mnist, …), a folder, archive, manifest or array file.")
    ],
    model: Annotated[
        str | None, typer.Option(help="An architecture; 'lenrek models' lists them. Default: lenet5.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", help="A trained network: a run, ARCHITECTURE:FILE, hub:OWNER/NAME, resnet9_small."),
    ] = None,
    freeze: Annotated[
        str, typer.Option(help="What of it stays as it is: none, features (all but the head) or 'up-to LAYER'.")
    ] = "none",
    auto: Annotated[
        bool, typer.Option("--auto", help="Train all, or keep features frozen: what is better on validation.")
    ] = False,
    views: Annotated[
        int | None, typer.Option(help="Augmented views per sample for a frozen part. Default: as time allows.")
    ] = None,
    layer_decay: Annotated[
        float | None, typer.Option(help="Each block's rate, as a share of the next one's. Default: 0.8.")
    ] = None,
    unfreeze: Annotated[int, typer.Option(help="Epochs over which layers begin to be trained, the last first.")] = 0,
    epochs: Annotated[int, typer.Option(help="Passes over the training part.")] = 10,
    out: Annotated[Path | None, typer.Option(help="The run's folder. Default: a new one under runs/.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out, bit for bit.")] = False,
    seed: Annotated[int, typer.Option(help="Of weights, split, order, augmentation and dropout.")] = 0,
    batch_size: Annotated[int, typer.Option(help="Samples per step.")] = 128,
    size: Annotated[str | None, typer.Option(help="Input size: 96 or 64x96. Default: the data's own.")] = None,
    fit: Annotated[Fit | None, typer.Option(help="How other sizes are brought to it. Default: by the data.")] = None,
    optimizer: Annotated[Optimizer, typer.Option(help="Optimiser.")] = Optimizer.adamw,
    learning_rate: Annotated[
        float | None, typer.Option("--lr", "--learning-rate", help="Peak rate. Default: the model's own; sgd 0.1.")
    ] = None,
    momentum: Annotated[float | None, typer.Option(help="Of sgd only. Default: 0.9.")] = None,
    weight_decay: Annotated[
        float | None, typer.Option(help="Spares norms and biases. Default: 0.05; sgd 5e-4.")
    ] = None,
    schedule: Annotated[Schedule, typer.Option(help="Learning rate over time.")] = Schedule.onecycle,
    label_smoothing: Annotated[float, typer.Option(help="Share of the target spread over all classes.")] = 0.0,
    clip_norm: Annotated[float | None, typer.Option(help="Shorten longer gradients to this norm.")] = None,
    ema: Annotated[float | None, typer.Option(help="Decay of the running average of the weights that is kept.")] = None,
    patience: Annotated[int | None, typer.Option(help="Stop after so many epochs without improvement.")] = None,
    augment: Annotated[str, typer.Option(help="A policy: light, standard, …, 'shift=0.1,flip'.")] = "none",
    mixup: Annotated[
        str | None, typer.Option(help="Average samples: alpha of Beta, such as 0.4, or lambda=0.3.", metavar="ALPHA")
    ] = None,
    cutmix: Annotated[
        str | None, typer.Option(help="Put boxes of samples into others; with --mixup in turn.", metavar="ALPHA")
    ] = None,
    balance: Annotated[
        Balance, typer.Option(help="Let classes of unequal size count alike, and choose the epoch so.")
    ] = Balance.none,
    validation: Annotated[float, typer.Option(help="Share split off to choose the epoch on.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share split off where the data has no test part.")] = 0.1,
    grouped: Annotated[
        bool | None, typer.Option("--grouped/--not-grouped", help="Keep groups together. Default: as the data says.")
    ] = None,
    precision: Annotated[
        PrecisionChoice, typer.Option(help="auto: the fastest, measured at the start.")
    ] = PrecisionChoice.auto,
    loading: Annotated[Loading, typer.Option(help="auto: by size and free memory.")] = Loading.auto,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first damaged file.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write TensorBoard events.")] = False,
    json: Annotated[bool, typer.Option("--json", help="The result as one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
) -> None:
    """Train a network on labelled data, choose the best epoch on validation, evaluate it once on test."""
    options: dict[str, Any] = dict(
        epochs=epochs, seed=seed, batch_size=batch_size, size=parse_size(size, "train"), fit=fit and fit.value,
        optimizer=optimizer.value, learning_rate=learning_rate, momentum=momentum, weight_decay=weight_decay,
        schedule=schedule.value, label_smoothing=label_smoothing, clip_norm=clip_norm, ema=ema, patience=patience,
        augment=augment, mixup=mixup, cutmix=cutmix, balance=balance.value, validation=validation, test=test,
        grouped=grouped, precision=precision.value,
        loading=loading.value, strict=strict, start=start, freeze=freeze, auto=auto, views=views,
        layer_decay=layer_decay, unfreeze=unfreeze,
    )  # fmt: skip
    from lenrek.training.train import TrainingInterrupted
    from lenrek.training.train import train as run_training
    from lenrek.training.wording import percent

    command = ["lenrek", *sys.argv[1:]]
    try:
        run = run_training(
            data, model, out=out, resume=resume, progress=not quiet, tensorboard=tensorboard,
            command=shlex.join(command), **options,
        )  # fmt: skip
    except TrainingInterrupted as interrupt:
        if interrupt.finished:
            command += ([] if out else ["--out", str(interrupt.path)]) + ([] if resume else ["--resume"])
            interrupt.args = (f"{interrupt}; to continue: {shlex.join(command)}",)
        raise
    if not run.evaluations:  # a process that is not the first: the first one speaks
        return
    evaluation = run.evaluation
    if json:
        emit({"path": str(run.path), "report": str(run.path / "report.html"), "test": evaluation.to_json()})
        return
    print(f"accuracy  {accuracy_sentence(evaluation)}")
    if len({scores.support for scores in evaluation.per_class}) > 1:
        print(f"balanced  {percent(evaluation.balanced_accuracy, evaluation.num_samples)}")
    print(f"model     {shown(str(run.path))}")
    print(f"report    {shown(str(run.path / 'report.html'))}")
