// Keeps what is shown: as a picture, or as a video while it goes on.

const RATE = 30;
const BITS = 12e6;

export function snapshot(compare) {
  const canvas = compare.copy();
  compare.endCopy();
  canvas?.toBlob((blob) => blob && save(blob, "png"), "image/png");
}

export class Recorder {
  #button;
  #compare;
  #recorder = null;

  constructor(button, compare) {
    this.#button = button;
    this.#compare = compare;
    button.hidden = !("MediaRecorder" in window);
    button.addEventListener("click", () => (this.#recorder ? this.stop() : this.#start()));
  }

  #start() {
    const canvas = this.#compare.copy();
    if (!canvas) return;
    const mimeType = ["video/mp4;codecs=avc1", "video/webm;codecs=vp9", "video/webm"]
      .find((type) => MediaRecorder.isTypeSupported(type));
    const recorder = new MediaRecorder(canvas.captureStream(RATE), { mimeType, videoBitsPerSecond: BITS });
    const parts = [];
    recorder.ondataavailable = ({ data }) => parts.push(data);
    recorder.onstop = () => save(new Blob(parts, { type: recorder.mimeType }), recorder.mimeType.includes("mp4") ? "mp4" : "webm");
    recorder.start();
    this.#recorder = recorder;
    this.#show();
  }

  // Ends a recording, if there is one, and saves it.
  stop() {
    this.#compare.endCopy();
    this.#recorder?.stop();
    this.#recorder = null;
    this.#show();
  }

  #show() {
    this.#button.textContent = this.#recorder ? "Save recording" : "Record";
    this.#button.setAttribute("aria-pressed", Boolean(this.#recorder));
  }
}

function save(blob, suffix) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `deblur-${new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-")}.${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
