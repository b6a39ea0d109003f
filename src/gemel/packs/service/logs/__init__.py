"""Logs in and out: XES, CSV and OCEL 2.0, read as streams; what is wrong in them is said, never mended in silence."""

from gemel.packs.service.logs.door import open_log as open_log
from gemel.packs.service.logs.door import read_log as read_log
from gemel.packs.service.logs.events import from_events as from_events
from gemel.packs.service.logs.repairs import Read as Read
from gemel.packs.service.logs.repairs import Repair as Repair
from gemel.packs.service.logs.repairs import Repairs as Repairs
from gemel.packs.service.logs.write import write_ocel_json as write_ocel_json
from gemel.packs.service.logs.write import write_ocel_sqlite as write_ocel_sqlite
from gemel.packs.service.logs.write import write_xes as write_xes
from gemel.streams.envelope import event_of as event_of
from gemel.streams.envelope import payload_of as payload_of
