"""Where chance comes from: one generator per question, so that no answer depends on another.

Whether a part is defective must not change how its surface looks, and frame 1000 must not need
frames 0 to 999 first. Every question therefore has numbers of its own.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Topic(IntEnum):
    """What is decided by chance."""

    PLACE = 0
    """Where a part lies on the belt."""
    FATE = 1
    """Which parts are defective."""
    TURN = 2
    """In which order the kinds of defect take turns."""
    SUBTLETY = 3
    """How hard a defect is to see."""
    SURFACE = 4
    """How a part looks, its defect apart."""
    DEFECT = 5
    """What a defect looks like."""
    TOOL = 6
    """What all parts of a line have in common."""
    BELT = 7
    """The belt's and the rails' texture."""
    LIGHT = 8
    """How the light drifts."""
    SENSOR = 9
    """The sensor's noise."""


def generator(seed: int, topic: Topic, number: int = 0) -> np.random.Generator:
    """A generator that gives the same numbers for the same arguments, each 0 or more."""
    return np.random.default_rng([seed, topic, number])
