// The camera tab: sends the camera by WebRTC and shows what comes back.
//
// What comes back holds both pictures of a frame, the original above the deblurred one.

import { ask, askPatiently, pause } from "./ask.js";
import { Compare, onFrames } from "./compare.js";
import { Recorder, snapshot } from "./capture.js";
import * as demo from "./demo.js";

const GATHER_MS = 1500;
const POLL_MS = 1000;
const MAX_BITRATE = 8e6;

const section = document.getElementById("live");
const find = (selector) => section.querySelector(selector);
const returned = find("#returned");
const notice = find(".notice");
const cameras = find("#camera");

export const compare = new Compare(find("#live-view"));
const recorder = new Recorder(find("#record"), compare);

let facing = "user";
let paused = false;
let connection = null; // {peer, stream, name, stopFrames}

find("#start").addEventListener("click", start);
find("#stop").addEventListener("click", () => stop());
for (const select of [cameras, find("#size")]) select.addEventListener("change", restart);
for (const id of ["#live-model", "#live-strength"]) find(id).addEventListener("change", change);
find("#snapshot").addEventListener("click", () => snapshot(compare));
find("#flip").addEventListener("click", () => {
  facing = facing === "user" ? "environment" : "user";
  cameras.value = "";
  restart();
});
addEventListener("pagehide", () => stop());

// A camera does not run where nobody sees it; it goes on when its tab is shown again.
export function setShown(shown) {
  if (!shown && section.dataset.state !== "idle") {
    paused = true;
    stop();
  } else if (shown && paused) {
    paused = false;
    start();
  }
}

async function restart() {
  if (!connection) return;
  await stop();
  await start();
}

const wishes = () => ({ model: find("#live-model").value || undefined, strength: Number(find("#live-strength").value) });

// The running stream takes another model or strength with its next frame.
async function change() {
  if (!connection?.name) return;
  showModel();
  await ask(`sessions/${connection.name}`, { method: "PATCH", body: wishes() }).catch((error) => tell(error.message));
}

export function showModel() {
  const { selectedOptions: [option] } = find("#live-model");
  find("#model").textContent = option?.textContent ?? "";
}

async function start() {
  if (section.dataset.state !== "idle") return;
  show("connecting");
  tell("");
  const attempt = { peer: null, stream: null, name: null };
  connection = attempt;
  try {
    attempt.stream = await openCamera();
    await listCameras(attempt.stream);
    await connect(attempt);
  } catch (error) {
    if (connection === attempt) await stop(words(error));
  }
}

async function openCamera() {
  if (!navigator.mediaDevices) {
    throw new Error("Browsers give a camera to https pages and to localhost only. Start the server with --cert, or open it through an ssh tunnel.");
  }
  const [width, height] = find("#size").value.split("x").map(Number);
  const device = cameras.value ? { deviceId: { exact: cameras.value } } : { facingMode: facing };
  const video = { ...device, width: { ideal: width }, height: { ideal: height }, frameRate: { ideal: 30 } };
  return navigator.mediaDevices.getUserMedia({ video, audio: false });
}

async function listCameras(stream) {
  const current = stream.getVideoTracks()[0].getSettings().deviceId;
  const devices = await navigator.mediaDevices.enumerateDevices();
  const options = devices
    .filter((device) => device.kind === "videoinput")
    .map((device, index) => new Option(device.label || `Camera ${index + 1}`, device.deviceId));
  cameras.replaceChildren(...options);
  cameras.value = current;
  find("#flip").hidden = options.length < 2 || !matchMedia("(pointer: coarse)").matches;
}

async function connect(attempt) {
  const peer = new RTCPeerConnection();
  attempt.peer = peer;
  const [track] = attempt.stream.getVideoTracks();
  track.addEventListener("ended", () => connection === attempt && stop("The camera was taken away."));
  peer.addEventListener("track", (event) => play(attempt, event));
  peer.addEventListener("connectionstatechange", () => {
    if (connection === attempt && peer.connectionState === "failed") {
      stop("The connection was lost.");
    }
  });
  const { sender, receiver } = peer.addTransceiver(track, {
    direction: "sendrecv",
    sendEncodings: [{ maxBitrate: MAX_BITRATE }],
  });
  if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
  await peer.setLocalDescription();
  await gathered(peer);
  const answer = await ask("sessions", { method: "POST", body: { sdp: peer.localDescription.sdp, ...wishes() } });
  attempt.name = answer.name;
  if (connection !== attempt) return leave(attempt);
  await peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
  // a smaller picture would be compiled for anew, and is no fair comparison
  const parameters = sender.getParameters();
  parameters.degradationPreference = "maintain-resolution";
  await sender.setParameters(parameters).catch(() => {});
  follow(attempt);
}

