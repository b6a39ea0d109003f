"""Testing: the contract suites that every back end and pack runs."""
