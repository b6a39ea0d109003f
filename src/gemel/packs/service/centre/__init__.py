"""A contact centre with two sites: its simulated asset, and the network that its twin starts from."""
