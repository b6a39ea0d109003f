"""Streams: what sources say about the asset (files, live topics), and sinks that carry decisions to it."""

from gemel.streams.check import Imported as Imported
from gemel.streams.check import checked as checked
from gemel.streams.check import collect as collect
from gemel.streams.contract import Item as Item
from gemel.streams.contract import Live as Live
from gemel.streams.contract import Place as Place
from gemel.streams.contract import Sink as Sink
from gemel.streams.contract import Source as Source
from gemel.streams.contract import Watched as Watched
from gemel.streams.contract import key_of as key_of
from gemel.streams.contract import told as told
from gemel.streams.contract import withdraws as withdraws
from gemel.streams.csv_table import CsvMap as CsvMap
from gemel.streams.csv_table import csv as csv
from gemel.streams.csv_table import csv_by as csv_by
from gemel.streams.csv_table import read_map as read_map
from gemel.streams.happening import happened as happened
from gemel.streams.mqtt_live import mqtt as mqtt
from gemel.streams.mqtt_live import mqtt_sink as mqtt_sink
from gemel.streams.nightscout_any import nightscout as nightscout
from gemel.streams.report import Gap as Gap
from gemel.streams.report import Report as Report
