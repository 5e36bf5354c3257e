"""How often to look at a request: a share of the time waited, and closer together when the end is near.

fal_client's default asks every 0.1 s, about 150 times for a picture of 16 s. Here the interval grows with the time
waited, so that the delay stays a small share of the whole, and shrinks when log lines tell that the end is near.
"""

from __future__ import annotations

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 1.5
SHARE = 0.15
"""The interval as a share of the time waited so far."""
NEAREST_SECONDS = 0.005


def next_interval(waited: float, fraction: float | None = None) -> float:
    """Seconds until the next look, `waited` seconds after the submit, with `fraction` (0 to 1) done if logs told."""
    interval = min(max(FIRST_SECONDS, waited * SHARE), LONGEST_SECONDS)
    if fraction is not None and 0.5 <= fraction < 1:
        # At a steady rate the rest takes this long. A log line is a step old and time in the queue counts as work, so
        # this is rather too long than too short: go a part of the way and look again.
        left = waited * (1 - fraction) / fraction
        interval = min(interval, max(NEAREST_SECONDS, 0.3 * left))
    return interval
