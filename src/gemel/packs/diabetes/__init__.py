"""Type 1 diabetes: the person's twin, its streams, agents, guards, scenarios and metrics."""

from importlib.resources import files
from typing import Any

from gemel.packs.diabetes.agents import AGENTS as PERSON_AGENTS
from gemel.packs.diabetes.control.live import TOOLS as CONTROL_TOOLS
from gemel.packs.diabetes.person import Person as Person
from gemel.packs.diabetes.play import TOOLS as PLAY_TOOLS
from gemel.packs.diabetes.pump_sink import Pump as Pump
from gemel.packs.diabetes.replay import TOOLS as REPLAY_TOOLS
from gemel.packs.diabetes.replay import replay as replay
from gemel.packs.diabetes.reports import PAPERS as PERSON_PAPERS
from gemel.packs.diabetes.scenarios import ArtificialPancreas as ArtificialPancreas
from gemel.packs.diabetes.scenarios import basal as basal
from gemel.packs.diabetes.scenarios import bolus as bolus
from gemel.packs.diabetes.scenarios import bolus_lead as bolus_lead
from gemel.packs.diabetes.scenarios import bolus_scale as bolus_scale
from gemel.packs.diabetes.scenarios import illness as illness
from gemel.packs.diabetes.scenarios import meal as meal
from gemel.packs.diabetes.scenarios import sport as sport
from gemel.packs.diabetes.scenarios import stress as stress
from gemel.packs.diabetes.streams import detect as detect
from gemel.packs.diabetes.sunny import TOOLS as SUNNY_TOOLS
from gemel.packs.diabetes.sunny import sunny as sunny
from gemel.packs.diabetes.team import ROLES as TEAM
from gemel.packs.diabetes.telling import TOOLS as TELLING_TOOLS

TYPES = (Person,)


def identify(*args: Any, **kwargs: Any) -> Any:
    """Personalise a twin from many days at once: `personal.identify`."""
    from gemel.packs.diabetes.personal import identify as identified  # its compiled code is not needed elsewhere

    return identified(*args, **kwargs)


PERSONAL = {Person.name: identify}
ROLES = {Person.name: TEAM}
TOOLS = {Person.name: (*PLAY_TOOLS, *REPLAY_TOOLS, *CONTROL_TOOLS, *SUNNY_TOOLS, *TELLING_TOOLS)}
COMPANIONS = {Person.name: sunny()}
PAPERS = {Person.name: PERSON_PAPERS}
AGENTS = {Person.name: PERSON_AGENTS}
COLD_STARTS = (files(__name__).joinpath("cold_start.json"),)
"""What its twins begin with before they have a past of their own; made by `python -m gemel.packs.diabetes.cold_start`."""
