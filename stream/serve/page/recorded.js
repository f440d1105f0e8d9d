// The file tab: videos are uploaded one after the other and followed; one of them is on the stage.
//
// The server owns the videos. The page only remembers their names, so that they are found again
// after a reload, in another tab, or when the server comes back.

import { ask, askPatiently, pause, refused } from "./ask.js";
import { Compare } from "./compare.js";
import * as demo from "./demo.js";
import * as player from "./player.js";
import { clock, sentence, size } from "./words.js";

const POLL_MS = 700;
const KNOWN_AFTER = 8; // frames: before, how long the rest takes is a guess
const MEMORY = "deblur-videos";

const section = document.getElementById("recorded");
const find = (selector) => section.querySelector(selector);
const [drop, notice, list] = ["#drop", ".notice", "#videos"].map(find);

export const compare = new Compare(find("#recorded-view"));
player.attach(compare);
export const { toggle, step } = player;

const limits = { bytes: Infinity };
const videos = []; // {file, name, source, request, report, error, percent}
let chosen = null; // the one on the stage
let uploading = false;

export function setLimits({ upload_bytes: bytes, video_s: seconds, keep_s: keep }) {
  limits.bytes = bytes;
  find("#limits").textContent =
    `Up to ${size(bytes)} and ${Math.round(seconds / 60)} minutes each. ` +
    `Cleaned on this server, and deleted ${Math.round(keep / 60)} minutes after.`;
}

find("#file").addEventListener("change", (event) => {
  add([...event.target.files]);
  event.target.value = "";
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.toggle("over", !section.hidden);
});
addEventListener("dragleave", (event) => event.relatedTarget ?? drop.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  if (!section.hidden) add([...event.dataTransfer.files]);
});
find("#more").addEventListener("click", () => find("#file").click());
find("#cancel").addEventListener("click", () => remove(chosen));
find("#again").addEventListener("click", () => go(null));
find("#redo").addEventListener("click", redo);
// a half sent file is lost with the page; what is on the server is not
addEventListener("beforeunload", (event) => uploading && event.preventDefault());

export function wishes() {
  return { model: find("#recorded-model").value, strength: find("#recorded-strength").value };
}

// The controls show how the video on the stage was cleaned.
function showWishes({ model, strength }) {
  find("#recorded-model").value = model;
  const slider = find("#recorded-strength");
  slider.value = strength;
  slider.dispatchEvent(new Event("input"));
}

function add(files) {
  tell("");
  for (const file of files) {
    if (file.size > limits.bytes) tell(`${file.name} is larger than ${size(limits.bytes)}.`);
    else videos.push({ file: file.name, source: file, wishes: wishes(), percent: 0 });
  }
  if (files.length) go(videos.findLast((video) => video.source) ?? null);
  uploadNext();
}

async function uploadNext() {
  const next = videos.find((video) => video.source && !video.request);
  if (uploading || !next) return;
  uploading = true;
  try {
    next.name = (await upload(next)).name;
    next.source = null;
    remember();
    if (videos.includes(next)) {
      if (next === chosen) go(next, "replaceState");
      follow(next);
    } else forget(next.name);
  } catch (error) {
    next.source = null;
    fail(next, error.message);
  }
  uploading = false;
  uploadNext();
}

function upload(video) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not tell how far an upload is
    video.request = request;
    request.open("POST", `videos?${new URLSearchParams({ file: video.file, ...video.wishes })}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "text";
    request.upload.onprogress = ({ loaded, total }) => {
      video.percent = total ? loaded / total : 0;
      video.detail = `${size(loaded)} of ${size(total)}`;
      show();
    };
    request.onload = () => {
      if (request.status === 201) resolve(JSON.parse(request.response));
      else reject(refused(request.status, request.getResponseHeader("Content-Type"), request.response));
    };
    request.onerror = request.onabort = () => reject(refused(0));
    request.send(video.source);
  });
}

// Until it is done, whatever becomes of single answers.
async function follow(video) {
  const wanted = () => videos.includes(video);
  try {
    while (wanted()) {
      const report = await askPatiently(path(video), { wanted, tell: (words) => video === chosen && tell(words) });
      if (!wanted()) return;
      video.report = report;
      video.file = report.file ?? video.file;
      if (report.state === "failed") return fail(video, sentence(report.error));
      show();
      if (report.state === "done") return video === chosen && play(video);
      if (video === chosen && report.look) look(video, report.look);
      await pause(POLL_MS);
    }
  } catch (error) {
    fail(video, error.gone ? "It is no longer on the server." : error.message);
  }
}

// Both pictures as they are just now, while the rest is being worked on.
function look(video, number) {
  const image = new Image();
  image.onload = () => {
    if (video !== chosen || state(video) !== "cleaning") return;
    find("#recorded-view").hidden = false;
    const half = image.naturalHeight / 2;
    const part = (y) => ({ image, x: 0, y, width: image.naturalWidth, height: half });
    compare.draw(part(0), part(half));
  };
  image.src = `${path(video)}/look?${number}`;
}

async function play(video) {
  showWishes(video.report);
  const link = find("#download");
  link.href = `${path(video)}/result`;
  link.download = `${video.file.replace(/\.[^.]+$/, "")}-deblurred${video.report.suffix}`;
  const warnings = video.report.warnings.map(sentence).join(" ");
  tell(warnings);
  try {
    await player.open(path(video), video.report, (words) => video === chosen && tell(`${words} ${warnings}`.trim()));
  } catch (error) {
    if (video !== chosen) return;
    video.unseen = true;
    tell(error.message);
    show();
  }
}

async function redo() {
  const before = chosen;
  try {
    const { name } = await ask(`${path(before)}/again?${new URLSearchParams(wishes())}`, { method: "POST" });
    const video = { file: before.file, name };
    videos.push(video);
    remember();
    go(video);
    follow(video);
  } catch (error) {
    tell(error.message);
  }
}

function fail(video, message) {
  video.error = message;
  if (video === chosen) tell(message);
  remember();
  show();
}

function remove(video) {
  videos.splice(videos.indexOf(video), 1);
  video.request?.abort();
  if (video.name) forget(video.name);
  remember(video);
  if (video === chosen) go(videos.at(-1) ?? null);
  else show();
}

function forget(name) { ask(`videos/${name}`, { method: "DELETE" }).catch(() => {}); }

const path = (video) => `videos/${video.name}`;

function state(video) {
  if (!video) return "idle";
  if (video.error) return "failed";
  return video.report?.state ?? (video.name ? "waiting" : "uploading");
}

function remembered() {
  try { return JSON.parse(localStorage.getItem(MEMORY)) ?? []; } catch { return []; } // or storage is forbidden
}

// Other tabs remember theirs in the same place.
function remember(removed) {
  const known = new Map(remembered().map((video) => [video.name, video]));
  for (const { name, file, error } of videos) {
    if (name && !error) known.set(name, { name, file });
    else known.delete(name);
  }
  known.delete(removed?.name);
  try { localStorage.setItem(MEMORY, JSON.stringify([...known.values()])); } catch { /* until the page is left */ }
}

// Called once, and with each address that Back, Forward and links lead to: #recorded or #recorded/NAME.
export function restore(name) {
  const known = videos.length ? [] : remembered();
  if (name && ![...known, ...videos].some((video) => video.name === name)) known.push({ name, file: "video" });
  for (const { name: its, file } of known) {
    const video = { name: its, file };
    videos.push(video);
    follow(video);
  }
  choose(name ? videos.find((video) => video.name === name) : null);
}

// Put a video on the stage, with an address of its own.
function go(video, how = "pushState") {
  choose(video);
  const address = video?.name ? `#recorded/${video.name}` : "#recorded";
  if (location.hash !== address && !section.hidden) history[how](null, "", address);
}

