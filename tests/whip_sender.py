"""A program that pushes by WebRTC as OBS does: `python whip_sender.py URL [--sound] [--end N]`.

Sends the pictures of `sender.py`, which flash at the beginning of each second, and beeps beside
them, until it is killed or N pictures are sent. Its offer names no candidates, as that of OBS.
"""

import argparse
import asyncio
import re
import sys
from fractions import Fraction

import aiohttp
import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from sender import BEEP_S, RATE, picture_of

SOUND_RATE = 48_000
_BLOCK = SOUND_RATE // 50
_START_S = 0.2


class Paced(MediaStreamTrack):
    """Something every ``step_s``, by the clock that both tracks share."""

    def __init__(self, step_s):
        super().__init__()
        self.index = -1
        self._step_s = step_s

    async def next(self):
        loop = asyncio.get_running_loop()
        Paced.began = Paced.began or loop.time() + _START_S
        self.index += 1
        await asyncio.sleep(Paced.began + self.index * self._step_s - loop.time())

    began = None


class Picture(Paced):
    kind = "video"

    async def recv(self):
        await self.next()
        picture = picture_of(self.index, 160, 120, False)
        if self.index % RATE < BEEP_S * RATE:
            np.frombuffer(picture.planes[0], np.uint8)[:] = 235
        picture.pts, picture.time_base = self.index, Fraction(1, RATE)
        return picture


class Sound(Paced):
    kind = "audio"

    async def recv(self):
        await self.next()
        seconds = (self.index * _BLOCK + np.arange(_BLOCK)) / SOUND_RATE
        wave = np.sin(2 * np.pi * 1000 * seconds) * (seconds % 1 < BEEP_S)
        frame = av.AudioFrame.from_ndarray(
            (2e4 * wave).astype(np.int16)[None], format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts = SOUND_RATE, self.index * _BLOCK
        frame.time_base = Fraction(1, SOUND_RATE)
        return frame


async def push(options):
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    picture = Picture(1 / RATE)
    peer.addTrack(picture)
    if options.sound:
        peer.addTrack(Sound(1 / 50))
    await peer.setLocalDescription(await peer.createOffer())
    bare = re.sub(r"a=(candidate|end-of-candidates).*\r\n", "", peer.localDescription.sdp)
    headers = {"Content-Type": "application/sdp"}
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.post(options.url, data=bare, headers=headers) as response:
                    if response.status != 201:
                        sys.exit(f"{response.status} {await response.text()}")
                    answer, session = await response.text(), response.headers["Location"]
                    break
            except aiohttp.ClientConnectionError:  # the receiver is still on its way
                await asyncio.sleep(0.1)
        await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        while not options.end or picture.index < options.end:
            await asyncio.sleep(0.05)
        async with http.delete(f"http://{options.url.split('/')[2]}{session}"):
            await peer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--sound", action="store_true")
    parser.add_argument("--end", type=int, default=0, help="hang up after so many pictures")
    asyncio.run(push(parser.parse_args()))
