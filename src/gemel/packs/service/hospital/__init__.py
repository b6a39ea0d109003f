"""A hospital's patient flow with a scanner whose maintenance is due: its simulated asset, and its twin's network."""

from gemel.packs.service.hospital.means import due as due
from gemel.packs.service.hospital.means import help_now as help_now
from gemel.packs.service.hospital.network import promised as promised
