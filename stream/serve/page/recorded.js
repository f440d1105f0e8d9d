// The file tab: uploads a video, follows its cleaning, compares, and offers the download.

import { askPatiently, ask, pause, refused } from "./ask.js";
import { Compare, onFrames } from "./compare.js";

const POLL_MS = 500;
const FAR_S = 0.3; // apart by more, the original is moved; by less, it hurries or dawdles

const section = document.getElementById("recorded");
const find = (selector) => section.querySelector(selector);
const [drop, player, notice] = ["#drop", "#player", ".notice"].map(find);
const [original, cleaned] = ["#original", "#cleaned"].map(find);
const [seek, play] = ["#seek", "#play"].map(find);

export const compare = new Compare(find("#recorded-view"));

const limits = { bytes: Infinity };
let job = null; // {file, name, upload, stopFrames}

export function setLimits({ upload_bytes: bytes, video_s: seconds }) {
  limits.bytes = bytes;
  find("#limits").textContent =
    `Up to ${size(bytes)} and ${Math.round(seconds / 60)} minutes. ` +
    "It is cleaned on this server and deleted afterwards.";
}

find("#file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  event.target.value = "";
  if (file) begin(file);
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.toggle("over", !section.hidden && section.dataset.state === "idle");
});
addEventListener("dragleave", (event) => event.relatedTarget ?? drop.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  const [file] = event.dataTransfer.files;
  if (file && !section.hidden && section.dataset.state === "idle") begin(file);
});
find("#cancel").addEventListener("click", () => finish());
find("#again").addEventListener("click", () => finish());
addEventListener("pagehide", () => job && forget(job));

async function begin(file) {
  tell("");
  if (file.size > limits.bytes) return tell(`${file.name} is larger than ${size(limits.bytes)}.`);
  const mine = { file };
  job = mine;
  show("working");
  try {
    step("Uploading", 0, file.name);
    mine.name = (await upload(mine)).name;
    if (job !== mine) return forget(mine);
    const report = await cleaning(mine);
    if (report) compareBoth(mine, report);
  } catch (error) {
    if (job === mine) finish(error.message);
  }
}

function upload(mine) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not tell how far an upload is
    mine.upload = request;
    request.open("POST", "videos");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "text";
    request.upload.onprogress = ({ loaded, total }) => {
      step("Uploading", loaded / total, `${size(loaded)} of ${size(total)}`);
    };
    request.onload = () => {
      if (request.status === 201) resolve(JSON.parse(request.response));
      else reject(refused(request.status, request.getResponseHeader("Content-Type"), request.response));
    };
    request.onerror = () => reject(refused(0));
    request.send(mine.file);
  });
}

async function cleaning(mine) {
  while (job === mine) {
    const report = await askPatiently(`videos/${mine.name}`, { wanted: () => job === mine, tell });
    if (job !== mine) return null;
    if (report.state === "done") return report;
    if (report.state === "failed") throw new Error(sentence(report.error));
    const { frames_out: done, frames_expected: all } = report;
    if (report.state === "waiting") step("Waiting for its turn", null, "");
    else if (!done) step("Getting ready", null, "");
    else {
      const left = report.time_left_s === null ? "" : `, ${clock(report.time_left_s)} left`;
      const count = all ? `${done} of ${all} frames` : `${done} frames`;
      step("Cleaning", all ? done / all : null, `${count}, ${report.fps.toFixed(1)} fps${left}`);
    }
    await pause(POLL_MS);
  }
  return null;
}

function compareBoth(mine, report) {
  const link = find("#download");
  link.href = `videos/${mine.name}/result`;
  link.download = `${mine.file.name.replace(/\.[^.]+$/, "")}-deblurred${report.suffix}`;
  tell(report.warnings.map(sentence).join(" "));
  mine.address = URL.createObjectURL(mine.file);
  original.src = mine.address;
  cleaned.src = link.href;
  original.onerror = cleaned.onerror = () => job === mine && show("unseen");
  mine.stopFrames = onFrames(cleaned, (time) => {
    follow(time);
    paint();
  });
  show("done");
}

function paint() {
  if (!cleaned.videoWidth || !original.videoWidth) return;
  const part = (image) => ({ image, x: 0, y: 0, width: image.videoWidth, height: image.videoHeight });
  compare.draw(part(original), part(cleaned));
}

// Keep the original at the cleaned video's time: both were started together, but drift.
function follow(time) {
  if (cleaned.paused || original.seeking) return;
  const ahead = original.currentTime - cleaned.currentTime;
  if (Math.abs(ahead) > FAR_S) original.currentTime = time;
  else original.playbackRate = 1 - ahead;
}

cleaned.addEventListener("play", () => original.play().catch(() => {}));
cleaned.addEventListener("pause", () => {
  original.pause();
  align();
});
original.addEventListener("pause", () => cleaned.paused && align()); // it may stop late
cleaned.addEventListener("seeking", align);

function align() {
  original.currentTime = cleaned.currentTime;
}
for (const video of [original, cleaned]) {
  video.addEventListener("seeked", () => requestAnimationFrame(paint));
  video.addEventListener("loadeddata", paint);
}
for (const name of ["play", "pause", "ended"]) {
  cleaned.addEventListener(name, () => {
    play.textContent = cleaned.paused ? "Play" : "Pause";
    play.setAttribute("aria-label", play.textContent);
  });
}
for (const name of ["loadedmetadata", "timeupdate"]) cleaned.addEventListener(name, showTime);
seek.addEventListener("input", () => {
  cleaned.currentTime = (seek.value / 1000) * (cleaned.duration || 0);
});
play.addEventListener("click", toggle);

function showTime() {
  const length = cleaned.duration || 0;
  seek.value = length && (1000 * cleaned.currentTime) / length;
  seek.style.setProperty("--filled", length ? cleaned.currentTime / length : 0);
  find("#time").textContent = `${clock(cleaned.currentTime)} / ${clock(length)}`;
}

export function toggle() {
  if (section.dataset.state !== "done") return;
  if (cleaned.paused) cleaned.play().catch(() => {});
  else cleaned.pause();
}

function finish(message = "") {
  const ended = job;
  job = null;
  tell(message);
  show("idle");
  if (ended) forget(ended);
}

function forget(ended) {
  ended.upload?.abort();
  ended.stopFrames?.();
  if (ended.address) {
    for (const video of [original, cleaned]) {
      video.onerror = null;
      video.removeAttribute("src");
      video.load();
    }
    compare.clear();
    URL.revokeObjectURL(ended.address);
  }
  if (ended.name) ask(`videos/${ended.name}`, { method: "DELETE", keepalive: true }).catch(() => {});
}

// One of: idle, working, done, and unseen, which is done, but the browser cannot play it.
function show(state) {
  section.dataset.state = state;
  find(".welcome").hidden = state !== "idle";
  find(".working").hidden = state !== "working";
  find(".done").hidden = state !== "unseen";
  find("#recorded-view").hidden = state !== "done";
  player.hidden = state !== "done" && state !== "unseen";
}

function step(title, share, detail) {
  find("#step").textContent = title;
  find("#detail").textContent = detail || "\u00a0";
  const bar = find("#progress");
  if (share === null) bar.removeAttribute("value");
  else bar.value = share;
}

function tell(message) {
  notice.textContent = message;
  notice.hidden = !message;
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

function size(bytes) {
  return bytes < 1 << 30 ? `${Math.ceil(bytes / (1 << 20))} MB` : `${(bytes / (1 << 30)).toFixed(1)} GB`;
}

function clock(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
