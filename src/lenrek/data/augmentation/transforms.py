"""Every transform a policy may name: what its amount means, its limits, and which samples it means something for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lenrek.errors import OptionError

IMAGES, SIGNALS, ALL = (2, 3), (1,), (1, 2, 3)


@dataclass(frozen=True)
class Transform:
    """One kind of change.

    Attributes:
        name: the word in a policy's text.
        number: of its first random draw; 32 belong to it.
        meaning: of the amount, for error messages; empty where there is none.
        most: the largest amount; the smallest is above 0.
        done: what happens to a sample, for the report; `{}` is the amount.
        ndims: spatial axes of the samples it means something for.
        why: what other samples lack.
        colours: whether it needs three channels.
        geometric: whether it moves samples rather than changing their values.
        chance: with which it happens where none is given.
        open_end: `most` itself is too much.
        percent: `done` shows the amount in percent.
    """

    name: str
    number: int
    meaning: str
    most: float
    done: str
    ndims: tuple[int, ...] = ALL
    why: str = ""
    colours: bool = False
    geometric: bool = False
    chance: float = 1.0
    open_end: bool = False
    percent: bool = False

    @property
    def takes_amount(self) -> bool:
        return bool(self.meaning)

    def refusal(self, channels: int, size: Sequence[int]) -> str:
        """Why it means nothing for samples of so many channels and this size; empty where it does."""
        if len(size) not in self.ndims:
            return self.why
        if self.colours and channels != 3:
            return f"colours need 3 channels, but samples have {channels}.\n  Hint: leave {self.name} out."
        return ""


_TURN = "signals have one axis, and nothing to turn in.\n  Hint: leave {} out."
_GAIN = "signals have no brightness.\n  Hint: gain, in decibels, makes them louder or softer."
_WAVE = "only signals have {}.\n  Hint: {}."
_PICTURE = "this is for values between black and white.\n  Hint: leave {} out."


def _geometric(name: str, number: int, meaning: str, most: float, done: str, **more: object) -> Transform:
    return Transform(name, number, meaning, most, done, geometric=True, **more)  # type: ignore[arg-type]


def _picture(name: str, number: int, meaning: str, most: float, done: str, **more: object) -> Transform:
    return Transform(name, number, meaning, most, done, IMAGES, _PICTURE.format(name), **more)  # type: ignore[arg-type]


_ALL = (
    # Draws 0 to 31 are shared by shift and flip.
    _geometric("shift", 0, "a fraction of the axis", 1, "shifted by up to {} along each axis",
               open_end=True, percent=True),
    _geometric("flip", 16, "", 1, "mirrored left to right", chance=0.5, ndims=IMAGES,
               why="signals have no left and right.\n  Hint: leave flip out."),
    _geometric("flip_vertical", 32, "", 1, "mirrored top to bottom", chance=0.5, ndims=IMAGES,
               why="signals have no top and bottom.\n  Hint: leave flip_vertical out."),
    _geometric("flip_depth", 64, "", 1, "mirrored front to back", chance=0.5, ndims=(3,),
               why="only volumes have a front and a back.\n  Hint: leave flip_depth out."),
    _geometric("rotate", 96, "degrees", 180, "rotated by up to {}°", ndims=IMAGES, why=_TURN.format("rotate")),
    _geometric("scale", 128, "how much larger, as a fraction", 3, "made up to {} larger or as much smaller",
               percent=True),
    _geometric("shear", 160, "degrees", 60, "sheared by up to {}°", ndims=IMAGES, why=_TURN.format("shear")),
    _geometric("perspective", 192, "a fraction", 0.4, "seen in perspective (by up to {})", ndims=IMAGES,
               why=_TURN.format("perspective"), percent=True),
    _geometric("crop", 224, "the smallest share kept", 1, "cut to a part of {} of it or more, which is enlarged",
               open_end=True, percent=True),
    _geometric("elastic", 256, "a fraction of the axis", 0.2, "bent by up to {} of each axis", percent=True),
    _picture("autocontrast", 320, "", 1, "stretched to the full range of values"),
    _picture("equalize", 352, "", 1, "equalised, so that all values are equally common"),
    _picture("contrast", 384, "a fraction", 1, "changed in contrast by up to {}", percent=True),
    Transform("brightness", 416, "a fraction", 1, "made up to {} brighter or darker", IMAGES, _GAIN, percent=True),
    _picture("gamma", 448, "a fraction", 4, "changed in gamma by a factor of up to 1 + {}"),
    _picture("solarize", 480, "the share of values turned over", 1, "turned over in the upper {} of its values",
             percent=True),
    _picture("posterize", 512, "bits taken away", 7, "left up to {} bits fewer per value"),
    _picture("saturation", 544, "a fraction", 1, "changed in saturation by up to {}", colours=True, percent=True),
    _picture("hue", 576, "turns of the colour circle", 0.5, "turned in hue by up to {} of the circle", colours=True,
             percent=True),
    _picture("sharpness", 608, "a fraction", 1, "made up to {} sharper or softer", percent=True),
    Transform("gain", 640, "decibels", 40, "made up to {} dB louder or softer", SIGNALS,
              _WAVE.format("a loudness", "brightness is what images have")),
    Transform("blur", 672, "samples, the standard deviation", 20, "blurred over up to {} samples"),
    Transform("superimpose", 704, "the largest share", 0.5, "covered by up to {} of another sample", percent=True),
    Transform("noise", 736, "a fraction of the full scale", 1, "given Gaussian noise of up to {} of the full scale",
              percent=True),
    _picture("poisson", 768, "a fraction of the full scale", 1,
             "given Poisson noise, of up to {} of the full scale in white", percent=True),
    Transform("salt_pepper", 800, "the largest share", 0.5, "given up to {} of extreme values", percent=True),
    Transform("erase", 832, "the largest share", 0.9, "erased in a box of up to {} of it", IMAGES,
              "boxes are for images and volumes.\n  Hint: mask_time silences a part of a signal.", percent=True),
    Transform("mask_time", 864, "the largest share", 0.9, "silenced for up to {} of its time", SIGNALS,
              _WAVE.format("a time", "erase blanks a box of an image"), percent=True),
    Transform("mask_frequency", 896, "the largest share", 0.9, "without a band of up to {} of its frequencies",
              SIGNALS, _WAVE.format("frequencies to mask", "erase blanks a box of an image"), percent=True),
)  # fmt: skip
TRANSFORMS = {transform.name: transform for transform in _ALL}
CHANCE_DRAW = 31  # the last of a transform's draws: whether it happens
ON_DRAW = {"flip": 16, "flip_vertical": 32, "flip_depth": 64}  # where nothing but that is drawn
SELECT_DRAW = 1024  # which transforms of a random choice, one draw each; then how far they go
FLIPS = {"flip": -1, "flip_vertical": -2, "flip_depth": -3}  # the axis each turns over
RESAMPLING = tuple(t.name for t in _ALL if t.geometric and t.name not in (*FLIPS, "shift"))


def check_amount(name: str, amount: float) -> None:
    """Raise `OptionError` where the amount of transform `name` is out of its limits."""
    transform = TRANSFORMS[name]
    most, below = transform.most, "<" if transform.open_end else "≤"
    within = 0 < amount < most if transform.open_end else 0 < amount <= most
    if not within:
        raise OptionError(
            f"augmentation {name}={amount:g}: {transform.meaning} is expected, 0 < {name} {below} {most:g}."
        )
