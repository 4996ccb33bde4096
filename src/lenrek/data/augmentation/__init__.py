"""Random changes to training samples that leave their class as it is, applied to stored batches.

Every draw is a function of (seed, epoch, source index, number of the draw) and of nothing else, so a sample is changed
alike in any batch, on any rank, streamed or from memory, resumed or not.
"""

from lenrek.data.augmentation.policy import Policy
from lenrek.data.augmentation.steps import Rule, Step

__all__ = ["Policy", "Rule", "Step"]
