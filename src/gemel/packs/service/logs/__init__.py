"""Logs in and out: XES, CSV and OCEL 2.0, read as streams; what is wrong in them is said, never mended in silence."""

from gemel.packs.service.logs.door import open_log as open_log
from gemel.packs.service.logs.door import read_log as read_log
from gemel.packs.service.logs.repairs import Read as Read
from gemel.packs.service.logs.repairs import Repair as Repair
from gemel.packs.service.logs.repairs import Repairs as Repairs
