"""Minutes of live video from the servers of the field: `python tests/live_endurance.py`.

GStreamer's RTSP server, nginx for RTMP and HLS, and a camera that sends JPEGs, all at once, each
killed at half time and started again. Prints a table: whether counts add up, how far sound and
frames are apart at the end, and whether memory and latency stay flat by the rule of `flat.py`.
Exits with 1 where something does not hold. Wants ffmpeg, nginx with its RTMP module, and
GStreamer's RTSP server with Python's bindings.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from av_sync import flashes, offsets, pictures_of
from flat import latency_is_flat, memory_is_flat, rise
from network import free_port
from web_camera import MULTIPART, jpeg, part, steadily

RATE = 20
GAP_S = 4.0
NEAR_S = 0.5
STEP_S = 5.0
NGINX = """
worker_processes 1; daemon off; master_process off;
error_log {folder}/nginx.err warn; pid {folder}/nginx.pid;
load_module modules/ngx_rtmp_module.so;
events {{ worker_connections 64; }}
rtmp {{ server {{ listen 127.0.0.1:{rtmp}; chunk_size 4096; application live {{ live on; }}
  application hls {{ live on; hls on; hls_path {folder}/hls; hls_fragment 2s;
    hls_playlist_length 20s; }} }} }}
http {{ access_log off; client_body_temp_path {folder}/body;
  server {{ listen 127.0.0.1:{http}; location / {{ root {folder}/hls;
    types {{ application/vnd.apple.mpegurl m3u8; video/mp2t ts; }} }} }} }}
