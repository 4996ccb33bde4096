"""How much of a mixed sample is its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from lenrek.data.augmentation.words import number_text
from lenrek.errors import OptionError


@dataclass(frozen=True)
class Ratio:
    """λ, drawn from a Beta distribution or fixed.

    Attributes:
        amount: alpha of Beta(alpha, alpha), where 1 draws every λ alike and 0.2 mostly near 0 or 1; or λ itself.
        fixed: which of the two.
    """

    amount: float
    fixed: bool = False

    @classmethod
    def parse(cls, value: Any, name: str) -> Ratio:
        """A number (alpha), its text, or "lambda=0.3"; `name` is the option's, for the message.

        Raises:
            OptionError: no positive number, or a fixed λ that is not between 0 and 1.
        Example:
            >>> Ratio.parse("0.4", "mixup"), str(Ratio.parse("lambda=0.30", "mixup"))
            (Ratio(amount=0.4, fixed=False), 'lambda=0.3')
        """
        word, _, number = str(value).replace(" ", "").rpartition("=")
        try:
            amount = float(number)
        except ValueError:
            amount = math.nan
        if word not in ("", "alpha", "lambda") or not 0 < amount < (1 if word == "lambda" else math.inf):
            raise OptionError(
                f"train: {name} is {str(value)!r}, but must be the alpha of Beta(alpha, alpha), a number above 0 "
                "such as 0.4, or a fixed share between 0 and 1, such as lambda=0.3."
            )
        return cls(amount, fixed=word == "lambda")

    def __str__(self) -> str:
        return f"{'lambda=' if self.fixed else ''}{number_text(self.amount)}"

    def draw(self, random: np.random.Generator) -> float:
        """λ in [0, 1]."""
        return self.amount if self.fixed else float(random.beta(self.amount, self.amount))

    def describe(self) -> str:
        """For the log.

        >>> Ratio(0.4).describe(), Ratio(0.3, fixed=True).describe()
        ('λ drawn from Beta(0.4, 0.4) for every step', 'λ = 0.3')
        """
        amount = number_text(self.amount)
        return f"λ = {amount}" if self.fixed else f"λ drawn from Beta({amount}, {amount}) for every step"
