"""Condition any dynamics on readings: `(belief, info)`."""

from gemel.assimilate.ensemble import Filter as Filter
from gemel.assimilate.ensemble import condition as condition
from gemel.assimilate.follow import Cycle as Cycle
from gemel.assimilate.follow import between as between
from gemel.assimilate.follow import cycles as cycles
from gemel.assimilate.follow import follow as follow
from gemel.assimilate.follow import step as step
from gemel.assimilate.identify import Search as Search
from gemel.assimilate.identify import identify as identify
from gemel.assimilate.residual import Learning as Learning
from gemel.assimilate.residual import Lessons as Lessons
from gemel.assimilate.residual import Residual as Residual
from gemel.assimilate.residual import Spread as Spread
from gemel.assimilate.residual import learn as learn
from gemel.assimilate.residual import spread as spread
