"""Policies that come with lenrek: what each does to images, signals and volumes."""

from __future__ import annotations

# By number of spatial axes. What means nothing for the samples at hand (colours of grey images, a shift of less than
# one sample) is left out of these.
READY: dict[str, dict[int, str]] = {
    "none": dict.fromkeys((1, 2, 3), ""),
    "light": {
        1: "shift=0.05,gain=3",
        2: "shift=0.06,rotate=5,scale=0.05,brightness=0.1,contrast=0.1",
        3: "shift=0.06,rotate=5,scale=0.05",
    },
    "standard": {
        1: "shift=0.1,scale=0.08,gain=6,noise=0.005@0.5",
        2: "shift=0.08,rotate=12,scale=0.12,flip,brightness=0.2,contrast=0.2,saturation=0.2,hue=0.02",
        3: "shift=0.08,rotate=12,scale=0.12,flip,brightness=0.1,contrast=0.1",
    },
    "strong": {
        1: "shift=0.2,scale=0.15,gain=10,noise=0.02@0.5,mask_time=0.15@0.5,mask_frequency=0.15@0.5",
        2: "shift=0.1,rotate=20,scale=0.25,shear=8,perspective=0.1,elastic=0.03@0.3,flip,brightness=0.4,contrast=0.4,"
        "gamma=0.3,saturation=0.4,hue=0.04,blur=1@0.1,noise=0.04@0.2,erase=0.2@0.5",
        3: "shift=0.1,rotate=25,scale=0.2,shear=8,elastic=0.03@0.3,flip,brightness=0.2,contrast=0.2,noise=0.03@0.3,"
        "erase=0.15@0.5",
    },
}
# Chosen from at random for every sample. Amounts are those of the highest level, 30.
CHOICES: dict[str, dict[int, str]] = {
    "randaugment": {
        1: "shift=0.3,scale=0.3,gain=12,noise=0.05,mask_time=0.3,mask_frequency=0.3",
        2: "shift=0.45,rotate=30,shear=16.7,brightness=0.9,contrast=0.9,saturation=0.9,sharpness=0.9,posterize=4,"
        "solarize=1,autocontrast,equalize",
        3: "shift=0.45,rotate=30,shear=16.7,brightness=0.9,contrast=0.9,sharpness=0.9",
    },
    "trivialaugment": {
        1: "shift=0.5,scale=0.5,gain=20,noise=0.1,mask_time=0.5,mask_frequency=0.5",
        2: "shift=0.9,rotate=135,shear=44.7,brightness=0.99,contrast=0.99,saturation=0.99,sharpness=0.99,posterize=6,"
        "solarize=1,autocontrast,equalize",
        3: "shift=0.9,rotate=135,shear=44.7,brightness=0.99,contrast=0.99,sharpness=0.99",
    },
}
COUNT = {"randaugment": 2, "trivialaugment": 1}  # transforms per sample
LEVELS = 30
RANDAUGMENT_LEVEL = 9  # of 30; TrivialAugment draws it
NAMES = (*READY, *CHOICES)
