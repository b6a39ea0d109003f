"""The real counterpart, for demos and tests: virtual patients after UVA/Padova S2008, their sensors and pumps."""

from gemel.packs.diabetes.asset.cgm import CGM as CGM
from gemel.packs.diabetes.asset.cgm import Breton2008 as Breton2008
from gemel.packs.diabetes.asset.cgm import Vettoretti2019 as Vettoretti2019
from gemel.packs.diabetes.asset.cgm import Vettoretti2019G6 as Vettoretti2019G6
from gemel.packs.diabetes.asset.individuals import is_synthetic as is_synthetic
from gemel.packs.diabetes.asset.individuals import parameters_of as parameters_of
from gemel.packs.diabetes.asset.individuals import sample as sample
from gemel.packs.diabetes.asset.individuals import subject as subject
from gemel.packs.diabetes.asset.individuals import subjects as subjects
from gemel.packs.diabetes.asset.living import Habits as Habits
from gemel.packs.diabetes.asset.living import habits_of as habits_of
from gemel.packs.diabetes.asset.person import LILY as LILY
from gemel.packs.diabetes.asset.person import Household as Household
from gemel.packs.diabetes.asset.person import Record as Record
from gemel.packs.diabetes.asset.person import VirtualPerson as VirtualPerson
from gemel.packs.diabetes.asset.person import virtual_days as virtual_days
from gemel.packs.diabetes.asset.pump import MODELS as MODELS
from gemel.packs.diabetes.asset.pump import Pump as Pump
from gemel.packs.diabetes.asset.pump import PumpModel as PumpModel
from gemel.packs.diabetes.asset.uva_padova import modules as modules
from gemel.packs.diabetes.asset.uva_padova import patient as patient
