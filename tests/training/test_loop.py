"""An epoch against plain PyTorch, written out."""

import numpy as np
import pytest
import torch
from pictures import pictures
from torch import nn

from lenrek.data.arrays import array_source
from lenrek.data.augmentation import Policy
from lenrek.data.augmentation.augmenter import Augmenter, SampleOthers
from lenrek.data.load import load_samples
from lenrek.errors import DataError
from lenrek.models.contract import InputContract
from lenrek.training import loop, processes
from lenrek.training.balance import ClassBalance
from lenrek.training.config import TrainConfig
from lenrek.training.ema import AveragedWeights
from lenrek.training.loop import Step, posteriors, train_epoch, whole_batch
from lenrek.training.optimizer import make_optimizer
from lenrek.training.order import epoch_order

CONTRACT = InputContract(1, (14, 18), (0.4,), (0.2,), ("above", "below"))
CPU = torch.device("cpu")


class Seen:
    def __init__(self) -> None:
        self.batches: list[tuple[int, float, float]] = []

    def batch(self, done: int, loss: float, accuracy: float, samples_per_s: float) -> None:
        self.batches.append((done, loss, accuracy))

    def epoch(self, row: dict) -> None:
        raise NotImplementedError("an epoch is told by whoever has its validation figures")


def network(seed: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(1, 3, 5), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 10 * 14, 2))


