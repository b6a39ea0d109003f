"""Gemel: live digital twins."""
