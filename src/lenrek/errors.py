"""Every error lenrek shows to a user: who, what was given, what was expected with the arithmetic, and the fix.

All are `ValueError`s, so code that already guards against bad values keeps working. The command line prints the message
and nothing else; anything that is not a `LenrekError` there is a bug of ours.
"""


class LenrekError(ValueError):
    """Base of every error that is about what the user gave."""


class ShapeError(LenrekError):
    """Sizes, channels or window parameters that do not fit together."""


class DataError(LenrekError):
    """A source of samples that is missing, empty, damaged or contradicts itself."""


class ModelError(LenrekError):
    """An unknown architecture, or one asked for what it cannot be."""


class CheckpointError(LenrekError):
    """A model or checkpoint file that is cut short, altered, or made for another network."""


class StoreError(LenrekError):
    """A store of vectors that is missing, damaged, being written by another, or made with another network."""


class OptionError(LenrekError):
    """An option that is out of range, contradicts another, or would have no effect."""
