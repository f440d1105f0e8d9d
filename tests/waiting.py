"""How long a test waits for what happens elsewhere: until it has happened."""

HANG_S = 600.0
"""Longer than anything takes on the busiest machine: whatever takes so long hangs.

Below the limit that pytest sets for a test, so that the test itself says what it waited for.
"""
