"""A page of another site pushes to `deblur live whip://:PORT/KEY`, in a real Chromium."""

import asyncio
import json
import subprocess
import sys

import pytest
from chromium import chromium
from in_process import bounded
from network import free_port

pytestmark = pytest.mark.usefixtures("browser")

PUSH = """(async () => {
  const canvas = document.createElement("canvas"), drawing = canvas.getContext("2d");
  canvas.width = 320, canvas.height = 240;
  setInterval(() => {
    drawing.fillStyle = `hsl(${performance.now() / 20} 80% 50%)`;
    drawing.fillRect(0, 0, 320, 240);
  }, 50);
  const sound = new AudioContext(), tone = new OscillatorNode(sound);
  const shown = canvas.captureStream(20), heard = sound.createMediaStreamDestination();
  tone.connect(heard), tone.start();
  const peer = window.peer = new RTCPeerConnection();
  for (const track of [...shown.getTracks(), ...heard.stream.getTracks()]) {
    const sender = peer.addTransceiver(track, {direction: "sendonly", streams: [shown]});
    if (track.kind === "video") sender.setCodecPreferences(
      RTCRtpSender.getCapabilities("video").codecs.filter(c => c.mimeType === "video/CODEC"));
  }
  await peer.setLocalDescription();
  const answer = await fetch("ADDRESS", {method: "POST", body: peer.localDescription.sdp,
    headers: {"Content-Type": "application/sdp"}});
  if (answer.status !== 201) throw new Error(answer.status + await answer.text());
  await peer.setRemoteDescription({type: "answer", sdp: await answer.text()});
  if (!answer.headers.get("Location")) throw new Error("no session is named");
})()"""


@pytest.mark.parametrize("codec", ["H264", "VP8"])
def test_a_page_of_another_site_pushes_what_it_draws(codec, random_model, tmp_path):
    port, report, path = free_port(), tmp_path / "report.json", tmp_path / "a.mkv"
    url = f"http://127.0.0.1:{port}/KEY"
    argv = [sys.executable, "-m", "stream", "live", f"whip://:{port}/KEY", "--out", str(path)]
    argv += ["--model", random_model, "--report", str(report), "--timeout", "600"]

    async def run():
        process = await asyncio.create_subprocess_exec(*argv, stderr=subprocess.PIPE)
        try:
            async with chromium() as page:
                code = PUSH.replace("ADDRESS", url).replace("CODEC", codec)
                await page.until(f"fetch('{url}', {{method: 'OPTIONS'}}).then(() => 1, () => 0)")
                await page.evaluate(code)
                await page.until(
                    "peer.getStats().then(all => [...all.values()]"
                    ".some(each => each.kind === 'video' && each.framesSent > 40))"
                )
                process.terminate()
                said = (await process.stderr.read()).decode()
            return await process.wait(), said
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    code, said = bounded(run())
    assert code == 130, said
    assert f": 320x240, {codec.lower()} yuv" in said
    assert ", pcm_s16le sound" in said
    facts = json.loads(report.read_text())
    assert facts["frames_in"] == facts["frames_out"] + facts["frames_dropped"] >= 20