"""
RTSP = """
import sys, gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
server = GstRtspServer.RTSPServer(service=sys.argv[1], address="127.0.0.1")
factory = GstRtspServer.RTSPMediaFactory(shared=True)
factory.set_launch(
    "( udpsrc address=127.0.0.1 port=" + sys.argv[2] + " buffer-size=8388608 "
    "caps=video/mpegts ! tsdemux name=d "
    "d. ! queue ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=1 "
    "d. ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97 )"
)
server.get_mount_points().add_factory("/cam", factory)
server.attach(None)
GLib.MainLoop().run()
"""


def main() -> int:
    options = arguments()
    folder = Path(tempfile.mkdtemp())
    clip, coarse = folder / "clip.mkv", folder / "coarse.mkv"
    make_clip(clip, options.seconds, gop=RATE)
    make_clip(coarse, options.seconds, gop=250)  # as OBS sends it
    with Servers(folder, clip, coarse) as servers:
        runs = [Run(folder, name, servers) for name in servers.names]
        began = time.monotonic()
        halved = ended = False
        while any(run.process.poll() is None for run in runs):
            time.sleep(1)
            for run in runs:
                run.watch()
            if not halved and time.monotonic() - began > options.seconds / 2:
                halved = True
                servers.stop_senders()
                time.sleep(GAP_S)
                servers.start_senders()
            if time.monotonic() - began > options.seconds and not ended:
                ended = True
                for run in runs:
                    run.process.terminate()
    print(f"{options.seconds} s each, the sender killed at half time for {GAP_S:g} s\n")
    print(HEADINGS)
    print("|" + "---|" * (HEADINGS.count("|") - 1))
    for run in runs:
        print(run.row())
    faults = [fault for run in runs for fault in run.faults]
    print("\n" + ("\n".join(faults) or "flat: memory and latency of all; counts add up"))
    if options.keep:
        print(f"\nrecordings and reports: {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if faults else 0


def watched(record: Path, argv: list[str]) -> int:
    """Run a command, and note the latency (p95, ms) of every few seconds of it."""
    from stream.cli import main as deblur
    from stream.cli.live import ProgressLine
    from stream.stats import Histogram

    draw, found = ProgressLine.__call__, []
    before: dict[int, int] = {}
    due = time.monotonic() + STEP_S

    def on_progress(line, stats):
        nonlocal before, due
        draw(line, stats)
        if time.monotonic() >= due:
            due += STEP_S
            now, since = stats.latency.bins, Histogram()
            since.merge({each: count - before.get(each, 0) for each, count in now.items()})
            found.append(since.percentile_ms(95))
            before = now

    ProgressLine.__call__ = on_progress
    try:
        return deblur(argv)
    finally:
        record.write_text(json.dumps([each for each in found if each is not None]))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=600, help="of each source (default 600)")
    parser.add_argument("--keep", action="store_true", help="leave the recordings there")
    return parser.parse_args()


def make_clip(path: Path, seconds: int, gop: int) -> None:
    """A picture that flashes and a tone that beeps at the beginning of each second."""
    flash = f"drawbox=c=white:t=fill:enable='lt(mod(t,1),{2 / RATE})'"
    sound = "aevalsrc='0.7*sin(2*PI*1000*t)*lt(mod(t,1),0.1)':s=48000"
    subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-y"),
            *("-f", "lavfi", "-i", f"testsrc2=size=160x120:rate={RATE},{flash}"),
            *("-f", "lavfi", "-i", sound, "-t", str(seconds), "-c:a", "aac", "-g", str(gop)),
            *("-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"),
            *("-sc_threshold", "0", "-pix_fmt", "yuv420p", str(path)),
        ],
        check=True,
    )


class Servers:
    """All that sends, as processes of their own; the camera of JPEGs as threads."""

    def __init__(self, folder: Path, clip: Path, coarse: Path) -> None:
        self._ports = {name: free_port() for name in ("rtsp", "ts", "rtmp", "http", "jpeg")}
        rtmp = f"rtmp://127.0.0.1:{self._ports['rtmp']}"
        self.names = {
            "RTSP": f"rtsp://127.0.0.1:{self._ports['rtsp']}/cam",
            "RTMP": f"{rtmp}/live/key",
            "HLS": f"http://127.0.0.1:{self._ports['http']}/cam.m3u8",
            "MJPEG": f"http://127.0.0.1:{self._ports['jpeg']}/",
        }
        push = ["ffmpeg", "-v", "error", "-re", "-i"]
        transport = f"udp://127.0.0.1:{self._ports['ts']}?pkt_size=1316"
        there = ["-c", "copy", "-f", "flv"]
        self._argv = [
            ["/usr/bin/python3", "-c", RTSP, str(self._ports["rtsp"]), str(self._ports["ts"])],
            [*push, str(clip), *("-c", "copy", "-f", "mpegts"), transport],
            [*push, str(coarse), *there, f"{rtmp}/live/key"],
            [*push, str(clip), *there, f"{rtmp}/hls/cam"],
        ]
        (folder / "hls").mkdir()
        conf = folder / "nginx.conf"
        ports = {key: self._ports[key] for key in ("rtmp", "http")}
        conf.write_text(NGINX.format(folder=folder, **ports))
        prefix = ["nginx", "-c", str(conf), "-p", "/usr/share/nginx"]
        self._nginx = subprocess.Popen(prefix, stderr=subprocess.DEVNULL)
        self._senders: list[subprocess.Popen[bytes]] = []
        self._camera: http.server.ThreadingHTTPServer | None = None
        self._sending = threading.Event()

    def __enter__(self) -> Servers:
        time.sleep(1)
        self.start_senders()
        time.sleep(10)  # until there is a playlist
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_senders()
        self._nginx.terminate()
        self._nginx.wait()

    def start_senders(self) -> None:
        self._senders = [subprocess.Popen(argv) for argv in self._argv]
        self._sending = sending = threading.Event()

        class Camera(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", MULTIPART)
                self.end_headers()
                with contextlib.suppress(OSError):
                    for block in steadily(RATE, flashing):
                        if sending.is_set():
                            return
                        self.wfile.write(block)

            def log_message(self, *args: object) -> None:
                pass

        place = ("127.0.0.1", self._ports["jpeg"])
        self._camera = http.server.ThreadingHTTPServer(place, Camera)
        threading.Thread(target=self._camera.serve_forever, daemon=True).start()

    def stop_senders(self) -> None:
        for each in self._senders:
            each.kill()
            each.wait()
        if self._camera:
            self._sending.set()
            self._camera.shutdown()
            self._camera.server_close()


@functools.cache
def _lit(value: int) -> bytes:
    return part(jpeg(value, 160, 120))


def flashing(index: int) -> bytes:
    return _lit(235 if index % RATE < 2 else 40 + index % RATE)


HEADINGS = (
    "| source | reconnections | frames in = shown + dropped | in the file | sound lost "
    "| beep behind flash, first 10 / last 10, ms / alone | flashes a second apart by "
    "| memory at the end, its rise in the second half, MiB | p95 at the end, its rise, ms |"
)


class Run:
    """One `deblur live` into a file."""

    def __init__(self, folder: Path, name: str, servers: Servers) -> None:
        self._name = name
        self._path, self._report = folder / f"{name}.mkv", folder / f"{name}.json"
        self._latency = folder / f"{name}.latency.json"
        self._memory: list[float] = []
        self.faults: list[str] = []
        command = [sys.executable, __file__, "--watched", str(self._latency)]
        command += ["live", servers.names[name]]
        files = ["--out", str(self._path), "--report", str(self._report)]
        self.process = subprocess.Popen([*command, *files, "--model", "tiny", "--wait", "30"])

    def watch(self) -> None:
        """Note the memory in use."""
        status = Path(f"/proc/{self.process.pid}/status")
        if self.process.poll() is None:
            for line in status.read_text().splitlines():
                if line.startswith("VmRSS"):
                    self._memory.append(int(line.split()[1]) / 1024)

    def row(self) -> str:
        report = json.loads(self._report.read_text())
        pictures = pictures_of(self._path)
        taken = report["frames_out"] + report["frames_dropped"]
        steps = np.diff(flashes(self._path))
        steady = np.abs(steps - np.round(steps)).max(initial=0) * 1000
        memory, latency = self._memory, json.loads(self._latency.read_text())
        if taken != report["frames_in"]:
            self.faults.append(f"{self._name}: counts do not add up")
        if not memory_is_flat(memory):
            self.faults.append(f"{self._name}: memory RISES")
        if not latency_is_flat(latency):
            self.faults.append(f"{self._name}: latency RISES")
        sound = report["sound"]
        if sound:
            found = [each for each in offsets(self._path) if abs(each) < NEAR_S]
            alone = len(steps) + 1 - len(found)  # where one began without the other
            apart = f"{spread(found[:10])} / {spread(found[-10:])} / {alone}"
        equals = "=" if taken == report["frames_in"] else "!="
        cells = [
            self._name,
            str(report["reconnects"]),
            f"{report['frames_in']} {equals} {report['frames_out']} + {report['frames_dropped']}",
            str(len(pictures)),
            str(sound["lost"]) if sound else "silent",
            apart if sound else "silent",
            f"{steady:.0f} ms",
            f"{memory[-1]:.0f}, {rise(memory):+.1f}",
            f"{latency[-1]:.0f}, {rise(latency):+.0f}",
        ]
        return f"| {' | '.join(cells)} |"


def spread(offsets_s: list[float]) -> str:
    return f"{1000 * min(offsets_s):.0f} to {1000 * max(offsets_s):.0f}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--watched"]:
        raise SystemExit(watched(Path(sys.argv[2]), sys.argv[3:]))
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    raise SystemExit(main())
