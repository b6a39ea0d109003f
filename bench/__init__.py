"""Benchmarks against peers: `python -m bench.NAME --json`, from the checkout."""
