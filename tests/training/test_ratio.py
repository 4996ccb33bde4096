"""How a user says how much is mixed."""

import re

import numpy as np
import pytest

from lenrek.errors import OptionError
from lenrek.training.ratio import Ratio


@pytest.mark.parametrize(
    ("given", "ratio", "text"),
    [
        (0.2, Ratio(0.2), "0.2"),
        ("0.2", Ratio(0.2), "0.2"),
        ("alpha=1", Ratio(1.0), "1"),
        ("lambda = 0.30", Ratio(0.3, fixed=True), "lambda=0.3"),
        ("32", Ratio(32.0), "32"),
    ],
)
def test_parsed_and_written(given: object, ratio: Ratio, text: str) -> None:
    assert Ratio.parse(given, "mixup") == ratio
    assert str(ratio) == text
    assert Ratio.parse(str(ratio), "mixup") == ratio


@pytest.mark.parametrize(
    "given", ["0", "-0.1", "nan", "inf", "lambda=1", "lambda=0", "lambda=-0.5", "beta=0.2", "much", "", "lambda=", 0]
)
def test_refused(given: object) -> None:
    message = (
        f"train: cutmix is '{given}', but must be the alpha of Beta(alpha, alpha), a number above 0 such as 0.4, "
        "or a fixed share between 0 and 1, such as lambda=0.3."
    )
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        Ratio.parse(given, "cutmix")


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_draws_have_the_moments_of_beta(alpha: float) -> None:
    random = np.random.default_rng(4)
    drawn = np.array([Ratio(alpha).draw(random) for _ in range(20_000)])
    variance = 1 / (4 * (2 * alpha + 1))  # of Beta(α, α): α² / ((2α)² (2α + 1))
    assert drawn.mean() == pytest.approx(0.5, abs=4 * (variance / 20_000) ** 0.5)
    assert drawn.var() == pytest.approx(variance, rel=0.03)


def test_a_fixed_one_is_not_drawn() -> None:
    random = np.random.default_rng(4)
    state = random.bit_generator.state
    assert [Ratio(0.3, fixed=True).draw(random) for _ in range(3)] == [0.3, 0.3, 0.3]
    assert random.bit_generator.state == state
