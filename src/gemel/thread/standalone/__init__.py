"""The verifier that travels with every export: one file, for strangers, without Gemel."""
