"""A hospital's patient flow with a scanner whose maintenance is due: its simulated asset, and its twin's network."""
