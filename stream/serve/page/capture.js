// Keeps what is on a canvas: as a picture, or as a video while it goes on.

const RATE = 30;
const BITS = 12e6;

export function snapshot(canvas) {
  canvas.toBlob((blob) => blob && save(blob, "png"), "image/png");
}

export class Recorder {
  #button;
  #recorder = null;

  constructor(button) {
    this.#button = button;
    button.hidden = !("MediaRecorder" in window);
  }

  toggle(canvas) {
    if (this.#recorder) return this.stop();
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
