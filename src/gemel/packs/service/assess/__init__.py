"""Assess: from an event log to a guided assessment in five steps, with what the data say and what people must say."""
