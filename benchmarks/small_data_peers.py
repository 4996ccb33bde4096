"""fastai and Keras on the flowers of `small_data.py`: the same photos, splits, network and weights.

    python benchmarks/small_data.py --data FOLDER few-flowers most-flowers     (with lenrek: writes the splits)
    python benchmarks/small_data_peers.py FOLDER                               (where fastai and Keras are installed)

Each peer is used as its own guide shows it: fastai by `vision_learner(…).fine_tune(…)` on `Resize(460)` and
`aug_transforms(size=224)`, 16 photos a step where there are few; Keras by its guide on transfer learning, the new
head at 1e-3 on frozen features and then all layers at 1e-5, with flips and small rotations, and more epochs than the
guide where photos are few: with 10 and 10 it came to 56 % on 100 photos. fastai wants
torchvision, Keras runs on its PyTorch backend; both in an environment of their own, so that this script imports
nothing of lenrek. Weights: squeezenet1_1-imagenet.safetensors in the folder LENREK_WEIGHTS. Time is that of
training and testing, without imports. Results: results/small_data_peers.jsonl and results/small_data_peers.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
LOG = RESULTS / "small_data_peers.jsonl"
WEIGHTS = Path(os.environ.get("LENREK_WEIGHTS", "weights")) / "squeezenet1_1-imagenet.safetensors"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Of fastai's fine_tune after its one frozen epoch; of Keras with frozen features, and then of all layers.
FASTAI_EPOCHS = {"few-flowers": 10, "most-flowers": 5}
KERAS_EPOCHS = {"few-flowers": (50, 20), "most-flowers": (5, 5)}
Rows = list[dict[str, str]]
os.environ["KERAS_BACKEND"] = "torch"  # read when Keras is imported


def read(path: Path) -> Rows:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def with_fastai(rows: Rows, experiment: str, seed: int) -> float:
    """Accuracy on the rows marked test."""
    import torch
    from fastai.vision.all import (
        CategoryBlock,
        ColReader,
        ColSplitter,
        CrossEntropyLossFlat,
        DataBlock,
        ImageBlock,
        Normalize,
        Resize,
        accuracy,
        aug_transforms,
        set_seed,
        vision_learner,
    )
    from pandas import DataFrame
    from safetensors.torch import load_file
    from torchvision.models import squeezenet1_1

    set_seed(seed, reproducible=True)
    train = [row for row in rows if row["split"] == "train"]
    table = DataFrame([*train, train[0]])  # it validates after every epoch: on one photo, so that this costs nothing
    table["is_valid"] = [False] * len(train) + [True]
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_x=ColReader("path"),
        get_y=ColReader("label"),
        splitter=ColSplitter(),
        item_tfms=Resize(460),
        batch_tfms=[*aug_transforms(size=224), Normalize.from_stats(MEAN, STD)],
    )
    batches = block.dataloaders(table, bs=64 if len(train) > 1000 else 16, num_workers=2)
    learner = vision_learner(
        batches, squeezenet1_1, pretrained=False, normalize=False, loss_func=CrossEntropyLossFlat()
    )
    features = {k.removeprefix("features."): v for k, v in load_file(WEIGHTS).items() if k.startswith("features.")}
    body = learner.model[0]
    nested = "0." if "0.0.weight" in body.state_dict() else ""
    body.load_state_dict({nested + name: tensor for name, tensor in features.items()})
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(FASTAI_EPOCHS[experiment])
        test = batches.test_dl(DataFrame([row for row in rows if row["split"] == "test"]), with_labels=True)
        predicted, wanted = learner.get_preds(dl=test)
    assert isinstance(predicted, torch.Tensor)
    return float(accuracy(predicted, wanted))


def with_keras(rows: Rows, experiment: str, seed: int) -> float:
    """The same with Keras: the head on frozen features, then all layers."""
    import keras
    import numpy as np
    from keras import layers
    from PIL import Image
    from safetensors.numpy import load_file

    keras.utils.set_random_seed(seed)
    classes = sorted({row["label"] for row in rows})

    class Photos(keras.utils.PyDataset):  # type: ignore[misc]
        def __init__(self, part: str) -> None:
            super().__init__(workers=2)
            self.rows = [row for row in rows if row["split"] == part]
            self.shuffled = np.random.default_rng(seed).permutation(len(self.rows)) if part == "train" else None

        def __len__(self) -> int:
            return -(-len(self.rows) // 32)

        def __getitem__(self, index: int) -> tuple[object, object]:
            order = self.shuffled if self.shuffled is not None else np.arange(len(self.rows))
            some = [self.rows[i] for i in order[32 * index : 32 * index + 32]]
            x = np.stack([load(row["path"]) for row in some])
            return x, np.array([classes.index(row["label"]) for row in some])

        def on_epoch_end(self) -> None:
            if self.shuffled is not None:
                np.random.default_rng(int(self.shuffled[0])).shuffle(self.shuffled)

    def load(path: str) -> object:
        image = Image.open(path).convert("RGB")
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        cut = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BILINEAR)
        return (np.asarray(cut, np.float32) / 255 - MEAN) / np.array(STD, np.float32)

    def convolution(x: object, name: str, channels: int, size: int, strides: int = 1, padding: str = "valid") -> object:
        return layers.Conv2D(channels, size, strides, padding, activation="relu", name=name.replace(".", "-"))(x)

    inputs = keras.Input((224, 224, 3))
    x = convolution(inputs, "features.0", 64, 3, 2)
    pools = {2, 5, 8}
    squeezed = {3: 16, 4: 16, 6: 32, 7: 32, 9: 48, 10: 48, 11: 64, 12: 64}
    for place in range(2, 13):
        if place in pools:  # PyTorch's ceil mode: one more window where the last one would not reach the border
            extra = 1 if x.shape[1] % 2 == 0 else 0
            x = layers.ZeroPadding2D(((0, extra), (0, extra)))(x)  # after a ReLU zero is no larger than any value
            x = layers.MaxPooling2D(3, 2)(x)
            continue
        expanded = 4 * squeezed[place]
        x = convolution(x, f"features.{place}.squeeze", squeezed[place], 1)
        x = layers.Concatenate()([
            convolution(x, f"features.{place}.expand1x1", expanded, 1),
            convolution(x, f"features.{place}.expand3x3", expanded, 3, padding="same"),
        ])  # fmt: skip
    base = keras.Model(inputs, x)
    tensors = load_file(WEIGHTS)
    for layer in base.layers:
        if isinstance(layer, layers.Conv2D):
            name = layer.name.replace("-", ".")
            layer.set_weights([tensors[f"{name}.weight"].transpose(2, 3, 1, 0), tensors[f"{name}.bias"]])
    base.trainable = False
    inputs = keras.Input((224, 224, 3))
    x = layers.RandomRotation(0.1)(layers.RandomFlip("horizontal")(inputs))
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(base(x, training=False)))
    model = keras.Model(inputs, layers.Dense(len(classes))(x))

    def fit(rate: float, epochs: int) -> None:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
        model.fit(Photos("train"), epochs=epochs, verbose=0)

    of_head, of_all = KERAS_EPOCHS[experiment]
    fit(1e-3, of_head)
    base.trainable = True
    fit(1e-5, of_all)
    return float(model.evaluate(Photos("test"), verbose=0, return_dict=True)["accuracy"])


PEERS: dict[str, Callable[[Rows, str, int], float]] = {"fastai": with_fastai, "keras": with_keras}


def tables(results: list[dict]) -> str:
    """The Markdown page: the peers, and lenrek's rows of the same experiments as `small_data.py` found them."""
    own = [json.loads(line) for line in (RESULTS / "small_data.jsonl").read_text().splitlines()]
    lenrek = [
        {**r, "peer": f"lenrek, {r['row']}", "time_s": None if r.get("busy") else r["wall_s"],
         "versions": f"lenrek {r['versions']['lenrek']}, torch {r['versions']['torch']}, {r['machine'].split(', ')[1]}"}
        for r in own if r["experiment"] in FASTAI_EPOCHS and r["row"] != "from scratch"
    ]  # fmt: skip
    lines = [
        "# Peers on small data",
        "",
        f"{results[0]['machine']}. Splits, network and weights as in small_data.md; mean ± standard deviation. Time of",
        "the runs while nothing else computed: training and testing; lenrek's with starting and reading, too.",
        "",
        "| flowers | | test | time | versions |",
        "|---|---|---|---|---|",
    ]
    rows = dict.fromkeys((r["experiment"], r["peer"]) for r in sorted([*lenrek, *results], key=order))
    for name, peer in rows:
        found = [r for r in [*lenrek, *results] if (r["experiment"], r["peer"]) == (name, peer)]
        values = [100 * r["test"] for r in found]
        spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
        timed = [r["time_s"] / 60 for r in found if r["time_s"] is not None]
        minutes = f"{statistics.mean(timed):.1f} min" if timed else "–"
        versions = next((r for r in found if r["time_s"] is not None), found[0])["versions"]
        accuracy = f"**{statistics.mean(values):.2f}{spread} %** (n = {len(values)})"
        lines.append(f"| {name} | {peer} | {accuracy} | {minutes} | {versions} |")
    return "\n".join(lines) + "\n"


