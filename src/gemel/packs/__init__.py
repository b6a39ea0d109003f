"""Packs: one domain each, found by entry point; ours through the same door as anyone's."""
