// Two pictures of the same moment on one canvas: split by a divider, side by side, or one alone.

export const VIEWS = { split: "Split", beside: "Side by side", after: "Deblurred", before: "Original" };

const STEP = 0.02; // of the width, per arrow key

export class Compare {
  #root;
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

  constructor(root) {
    this.#root = root;
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
    root.addEventListener("pointermove", (event) => {
      if (root.hasPointerCapture(event.pointerId)) this.#follow(event);
    });
    divider.addEventListener("keydown", (event) => this.#key(event));
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

  clear() { this.#last = null; }

  #redraw() {
    if (!this.#last) return;
    const [before, after] = this.#last;
    const { width, height } = after;
    const upright = this.#view === "beside" && window.matchMedia("(orientation: portrait)").matches;
    const columns = this.#view === "beside" && !upright ? 2 : 1;
    const rows = upright ? 2 : 1;
    this.#root.dataset.upright = upright;
    this.#resize(width * columns, height * rows);
    const context = this.#canvas.getContext("2d");
    const put = (picture, left, right, x, y) => {
      if (right <= left) return;
      const scale = picture.width / width;
      context.drawImage(
        picture.image,
        picture.x + left * scale, picture.y, (right - left) * scale, picture.height,
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

  #resize(width, height) {
    if (this.#canvas.width === width && this.#canvas.height === height) return;
    this.#canvas.width = width;
    this.#canvas.height = height;
    this.#root.style.setProperty("--ratio", width / height);
  }

  #grab(event) {
    if (this.#view !== "split" || event.button !== 0) return;
    this.#root.setPointerCapture(event.pointerId);
    this.#divider.focus({ preventScroll: true });
    this.#follow(event);
    event.preventDefault();
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
