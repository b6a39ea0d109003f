"""Kernel: what happens next, one event after another, until the end of the span; compiled.

Events wait in a heap, ordered by time, kind and sequence number, so that ties fall the same way in any run. An event's place
at the top stays open while it is handled: the first event that follows from it takes that place. Events are not taken back: a
service that was interrupted, or patience that was not needed, is known by its number, which the token no longer bears.
"""

from __future__ import annotations

from gemel.process.kernel.codes import CHOICE as CHOICE
from gemel.process.kernel.codes import DELAY as DELAY
from gemel.process.kernel.codes import JOIN as JOIN
from gemel.process.kernel.codes import OK as OK
from gemel.process.kernel.codes import POOL_GAUGES as POOL_GAUGES
from gemel.process.kernel.codes import SPLIT as SPLIT
from gemel.process.kernel.codes import STATION_GAUGES as STATION_GAUGES
from gemel.process.kernel.codes import TASK as TASK
from gemel.process.kernel.codes import WHOLE_GAUGES as WHOLE_GAUGES
from gemel.process.kernel.loop import members as members