def test_an_epoch_equals_its_plain_form() -> None:
    x, y = pictures(50)
    samples = load_samples(array_source("a", x, y), CONTRACT)
    indices = np.arange(3, 46)
    config = TrainConfig(
        "a", epochs=3, batch_size=8, optimizer="sgd", learning_rate=0.05, momentum=0.8, weight_decay=0.01,
        schedule="cosine", label_smoothing=0.2, clip_norm=0.5, seed=9,
    )  # fmt: skip
    trained, seen = network(), Seen()
    average = AveragedWeights(trained, 0.7)
    step = Step(trained, CONTRACT, CPU)
    augmenter = Augmenter(Policy(), CONTRACT.classes, 9, SampleOthers(samples, indices))
    balance = ClassBalance("none", indices, y[indices], CONTRACT.classes, 9)
    row = train_epoch(
        step, samples, balance, 1, config, augmenter, make_optimizer(trained, config), trained, average, seen
    )

    plain = network()
    velocity = [torch.zeros_like(p) for p in plain.parameters()]
    mean_weights = [p.detach().clone() for p in plain.parameters()]
    order = epoch_order(indices, 9, 1)
    losses, right = [], 0
    for number in range(5):  # 43 samples are 5 batches of 8, and 3 that wait for another epoch
        chosen = order[8 * number : 8 * number + 8]
        given = (torch.tensor(x[chosen])[:, None] / 255 - 0.4) / 0.2
        log_posteriors = plain(given).log_softmax(1)
        target = torch.full((8, 2), 0.1)
        target[range(8), y[chosen]] += 0.8
        loss = -(target * log_posteriors).sum(1).mean()
        losses.append(loss.item())
        right += (log_posteriors.argmax(1).numpy() == y[chosen]).sum()
        gradients = torch.autograd.grad(loss, list(plain.parameters()))
        length = sum(g.square().sum() for g in gradients).sqrt()
        assert length > 0.5  # so that it is shortened
        rate = 0.05 * 0.5 * (1 + np.cos(np.pi * (5 + number + 0.5) / 15))
        decay = min(0.7, (1 + 5 + number) / (10 + 5 + number))
        with torch.no_grad():
            for p, g, v, m in zip(plain.parameters(), gradients, velocity, mean_weights, strict=True):
                g = g * 0.5 / length + (0.01 * p if p.ndim > 1 else 0)
                v.copy_(g) if number == 0 else v.mul_(0.8).add_(g)
                p -= rate * (g + 0.8 * v)
                m.copy_(decay * m + (1 - decay) * p)
    for ours, theirs in zip(trained.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    for ours, theirs in zip(average.network.parameters(), mean_weights, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    assert row["train_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert row["train_accuracy"] == pytest.approx(right / 40)
    assert row["learning_rate"] == pytest.approx(rate)
    assert [done for done, _, _ in seen.batches] == [1, 2, 3, 4, 5]
    assert seen.batches[1][1:] == pytest.approx((np.mean(losses[:2]), seen.batches[1][2]), rel=1e-5)
    assert seen.batches[-1][1:] == pytest.approx((row["train_loss"], row["train_accuracy"]))


def test_a_mixed_and_weighted_epoch_equals_its_plain_form() -> None:
    """The next sample of each step mixed in as floats, labels one-hot, rare classes' losses weighted."""
    x, y = pictures(50)
    y = np.where(np.arange(50) % 5, y, 1)  # 20 of the first class, 30 of the second
    samples = load_samples(array_source("a", x, y), CONTRACT)
    indices = np.arange(3, 46)
    labels = y[indices]
    counts = np.bincount(labels)
    assert counts[0] != counts[1]
    config = TrainConfig(
        "a", epochs=3, batch_size=8, optimizer="sgd", learning_rate=0.05, momentum=0.0, weight_decay=0.0,
        schedule="constant", label_smoothing=0.2, mixup="lambda=0.3", balance="loss", seed=9,
    )  # fmt: skip
    trained, seen = network(), Seen()
    augmenter = Augmenter(Policy(), CONTRACT.classes, 9, SampleOthers(samples, indices))
    balance = ClassBalance("loss", indices, labels, CONTRACT.classes, 9)
    row = train_epoch(
        Step(trained, CONTRACT, CPU), samples, balance, 1, config, augmenter, make_optimizer(trained, config), trained,
        None, seen,
    )  # fmt: skip

    plain = network()
    losses, right = [], 0.0
    order = epoch_order(indices, 9, 1)
    for number in range(5):
        chosen = order[8 * number : 8 * number + 8]
        other = np.roll(chosen, -1)
        given, mixed_in = ((torch.tensor(x[some])[:, None] / 255 - 0.4) / 0.2 for some in (chosen, other))
        log_posteriors = plain(0.3 * given + 0.7 * mixed_in).log_softmax(1)
        target = np.zeros((8, 2), np.float32)
        for share, some in ((0.3, chosen), (0.7, other)):
            one_hot = 0.8 * np.eye(2)[y[some]] + 0.1
            target += share * one_hot * (43 / (2 * counts[y[some]]))[:, None]
            right += share * (log_posteriors.argmax(1).numpy() == y[some]).sum()
        loss = -(torch.from_numpy(target) * log_posteriors).sum() / 8
        losses.append(loss.item())
        with torch.no_grad():
            for p, g in zip(plain.parameters(), torch.autograd.grad(loss, list(plain.parameters())), strict=True):
                p -= 0.05 * g
    for ours, theirs in zip(trained.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    assert row["train_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    assert row["train_accuracy"] == pytest.approx(right / 40)


@pytest.mark.parametrize(("largest", "values"), [(256, 1 << 22), (7, 1 << 22), (256, 14 * 18 * 5), (256, 3)])
def test_posteriors_do_not_depend_on_the_batches(largest: int, values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = pictures(23)
    samples = load_samples(array_source("a", x, y), CONTRACT)
    step = Step(nn.Sequential(nn.Dropout(0.5), network(), nn.BatchNorm1d(2)), CONTRACT, CPU)
    monkeypatch.setattr(loop, "EVALUATION_BATCH", largest)
    monkeypatch.setattr(loop, "EVALUATION_VALUES", values)
    asked = np.array([4, 22, 0, 9, 1, 17, 8, 3])
    found, labels, index = posteriors(step, samples, asked)
    assert index.tolist() == asked.tolist()
    assert labels.tolist() == y[asked].tolist()
    given = (torch.tensor(x[asked])[:, None] / 255 - 0.4) / 0.2
    expected = step.network.eval()(given).double().softmax(1).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float64
    assert [part.shape for part in posteriors(step, samples, asked[:0])] == [(0, 2), (0,), (0,)]


@pytest.mark.parametrize("size", [(7,), (5, 4), (4, 5, 6)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_network_sees_the_same_wherever_the_samples_lay(channels: int, size: tuple[int, ...]) -> None:
    x = torch.randint(0, 256, (2, channels, *size), dtype=torch.uint8)
    channels_inside = torch.empty(2, *size, channels, dtype=torch.uint8).movedim(-1, 1).copy_(x)
    assert channels_inside.stride() != x.stride()
    contract = InputContract(channels, size, (0.4,) * channels, (0.2,) * channels, ("above", "below"))
    step = Step(nn.Identity(), contract, CPU)
    for given in (x, channels_inside):
        seen = step.logits(given)
        assert seen.stride() == x.stride()
        torch.testing.assert_close(seen, (x / 255 - 0.4) / 0.2)


def test_whole_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (whole_batch(32, 100), whole_batch(32, 7)) == (32, 7)
    monkeypatch.setattr(processes, "world_size", lambda: 3)
    assert (whole_batch(33, 100), whole_batch(33, 8)) == (33, 6)
    with pytest.raises(DataError, match=r"^train: 2 training samples cannot be shared by 3 processes"):
        whole_batch(33, 2)
