"""Where data on a person with diabetes comes from: whatever `detect` recognises, and its sources one by one."""

from gemel.packs.diabetes.sources import UNITS as UNITS
from gemel.packs.diabetes.sources import detect as detect
from gemel.packs.diabetes.sources import uc_ht_t1dm as uc_ht_t1dm