def order(result: dict) -> tuple[int, bool]:
    """By experiment, lenrek first."""
    return list(FASTAI_EPOCHS).index(result["experiment"]), result["peer"] in PEERS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="what small_data.py --data wrote")
    parser.add_argument("--peer", choices=PEERS, action="append")
    parser.add_argument("--experiment", choices=FASTAI_EPOCHS, action="append")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--untimed", action="store_true", help="something else computes: keep no time")
    options = parser.parse_args()
    results = [json.loads(line) for line in LOG.read_text().splitlines()] if LOG.exists() else []
    for seed in range(options.seeds):
        for name in options.experiment or FASTAI_EPOCHS:
            for peer in options.peer or PEERS:
                if any((r["experiment"], r["peer"], r["seed"]) == (name, peer, seed) for r in results):
                    continue
                rows = read(options.folder / f"seed-{seed}" / f"{name}.csv")
                module, torch = import_module(peer), import_module("torch")
                start = time.perf_counter()
                test = PEERS[peer](rows, name, seed)
                result = {
                    "experiment": name, "peer": peer, "seed": seed, "test": test,
                    "time_s": None if options.untimed else time.perf_counter() - start,
                    "versions": f"{peer} {module.__version__}, torch {torch.__version__}, "
                    f"{torch.get_num_threads()} threads",
                    "machine": f"{platform.machine()}, {os.cpu_count()} processors",
                }  # fmt: skip
                print(result, flush=True)
                results.append(result)
                with LOG.open("a") as log:
                    log.write(json.dumps(result) + "\n")
                (RESULTS / "small_data_peers.md").write_text(tables(results))


if __name__ == "__main__":
    main()
