"""Comparing pictures: what differs between their settings and results."""
