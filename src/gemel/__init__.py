"""Gemel: live digital twins of people and of the services around them. One door: the nouns and verbs."""

from gemel import streams as streams
from gemel.bank import Bank as Bank
from gemel.bank import Fork as Fork
from gemel.bank import Proposal as Proposal
from gemel.bank import Twin as Twin
from gemel.consent import Grant as Grant
from gemel.dynamics import Belief as Belief
from gemel.dynamics import Dose as Dose
from gemel.dynamics import Reading as Reading
from gemel.errors import BadInput as BadInput
from gemel.errors import GemelError as GemelError
from gemel.errors import Refused as Refused
from gemel.experiment import Comparison as Comparison
from gemel.experiment import backtest as backtest
from gemel.experiment import compare as compare
from gemel.facts import Fact as Fact
from gemel.intervention import Forecast as Forecast
from gemel.intervention import Intervention as Intervention
from gemel.intervention import Scenario as Scenario
from gemel.loop import Agent as Agent
from gemel.loop import live as live
from gemel.twintype import TwinType as TwinType
