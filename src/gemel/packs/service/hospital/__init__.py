"""A hospital's patient flow with a scanner whose maintenance is due: its simulated asset, and its twin's network."""

from gemel.packs.service.hospital.means import MEANS as MEANS
from gemel.packs.service.hospital.network import promised as promised
