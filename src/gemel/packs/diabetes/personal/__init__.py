"""The twin of one person with diabetes, identified from many days at once. Research software, not a medical device."""

from gemel.packs.diabetes.personal.ahead import confidence as confidence
from gemel.packs.diabetes.personal.ahead import disturbances as disturbances
from gemel.packs.diabetes.personal.ahead import foreseen as foreseen
from gemel.packs.diabetes.personal.ahead import foretell as foretell
from gemel.packs.diabetes.personal.ahead import replay as replay
from gemel.packs.diabetes.personal.clocks import Clock as Clock
from gemel.packs.diabetes.personal.clocks import clock_of as clock_of
from gemel.packs.diabetes.personal.clocks import put_right as put_right
from gemel.packs.diabetes.personal.days import Day as Day
from gemel.packs.diabetes.personal.days import day_at as day_at
from gemel.packs.diabetes.personal.days import days_of as days_of
from gemel.packs.diabetes.personal.days import usual_basal as usual_basal
from gemel.packs.diabetes.personal.evidence import Foretold as Foretold
from gemel.packs.diabetes.personal.habits import Habits as Habits
from gemel.packs.diabetes.personal.habits import learned as learned
from gemel.packs.diabetes.personal.report import identify as identify
from gemel.packs.diabetes.personal.stored import body as body
from gemel.packs.diabetes.personal.stored import from_body as from_body
from gemel.packs.diabetes.personal.twin import Personal as Personal
from gemel.packs.diabetes.personal.twin import personalise as personalise
from gemel.packs.diabetes.personal.twin import update as update