function choose(video) {
  if (video === chosen) return show();
  player.close();
  chosen = video;
  tell(video?.error ?? "");
  show();
  if (state(video) === "done") play(video);
}

const STEPS = { uploading: "Uploading", waiting: "Waiting for its turn", cleaning: "Cleaning" };

function progress(video) {
  const now = state(video);
  const { frames_out: done, frames_expected: all, fps, time_left_s: left, ahead, wait_s: wait } = video.report ?? {};
  if (now === "uploading") return { title: STEPS[now], share: video.percent, detail: video.detail ?? video.file };
  if (now === "waiting") {
    const words = ahead ? `${ahead} ${ahead === 1 ? "video" : "videos"} before it${wait ? `, about ${clock(wait)}` : ""}` : "";
    return { title: STEPS[now], share: null, detail: words };
  }
  if (!done) return { title: "Getting ready", share: null, detail: "" };
  const parts = [all ? `${done} of ${all} frames` : `${done} frames`];
  if (done >= KNOWN_AFTER) parts.push(`${fps.toFixed(1)} a second`, ...(left === null ? [] : [`${clock(left)} left`]));
  return { title: STEPS.cleaning, share: all ? Math.min(1, done / all) : null, detail: parts.join(", ") };
}

export function title() {
  if (!chosen || !["uploading", "waiting", "cleaning"].includes(state(chosen))) return "";
  const { share } = progress(chosen);
  return share === null ? "… " : `${Math.floor(100 * share)} % `;
}

// The section's state is one of: idle, working, done, and unseen, which is done, but not to be shown.
function show() {
  const now = state(chosen);
  const busy = ["uploading", "waiting", "cleaning"].includes(now);
  const stage = busy ? "working" : now === "done" ? (chosen.unseen ? "unseen" : "done") : "idle";
  section.dataset.state = stage;
  find(".welcome").hidden = stage !== "idle";
  find(".working").hidden = stage !== "working";
  find(".done").hidden = stage !== "unseen";
  if (now !== "cleaning") find("#recorded-view").hidden = stage !== "done";
  find("#player").hidden = stage !== "done" && stage !== "unseen";
  if (busy) {
    const { title: words, share, detail } = progress(chosen);
    if (find("#step").textContent !== words) find("#step").textContent = words; // it is read out
    find("#detail").textContent = detail || "\u00a0";
    const bar = find("#progress");
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
  }
  showList();
  demo.update();
  document.title = `${title()}deblur`;
}

function showList() {
  list.hidden = videos.length < 2 && !(videos.length && !chosen);
  while (list.children.length > videos.length) list.lastChild.remove();
  for (const [index, video] of videos.entries()) {
    const item = list.children[index] ?? list.appendChild(entry());
    const [open, close] = item.children;
    const now = state(video);
    const { share } = progress(video);
    const words = now === "done" ? "done" : now === "failed" ? "failed"
      : now === "waiting" || share === null ? "waiting" : `${Math.floor(100 * share)} %`;
    if (open.textContent !== `${video.file} ${words}`) {
      open.replaceChildren(Object.assign(document.createElement("b"), { textContent: video.file }), ` ${words}`);
    }
    open.setAttribute("aria-pressed", video === chosen);
    open.onclick = () => go(video);
    close.setAttribute("aria-label", `Remove ${video.file}`);
    close.onclick = () => remove(video);
  }
}

function entry() {
  const item = document.createElement("li");
  const open = document.createElement("button");
  const close = Object.assign(document.createElement("button"), { textContent: "×", className: "quiet" });
  item.append(open, close);
  return item;
}

function tell(message) {
  notice.textContent = message;
  notice.hidden = !message;
}
