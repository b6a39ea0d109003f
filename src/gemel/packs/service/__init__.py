"""Services: customer journeys, queues and staff, from an event log to a live forecast that prevents the failure."""

TYPES = ()
"""Types of services are made from data: `gemel discover` makes one from a log."""
