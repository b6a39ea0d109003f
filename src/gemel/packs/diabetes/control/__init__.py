"""Controllers of insulin delivery behind one seam. Research software, not a medical device."""

from gemel.packs.diabetes.control.seam import Controller as Controller
from gemel.packs.diabetes.control.seam import Foreseen as Foreseen
from gemel.packs.diabetes.control.seam import Moment as Moment
from gemel.packs.diabetes.control.seam import Order as Order
from gemel.packs.diabetes.control.seam import Profile as Profile
