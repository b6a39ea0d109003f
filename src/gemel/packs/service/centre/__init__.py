"""A contact centre with two sites: its simulated asset, and the network that its twin starts from."""

from gemel.packs.service.centre import means as means
from gemel.packs.service.centre.network import promised as promised
