"""Roll beliefs out under plans, and score what was said against what came."""

from gemel.simulate.difference import Rates as Rates
from gemel.simulate.difference import difference as difference
from gemel.simulate.difference import rate_at as rate_at
from gemel.simulate.forecast import samples as samples
from gemel.simulate.forecast import sensed as sensed
from gemel.simulate.forecast import summarise as summarise
from gemel.simulate.forecast import with_noise as with_noise
from gemel.simulate.rollout import steered as steered
