// Something to see before anything is given: a drawn clip, and what deblur has made of it.
//
// It plays where it is seen, and its divider wanders until somebody takes it. Where the browser
// cannot play it, or is asked for little motion, a drawing or a still picture takes its place.

import { Compare, onFrames } from "./compare.js";

const SWEEP_S = 7; // there and back

const still = matchMedia("(prefers-reduced-motion: reduce)");
const video = Object.assign(document.createElement("video"), { muted: true, loop: true, playsInline: true });
const views = [...document.querySelectorAll("[data-demo]")].map((root) => ({ root, compare: new Compare(root), taken: false }));
let halted = still.matches;

for (const view of views) {
  for (const name of ["pointerdown", "keydown"]) view.root.addEventListener(name, () => { view.taken = true; });
  view.button = Object.assign(document.createElement("button"), { className: "pause" });
  view.button.addEventListener("click", () => {
    halted = !halted;
    update();
  });
  view.root.append(view.button);
}

// Called whenever what is shown on the page has changed.
export function update() {
  const seen = views.some(({ root }) => root.offsetParent);
  for (const { button } of views) {
    button.textContent = halted ? "▶" : "❚❚";
    button.setAttribute("aria-label", halted ? "Play the example" : "Pause the example");
  }
  if (seen && !halted) video.play().catch(() => {});
  else video.pause();
}

function draw() {
  const [width, height] = [video.videoWidth, video.videoHeight / 2];
  for (const { root, compare, taken } of views) {
    if (!root.offsetParent) continue;
    if (!taken && !halted) compare.position = 0.5 + 0.3 * Math.sin((2 * Math.PI * performance.now()) / (1000 * SWEEP_S));
    compare.draw({ image: video, x: 0, y: 0, width, height }, { image: video, x: 0, y: height, width, height });
  }
}

export async function load() {
  const response = await fetch("demo.mp4");
  if (!response.ok) return;
  video.addEventListener("loadeddata", () => {
    if (!video.videoWidth) return; // the drawing stays
    for (const { root } of views) root.hidden = false;
    onFrames(video, draw);
    update();
    draw();
  });
  video.src = URL.createObjectURL(await response.blob()); // whole: some browsers want parts of a file that is served
}