function gathered(peer) {
  return new Promise((resolve) => {
    const check = () => peer.iceGatheringState === "complete" && resolve();
    peer.addEventListener("icegatheringstatechange", check);
    setTimeout(resolve, GATHER_MS);
    check();
  });
}

function play(attempt, event) {
  returned.srcObject = new MediaStream([event.track]);
  returned.play().catch(() => {}); // the next start tries again
  attempt.shown = 0;
  attempt.stopFrames = onFrames(returned, () => {
    const width = returned.videoWidth;
    const height = returned.videoHeight / 2;
    attempt.shown += 1;
    compare.draw(
      { image: returned, x: 0, y: 0, width, height },
      { image: returned, x: 0, y: height, width, height },
    );
    if (section.dataset.state === "connecting") show("running");
  });
}

// Show the figures once a second. A lost answer changes nothing: the pictures come another way.
async function follow(attempt) {
  const wanted = () => connection === attempt;
  try {
    while (wanted()) {
      const server = await askPatiently(`sessions/${attempt.name}`, { wanted, tell });
      const mine = wanted() ? await delays(attempt.peer, attempt) : 0;
      if (wanted()) showFigures(attempt, server, mine);
      await pause(POLL_MS);
    }
  } catch (error) {
    if (wanted()) await stop(words(error));
  }
}

function showFigures(attempt, server, mine) {
  find("#latency").textContent =
    server.latest_ms === null ? "–" : Math.round(server.latest_ms + mine);
  find("#passing").hidden = !server.passing;
  compare.deblurred = !server.passing;
  find("#passing").textContent = server.deblurred ? "server busy: shown as it comes" : "getting ready";
  find("#passing").title = server.error ?? "";
  const now = performance.now();
  if (attempt.measured) {
    const [then, shown] = attempt.measured;
    find("#fps").textContent = Math.round((1e3 * (attempt.shown - shown)) / (now - then));
  }
  attempt.measured = [now, attempt.shown];
}

// Milliseconds outside the server, of the last second: encoding, the way there and back, waiting
// for late packets, decoding.
async function delays(peer, attempt) {
  let roundTrip = 0;
  const sums = {};
  for (const entry of (await peer.getStats()).values()) {
    if (entry.type === "candidate-pair" && entry.nominated) roundTrip = entry.currentRoundTripTime ?? 0;
    if (entry.type === "outbound-rtp") sums.encode = [entry.totalEncodeTime, entry.framesEncoded];
    if (entry.type === "inbound-rtp") {
      sums.wait = [entry.jitterBufferDelay, entry.jitterBufferEmittedCount];
      sums.decode = [entry.totalDecodeTime, entry.framesDecoded];
    }
  }
  let seconds = roundTrip;
  for (const [part, [total, count]] of Object.entries(sums)) {
    const [total0, count0] = attempt.sums?.[part] ?? [0, 0];
    if (count > count0) seconds += (total - total0) / (count - count0);
  }
  attempt.sums = sums;
  return 1e3 * seconds;
}

async function stop(message = "") {
  recorder.stop();
  const ended = connection;
  connection = null;
  tell(message);
  show("idle");
  compare.clear();
  if (ended) await leave(ended);
}

async function leave(ended) {
  ended.stopFrames?.();
  ended.stream?.getTracks().forEach((track) => track.stop());
  ended.peer?.close();
  returned.srcObject = null;
  if (ended.name) {
    await ask(`sessions/${ended.name}`, { method: "DELETE", keepalive: true }).catch(() => {});
  }
}

function show(state) {
  section.dataset.state = state;
  const running = state === "running";
  find(".welcome").hidden = running;
  find("#live-view").hidden = !running;
  find("#live-tools").hidden = !running;
  demo.update();
  find("#stop").hidden = state === "idle";
  find("#start").disabled = state === "connecting";
  find("#start").textContent = state === "connecting" ? "Connecting…" : "Start camera";
  if (state === "idle") {
    for (const id of ["#fps", "#latency"]) find(id).textContent = "–";
    find("#passing").hidden = true;
  }
}

function tell(message) {
  notice.textContent = message;
  notice.hidden = !message;
}

function words(error) {
  const known = {
    NotAllowedError: "The browser does not let this page use the camera.",
    NotFoundError: "There is no camera.",
    NotReadableError: "The camera is in use by another program.",
    OverconstrainedError: "That camera is no longer there.",
  };
  return known[error.name] ?? error.message;
}
