"""Services: customer journeys, queues and staff, from an event log to a live forecast that prevents the failure."""
