"""The network that comes with lenrek: small, whole, and as good as its page says."""

import re
from pathlib import Path

import numpy as np
import pytest

import lenrek
from lenrek.models.pretrained import SHIPPED, load_pretrained

PAGE = (SHIPPED / "README.md").read_text()


def test_it_is_small() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) <= 4_000_000


def test_it_says_what_it_was_trained_on() -> None:
    network = load_pretrained("resnet9_small")
    assert not network.training
    contract = network.contract
    assert (contract.channels, contract.size, contract.classes[3]) == (3, (32, 32), "cat")
    assert contract.std != (1, 1, 1)


def test_its_page_quotes_its_accuracy(real_data: Path, tmp_path: Path) -> None:
    """On every fifth of the test images, so within the noise of 2,000: 2.5 times its standard deviation."""
    source = lenrek.open_source(real_data / "cifar10-jpeg.tar.gz")
    quoted = float(re.search(r"(\d\d\.\d+) % of the 10,000 test images", PAGE).group(1)) / 100  # type: ignore[union-attr]
    chosen = np.flatnonzero(np.asarray(source.split) == "test")[::5]
    classifier = lenrek.load(SHIPPED / "resnet9_small.safetensors")
    x = np.stack([source.reader.read(int(index), classifier.contract) for index in chosen])
    found = np.array([prediction.label for prediction in classifier.predict(x)])
    right = np.mean(found == np.array(source.classes)[source.labels[chosen]])
    assert right == pytest.approx(quoted, abs=2.5 * np.sqrt(quoted * (1 - quoted) / len(chosen)))


def test_a_training_begins_with_it_offline(tmp_path: Path) -> None:
    """Its features of digits: much better than those of fresh weights, and frozen they stay."""
    run = lenrek.train("digits", start="resnet9_small", freeze="features", out=tmp_path / "run", progress=False)
    assert run.evaluation.accuracy > 0.93
