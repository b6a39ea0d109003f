"""Exercise on glucose, from heart rate and steps: Dalla Man et al. 2009 (10.1177/193229680900300107), after Breton 2008.

Two memories: `short` follows the heart rate above rest within minutes (uptake without insulin), `work` gathers it while the
body works and fades over ten hours (more effect of insulin). The paper has two states for the second, whose product acts
(Z that rises to 1 and fades, and W, beats since the bout began, to be set back when Z is over); `work` is that product as one
state, which fades between bouts and never needs to be set back.
"""

from __future__ import annotations

import math

from gemel.dynamics import Array
from gemel.model import Module, Output, Parameter, State
from gemel.model.module import Values

SOURCE = "10.1177/193229680900300107, by LoopInsighT1"

STEPS_BRISK = 100.0
"""Steps a minute of walking at three times the metabolism of rest (10.1136/bjsports-2017-097628)."""

BRISK_SHARE = 0.3
"""The share of the way from rest to the highest heart rate that brisk walking takes: judgement."""


def exercise() -> Module:
    """Return what exercise does to the uptake of glucose, from the heart rate above rest."""
    return Module(
        name="exercise",
        reads={"heart.above_rest": "bpm"},
        states={
            "exercise.short": State("bpm", 0.0, low=0.0),
            "exercise.work": State("bpm * min", 0.0, low=0.0),
        },
        parameters={
            "heart.rest": Parameter("bpm", 65.0, individual=True, source="judgement; 60 in LoopInsighT1"),
            "exercise.onset": Parameter("min", 5.0, source=SOURCE),
            "exercise.afterglow": Parameter("min", 600.0, source=SOURCE),
            "exercise.threshold": Parameter("", 0.1, source=SOURCE),
            "exercise.steepness": Parameter("", 4.0, source=SOURCE),
            "exercise.beta": Parameter("1/bpm", 0.01, source=SOURCE),
            "exercise.alpha": Parameter("1/bpm/min", 3e-4, source=SOURCE),
            "exercise.gamma": Parameter("L/pmol/bpm/min", 1e-7, source=SOURCE),
        },
        outputs={"exercise.uptake": Output(""), "exercise.gain": Output(""), "exercise.affinity": Output("L/pmol")},
        output=lambda v: {
            "exercise.uptake": v["exercise.beta"] * v["exercise.short"],
            "exercise.gain": v["exercise.alpha"] * v["exercise.work"],
            "exercise.affinity": v["exercise.gamma"] * v["exercise.work"],
        },
        change=lambda v: {
            "exercise.short": (v["heart.above_rest"] - v["exercise.short"]) / v["exercise.onset"],
            "exercise.work": _working(v) * v["heart.above_rest"] - v["exercise.work"] / v["exercise.afterglow"],
        },
    )


def _working(v: Values) -> Array:
    """Return how much the body counts as working, 0 to 1."""
    effort = (v["exercise.short"] / (v["exercise.threshold"] * v["heart.rest"])) ** v["exercise.steepness"]
    return effort / (1.0 + effort)


def above_rest(heart_rate: float, steps_per_min: float, rest: float, highest: float) -> float:
    """Return the heart rate above *rest*, bpm, from what a watch says; steps stand in where the rate is missing (NaN)."""
    if math.isnan(heart_rate):
        walked = 0.0 if math.isnan(steps_per_min) else steps_per_min / STEPS_BRISK * BRISK_SHARE
        return min(walked, 1.0) * (highest - rest)
    return max(heart_rate - rest, 0.0)
