// Plays the original and the cleaned video together: as two videos, or as one that holds both.

import { ask, askPatiently, pause } from "./ask.js";
import { onFrames } from "./compare.js";
import { clock } from "./words.js";

const FAR_S = 0.3; // apart by more, the original is moved; by less, it hurries or dawdles
const POLL_MS = 700;

const section = document.getElementById("recorded");
const find = (selector) => section.querySelector(selector);
const [original, cleaned, seek, play] = ["#original", "#cleaned", "#seek", "#play"].map(find);

let compare = null;
let shown = null; // {path, stacked, rate, stopFrames}

export function attach(where) { compare = where; }

// Shows a finished job. `tell` is given what should be known, "" included.
export async function open(path, report, tell) {
  close();
  const mine = { path, rate: report.rate || 25, stacked: false };
  shown = mine;
  original.src = `${path}/original`;
  cleaned.src = `${path}/result`;
  begin(mine);
  if (await plays([original, cleaned]) || shown !== mine) return;
  const warning = "This browser cannot play the video's format. What you see is a preview in H.264; the download is the real one.";
  tell(`${warning} It is being made…`);
  await ask(`${path}/preview`, { method: "POST" });
  const wanted = () => shown === mine;
  for (;;) {
    const now = await askPatiently(path, { wanted });
    if (!wanted()) return;
    if (now.preview === "failed") throw new Error("This browser cannot play the video's format, and no preview could be made. The download has all frames.");
    if (now.preview === "done") break;
    await pause(POLL_MS);
  }
  tell(warning);
  mine.stacked = true;
  original.removeAttribute("src");
  original.load();
  cleaned.src = `${path}/preview`;
}

export function close() {
  shown?.stopFrames?.();
  shown = null;
  for (const video of [original, cleaned]) {
    video.removeAttribute("src");
    video.load();
  }
  compare.clear();
}

// "No error" is not enough: of an unknown codec a browser plays the sound, and the picture has no
// width. How long a video takes to come says nothing.
async function plays(videos) {
  for (const video of videos) {
    const good = await new Promise((resolve) => {
      const check = () => {
        if (video.error || (video.readyState >= video.HAVE_METADATA && !video.videoWidth)) resolve(false);
        else if (video.readyState >= video.HAVE_CURRENT_DATA) resolve(true);
      };
      for (const name of ["loadedmetadata", "loadeddata", "error"]) video.addEventListener(name, check, { once: true });
      check();
    });
    if (!good) return false;
  }
  return true;
}

function begin(mine) {
  cleaned.loop = find("#loop").getAttribute("aria-pressed") === "true";
  mine.stopFrames = onFrames(cleaned, (time) => {
    if (!mine.stacked) follow(time);
    paint();
  });
}

function paint() {
  if (!shown || !cleaned.videoWidth) return;
  const part = (image, y = 0, height = image.videoHeight) => ({ image, x: 0, y, width: image.videoWidth, height });
  if (shown.stacked) {
    const half = cleaned.videoHeight / 2;
    compare.draw(part(cleaned, 0, half), part(cleaned, half, half));
  } else if (original.videoWidth) compare.draw(part(original), part(cleaned));
}

// Keep the original at the cleaned video's time: both were started together, but drift.
function follow(time) {
  if (cleaned.paused || original.seeking) return;
  const ahead = original.currentTime - cleaned.currentTime;
  if (Math.abs(ahead) > FAR_S) original.currentTime = time;
  else original.playbackRate = 1 - ahead;
}

function align() {
  if (shown && !shown.stacked) original.currentTime = cleaned.currentTime;
}

cleaned.addEventListener("play", () => original.play().catch(() => {}));
cleaned.addEventListener("pause", () => {
  original.pause();
  align();
});
original.addEventListener("pause", () => cleaned.paused && align()); // it may stop late
cleaned.addEventListener("seeking", align);
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
find("#back").addEventListener("click", () => step(-1));
find("#forth").addEventListener("click", () => step(1));
find("#loop").addEventListener("click", (event) => {
  cleaned.loop = !cleaned.loop;
  event.currentTarget.setAttribute("aria-pressed", cleaned.loop);
});
find("#mute").addEventListener("click", (event) => {
  cleaned.muted = !cleaned.muted;
  event.currentTarget.setAttribute("aria-pressed", cleaned.muted);
});

function showTime() {
  const length = cleaned.duration || 0;
  seek.value = length && (1000 * cleaned.currentTime) / length;
  seek.style.setProperty("--filled", length ? cleaned.currentTime / length : 0);
  find("#time").textContent = `${clock(cleaned.currentTime)} / ${clock(length)}`;
}

export function toggle() {
  if (!shown) return;
  if (cleaned.paused) cleaned.play().catch(() => {});
  else cleaned.pause();
}

// To the middle of another frame, where no rounding leads to its neighbour.
export function step(frames) {
  if (!shown) return;
  cleaned.pause();
  const index = Math.floor(cleaned.currentTime * shown.rate + 1e-6) + frames;
  cleaned.currentTime = Math.min(cleaned.duration || 0, Math.max(0, (index + 0.5) / shown.rate));
}
