// How things are said on the page.

export function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

export function size(bytes) {
  return bytes < 1 << 30 ? `${Math.ceil(bytes / (1 << 20))} MB` : `${(bytes / (1 << 30)).toFixed(1)} GB`;
}

export function clock(seconds) {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

const QUALITIES = { auto: "Automatic", tiny: "Fast", small: "Balanced", base: "Best" };

// What a model is to somebody who has not trained it.
export function quality(model) { return QUALITIES[model] ?? model; }
