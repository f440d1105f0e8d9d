// Two pictures of the same moment on one canvas: split by a divider, side by side, or one alone.

import { Zoom } from "./zoom.js";

export const VIEWS = { split: "Split", beside: "Side by side", after: "Deblurred", before: "Original" };

const STEP = 0.02; // of the width, per arrow key
const NEAR_PX = 28; // of the divider, to take it where dragging elsewhere moves the pictures

export class Compare {
  #root;
  #stage;
  #canvas = document.createElement("canvas");
  #divider = document.createElement("div");
  #labels = ["Original", "Deblurred"].map((text) => {
    const label = document.createElement("span");
    label.className = "label";
    label.textContent = text;
    return label;
  });
  #view = "split";
  #position = 0.5;
  #last = null;
  #copy = null;
  #holds = null; // what a pointer moves: the divider or the pictures

  constructor(root) {
    this.#root = root;
    this.#stage = root.closest(".stage");
    this.zoom = new Zoom((event) => this.#pane(event), () => this.#redraw());
    this.#canvas.setAttribute("role", "img");
    this.#canvas.setAttribute("aria-label", "The original and the deblurred picture");
    const divider = this.#divider;
    divider.className = "divider";
    divider.tabIndex = 0;
    divider.setAttribute("role", "slider");
    divider.setAttribute("aria-label", "Divider between original and deblurred");
    divider.setAttribute("aria-valuemin", "0");
    divider.setAttribute("aria-valuemax", "100");
    root.prepend(this.#canvas, ...this.#labels, divider);
    root.addEventListener("pointerdown", (event) => this.#grab(event));
    root.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      root.addEventListener(name, (event) => this.zoom.up(event));
    }
    root.addEventListener("wheel", (event) => this.zoom.wheel(event), { passive: false });
    root.addEventListener("dblclick", (event) => {
      if (!event.target.closest("button")) this.zoom.doubleClick(event);
    });
    divider.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#redraw()).observe(root);
    this.view = "split";
    this.position = 0.5;
  }

  get view() { return this.#view; }

  set view(view) {
    this.#view = view;
    this.#root.dataset.view = view;
    this.#redraw();
  }

  get position() { return this.#position; }

  // The divider's place, from 0 at the left to 1 at the right.
  set position(position) {
    this.#position = Math.min(1, Math.max(0, position));
    this.#root.style.setProperty("--position", this.#position);
    const percent = Math.round(100 * this.#position);
    this.#divider.setAttribute("aria-valuenow", percent);
    this.#divider.setAttribute("aria-valuetext", `${percent} % original`);
    this.#redraw();
  }

  // Each picture is {image, x, y, width, height}: a part of something that a canvas can draw.
  draw(before, after) {
    this.#last = [before, after];
    this.#redraw();
  }

  // Whether the second picture is what its label says, or the engine could not keep up.
  set deblurred(deblurred) {
    this.#labels[1].textContent = deblurred ? "Deblurred" : "As it comes";
  }

  clear() {
    this.#last = null;
    this.zoom.fit();
  }

  #layout() {
    const upright = this.#view === "beside" && window.matchMedia("(orientation: portrait)").matches;
    const beside = this.#view === "beside";
    return { columns: beside && !upright ? 2 : 1, rows: upright ? 2 : 1, upright };
  }

  // Where on the page a picture is shown: the one under a pointer, or the first.
  #pane(event) {
    const box = this.#canvas.getBoundingClientRect();
    const { columns, rows } = this.#layout();
    const [width, height] = [box.width / columns, box.height / rows];
    const column = event && columns > 1 && event.clientX > box.x + width ? 1 : 0;
    const row = event && rows > 1 && event.clientY > box.y + height ? 1 : 0;
    const picture = this.#last?.[1] ?? { width: width || 1, height: height || 1 };
    return { x: box.x + column * width, y: box.y + row * height, width: width || 1, height: height || 1, picture };
  }

  #redraw() {
    if (!this.#last) return;
    const [before, after] = this.#last;
    const { columns, rows, upright } = this.#layout();
    this.#root.dataset.upright = upright;
    this.#root.dataset.zoomed = this.zoom.active;
    this.#stage.style.setProperty("--ratio", (after.width * columns) / (after.height * rows));
    this.#resize(after.width * columns, after.height * rows);
    this.#paint(this.#canvas);
    if (this.#copy) this.#paint(this.#copy);
  }

  // What is shown, into a canvas of any size.
  #paint(canvas) {
    const [before, after] = this.#last;
    const { columns, rows, upright } = this.#layout();
    const width = canvas.width / columns;
    const height = canvas.height / rows;
    const context = canvas.getContext("2d");
    const put = (picture, left, right, x, y) => {
      if (right <= left) return;
      const seen = this.zoom.part(picture);
      const across = seen.width / width;
      context.imageSmoothingEnabled = across > 0.4; // pixels are shown as such where they are large
      context.imageSmoothingQuality = "high";
      context.drawImage(
        picture.image,
        picture.x + seen.x + left * across, picture.y + seen.y, (right - left) * across, seen.height,
        x, y, right - left, height,
      );
    };
    if (this.#view === "split") {
      const edge = Math.round(this.#position * width);
      put(before, 0, edge, 0, 0);
      put(after, edge, width, edge, 0);
    } else if (this.#view === "beside") {
      put(before, 0, width, 0, 0);
      put(after, 0, width, upright ? 0 : width, upright ? height : 0);
    } else {
      put(this.#view === "before" ? before : after, 0, width, 0, 0);
    }
  }

  // A canvas with what is shown, in the pictures' own size, whatever the page's; null before the
  // first. It goes on showing that until `endCopy`.
  copy() {
    if (!this.#last) return null;
    const { columns, rows } = this.#layout();
    const [, { width, height }] = this.#last;
    this.#copy = Object.assign(document.createElement("canvas"), { width: width * columns, height: height * rows });
    this.#paint(this.#copy);
    return this.#copy;
  }

  endCopy() { this.#copy = null; }

  // As many pixels as are on the screen, or as the pictures have where these are fewer.
  #resize(width, height) {
    const box = this.#root.getBoundingClientRect();
    const shown = Math.round(box.width * devicePixelRatio);
    const scale = shown && this.zoom.active ? shown / width : Math.min(1, shown / width || 1);
    const [wide, high] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
    if (this.#canvas.width === wide && this.#canvas.height === high) return;
    this.#canvas.width = wide;
    this.#canvas.height = high;
  }

  #grab(event) {
    if (event.button !== 0 || event.target.closest("button")) return;
    this.#root.setPointerCapture(event.pointerId);
    const box = this.#canvas.getBoundingClientRect();
    const near = Math.abs(event.clientX - box.x - this.#position * box.width) < NEAR_PX;
    const split = this.#view === "split";
    const fingers = this.zoom.down(event);
    this.#holds = fingers === 1 && split && (near || !this.zoom.active) ? "divider" : "pictures";
    if (this.#holds === "divider") {
      this.#divider.focus({ preventScroll: true, focusVisible: false });
      this.#follow(event);
    }
    event.preventDefault();
  }

  #move(event) {
    if (!this.#root.hasPointerCapture(event.pointerId)) return;
    if (this.#holds === "divider") this.#follow(event);
    else this.zoom.move(event);
  }

  #follow(event) {
    const box = this.#canvas.getBoundingClientRect();
    this.position = (event.clientX - box.left) / box.width;
  }

  #key(event) {
    const targets = {
      ArrowLeft: this.#position - STEP,
      ArrowRight: this.#position + STEP,
      PageDown: this.#position - 5 * STEP,
      PageUp: this.#position + 5 * STEP,
      Home: 0,
      End: 1,
    };
    if (!(event.key in targets)) return;
    this.position = targets[event.key];
    event.preventDefault();
    event.stopPropagation();
  }
}

// Calls `paint(time)` for each new frame of a video, until the returned function is called.
export function onFrames(video, paint) {
  const exact = "requestVideoFrameCallback" in video;
  let handle;
  const next = () => {
    handle = exact ? video.requestVideoFrameCallback(frame) : requestAnimationFrame(frame);
  };
  const frame = (now, metadata) => {
    if (video.videoWidth) paint(metadata ? metadata.mediaTime : video.currentTime);
    next();
  };
  next();
  return () => (exact ? video.cancelVideoFrameCallback(handle) : cancelAnimationFrame(handle));
}
