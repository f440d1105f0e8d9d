"""How the sound and the picture of one WebRTC connection belong together.

Each has a clock of its own that begins anywhere. The sender's reports (RTCP SR) tell what time of
the sender's a moment of either is; until the first ones have come, what arrived first of each
counts as the same moment.
"""

from __future__ import annotations

import time
from typing import Any

_NTP = 1 << 32  # units of a second in a sender report


class RtpClock:
    """Learns where the clock of one stream begins.

    aiortc keeps neither the first time stamp nor the reports, so its receiver is listened to: its
    methods `_handle_rtp_packet` and `_handle_rtcp_packet`, which are not documented, written for
    1.16.

    Args:
        receiver: aiortc's, before anything has come.
        rate: Time stamps a second.
    """

    def __init__(self, receiver: Any, rate: int) -> None:
        self._rate = rate
        self._first: int | None = None
        self._first_s = 0.0
        self._begin_s: float | None = None
        take_packet, take_report = receiver._handle_rtp_packet, receiver._handle_rtcp_packet

        async def on_packet(packet: Any, arrival_time_ms: int) -> None:
            if self._first is None:
                self._first, self._first_s = packet.timestamp, time.perf_counter()
            await take_packet(packet, arrival_time_ms=arrival_time_ms)

        async def on_report(packet: Any) -> None:
            report = getattr(packet, "sender_info", None)
            if report is not None:
                self.report(report.ntp_timestamp, report.rtp_timestamp)
            await take_report(packet)

        receiver._handle_rtp_packet, receiver._handle_rtcp_packet = on_packet, on_report

    def report(self, ntp_timestamp: int, rtp_timestamp: int) -> None:
        """Take a sender's word on what time it was at one of this stream's time stamps.

        The first one counts: both streams are of one machine, whose clocks do not drift apart.
        """
        if self._first is not None and self._begin_s is None:
            passed = (rtp_timestamp - self._first + (1 << 31)) % (1 << 32) - (1 << 31)
            self._begin_s = ntp_timestamp / _NTP - passed / self._rate

    def ahead_of_s(self, other: RtpClock) -> float:
        """Return how many seconds later than the other stream this one began."""
        if self._begin_s is None or other._begin_s is None:
            return self._first_s - other._first_s
        return self._begin_s - other._begin_s
