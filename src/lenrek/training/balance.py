"""Classes of unequal size: how often the samples of each come in an epoch, or how much they weigh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lenrek.data.augmentation.policy import Policy
from lenrek.data.shown import counted
from lenrek.errors import OptionError
from lenrek.training.order import epoch_order

UNEQUAL = 3  # times as many samples of the largest class as of the smallest: from here on balancing is suggested
MOST_NAMED = 20  # classes in a sentence


@dataclass(frozen=True)
class ClassBalance:
    """The training part, and what is done about the sizes of its classes.

    - none: nothing.
    - loss: a sample's loss is multiplied by n / (classes · samples of its class), which is 1 on average.
    - sampling: an epoch has as many samples as there are, equally many of every class: of large ones some are left
      out, others in each epoch; those of small ones come several times.
    - synthesis: all samples come, those of smaller classes again and again until each class has as many as the
      largest. An epoch is longer for that.

    A sample that comes again in an epoch is augmented with draws of its own. Classes without samples are left out.

    Attributes:
        index: source indices.
        labels: theirs.
        classes: names.
        seed: of the order.
    """

    mode: str
    index: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    seed: int

    @property
    def counts(self) -> np.ndarray:
        """Samples of each class."""
        return np.bincount(self.labels, minlength=len(self.classes))

    @property
    def is_equal(self) -> bool:
        """Whether all classes (that there are) have as many samples."""
        counts = self.counts[self.counts > 0]
        return bool((counts == counts[0]).all())

    @property
    def num_samples(self) -> int:
        """Of an epoch."""
        counts = self.counts
        return int(counts.max() * np.count_nonzero(counts)) if self.mode == "synthesis" else len(self.index)

    @property
    def class_weights(self) -> np.ndarray | None:
        """(classes,) float64, factors of the loss; None: all alike."""
        if self.mode != "loss":
            return None
        counts = self.counts
        return np.divide(
            len(self.labels), np.count_nonzero(counts) * counts, out=np.zeros(len(counts)), where=counts > 0
        )

    def order(self, epoch: int) -> np.ndarray:
        """Source indices in the order of this epoch, over all processes."""
        if self.mode in ("none", "loss"):
            return epoch_order(self.index, self.seed, epoch)
        random = np.random.default_rng((self.seed, epoch))
        present = np.flatnonzero(self.counts)
        if self.mode == "synthesis":
            wanted = np.full(len(present), self.counts.max())
        else:
            each, over = divmod(len(self.index), len(present))
            wanted = each + (random.permutation(len(present)) < over)
        chosen = []
        for label, number in zip(present, wanted.tolist(), strict=True):
            members = self.index[self.labels == label]
            again, some = divmod(number, len(members))
            chosen += [np.tile(members, again), random.choice(members, some, replace=False)]
        return random.permutation(np.concatenate(chosen))

    def check(self, policy: Policy, channels: int, size: tuple[int, ...]) -> None:
        """Make sure that balancing changes something.

        Raises:
            OptionError: all classes have equally many samples; synthesis where nothing changes the samples of a class
                that come again.
        """
        if self.mode == "none":
            return
        counts = self.counts
        if self.is_equal:
            number = counted(int(counts.max()), "training sample")
            raise OptionError(
                f"train: balance {self.mode} has no effect: each class has {number}.\n  Hint: leave it out."
            )
        if self.mode != "synthesis":
            return
        for name, count in zip(self.classes, counts.tolist(), strict=True):
            if 0 < count < counts.max():
                fitted = policy.fitted(channels, size, name)
                if not fitted.steps and not fitted.choices:
                    raise OptionError(
                        f"train: balance synthesis makes more samples of {name} by augmentation, but augmentation "
                        f"{policy} leaves them as they are.\n"
                        "  Hint: pass --augment standard, or --balance sampling."
                    )

    def describe(self) -> str:
        """A sentence for the log and the report; empty where there is nothing to say."""
        counts = self.counts
        most, least = int(counts.argmax()), int(np.where(counts, counts, counts.max()).argmin())
        if self.mode == "none":
            if counts[most] <= UNEQUAL * counts[least]:
                return ""
            return (
                f"The classes are unequal, {self._counts_text()}: the rarer, the less a class counts. "
                "With --balance loss, sampling or synthesis all count alike."
            )
        each, over = divmod(len(self.index), np.count_nonzero(counts))
        if (weights := self.class_weights) is not None:
            how = (
                f"each sample's loss is weighted by the rarity of its class, from {weights[most]:.3g} "
                f"({self.classes[most]}) to {weights[least]:.3g} ({self.classes[least]}), 1 on average"
            )
        elif self.mode == "sampling":
            share = f"{each:,}{f' or {each + 1:,}' if over else ''}"
            how = f"of the {len(self.index):,} samples of an epoch {share} are of each class"
        else:
            how = (
                f"samples of rarer classes come again, each time changed differently, until each class has "
                f"{counts[most]:,}, so that an epoch has {self.num_samples:,} samples"
            )
        return (
            f"Balanced by {self.mode}: {how}; training samples are {self._counts_text()}. "
            "The epoch is chosen on balanced validation accuracy."
        )

    def _counts_text(self) -> str:
        counts = self.counts
        which = np.argsort(-counts, kind="stable")
        if len(which) > MOST_NAMED:
            which = which[[0, -1]]
        named = [f"{counts[label]:,} of {self.classes[label]}" for label in which]
        return f"{' to '.join(named)}" if len(counts) > MOST_NAMED else ", ".join(named)
