"""Continuous dynamics: modules that meet only in the global state, compiled with JAX."""

from gemel.model.composite import Composite as Composite
from gemel.model.composite import Input as Input
from gemel.model.composite import Sensor as Sensor
from gemel.model.module import Balance as Balance
from gemel.model.module import Module as Module
from gemel.model.module import Output as Output
from gemel.model.module import Parameter as Parameter
from gemel.model.module import State as State
