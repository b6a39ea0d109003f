"""Sunny: the companion of a person with diabetes, who answers with what the twin's tools say and nothing else."""

from gemel.packs.diabetes.sunny.numbers import unfounded as unfounded
from gemel.packs.diabetes.sunny.talk import Sunny as Sunny
from gemel.packs.diabetes.sunny.talk import sunny as sunny
from gemel.packs.diabetes.sunny.tools import TOOLS as TOOLS
