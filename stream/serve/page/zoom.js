// Where both pictures are looked at: how much they are enlarged, and about which point. Wheel and
// pinch enlarge about the pointer, a double click goes to one pixel for one and back, dragging moves.

const STEP = 1.25; // per key or button
const LONGEST = 32; // device pixels for one of the picture

export class Zoom {
  #pane; // gives {x, y, width, height, picture: {width, height}} in device pixels under a pointer
  #changed;
  #pointers = new Map();
  scale = 1; // 1 shows the whole picture
  x = 0.5; // the middle of what is seen, as a share of the picture
  y = 0.5;

  constructor(pane, changed) {
    this.#pane = pane;
    this.#changed = changed;
  }

  get active() { return this.scale > 1.001; }

  // What a pane shows of a picture, in pixels of the picture.
  part({ width, height }) {
    const wide = width / this.scale;
    const high = height / this.scale;
    return { x: this.x * width - wide / 2, y: this.y * height - high / 2, width: wide, height: high };
  }

  // Enlarge by a factor about a place of the pane, both from 0 to 1.
  by(factor, u = 0.5, v = 0.5) {
    const scale = Math.min(this.#limit(), Math.max(1, this.scale * factor));
    this.#go(scale, this.x + (u - 0.5) * (1 / this.scale - 1 / scale), this.y + (v - 0.5) * (1 / this.scale - 1 / scale));
  }

  nearer() { this.by(STEP); }
  further() { this.by(1 / STEP); }
  fit() { this.#go(1, 0.5, 0.5); }

  // One pixel of the picture for one of the screen; for a picture that is smaller, twice that.
  toggle(u = 0.5, v = 0.5) {
    if (this.active) return this.fit();
    const exact = this.#exact();
    this.by(exact > 1.05 ? exact : 2 * Math.max(1, exact), u, v);
  }

  wheel(event) {
    event.preventDefault();
    const { u, v } = this.#place(event);
    this.by(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015) * (event.ctrlKey ? 6 : 1)), u, v);
  }

  doubleClick(event) {
    const { u, v } = this.#place(event);
    this.toggle(u, v);
  }

  // Whether the pointers that are down are ours, by one (where it may pan) or by two.
  down(event) { this.#pointers.set(event.pointerId, event); return this.#pointers.size; }
  up(event) { this.#pointers.delete(event.pointerId); }

  move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const pane = this.#pane(event);
    const others = [...this.#pointers.values()].filter((other) => other !== before);
    this.#pointers.set(event.pointerId, event);
    const share = 1 / (1 + others.length);
    const moved = (from, to, length) => (share * (from - to)) / (length * this.scale);
    this.#go(this.scale, this.x + moved(before.clientX, event.clientX, pane.width), this.y + moved(before.clientY, event.clientY, pane.height));
    if (others.length !== 1) return;
    const apart = (one) => Math.hypot(one.clientX - others[0].clientX, one.clientY - others[0].clientY);
    const u = ((event.clientX + others[0].clientX) / 2 - pane.x) / pane.width;
    const v = ((event.clientY + others[0].clientY) / 2 - pane.y) / pane.height;
    if (apart(before) > 0) this.by(apart(event) / apart(before), u, v);
  }

  #place(event) {
    const pane = this.#pane(event);
    return { u: (event.clientX - pane.x) / pane.width, v: (event.clientY - pane.y) / pane.height };
  }

  #exact() {
    const { width, picture } = this.#pane();
    return picture.width / (width * devicePixelRatio);
  }

  #limit() { return Math.max(4, LONGEST * this.#exact()); }

  #go(scale, x, y) {
    const edge = 0.5 / scale; // nothing but the picture is seen
    this.scale = scale;
    this.x = Math.min(1 - edge, Math.max(edge, x));
    this.y = Math.min(1 - edge, Math.max(edge, y));
    this.#changed();
  }
}
