// The tabs, the view buttons and the keys; what each tab does is in its own file.

import { askPatiently } from "./ask.js";
import { VIEWS } from "./compare.js";
import * as demo from "./demo.js";
import * as live from "./live.js";
import * as recorded from "./recorded.js";
import { quality } from "./words.js";

const panels = { live, recorded };
const tabs = [...document.querySelectorAll("[role=tab]")];
const shown = () => document.querySelector("[role=tabpanel]:not([hidden])");

// The address names the tab, and of recorded videos the one on the stage: #recorded/NAME.
function route() {
  const [name, video] = location.hash.slice(1).split("/");
  const tab = tabs.find((one) => one.getAttribute("aria-controls") === name) ?? tabs[0];
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", chosen);
    other.tabIndex = chosen ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
  }
  if (tab === tabs[1]) recorded.restore(video);
  live.setShown(tab === tabs[0]);
  demo.update();
}

function open(tab) {
  const address = `#${tab.getAttribute("aria-controls")}`;
  if (location.hash !== address) history.pushState(null, "", address);
  route();
}

for (const name of ["popstate", "hashchange"]) addEventListener(name, route);

for (const [index, tab] of tabs.entries()) {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const next = tabs[(index + step + tabs.length) % tabs.length];
    next.focus();
    open(next);
  });
}
// the token is in a cookie now, and nobody's business in the address bar
history.replaceState(null, "", `${location.pathname}${location.hash || "#live"}`);
route();

for (const [name, { compare }] of Object.entries(panels)) {
  const panel = document.getElementById(name);
  const group = panel.querySelector("[data-views]");
  const buttons = Object.entries(VIEWS).map(([view, text], index) => {
    const button = document.createElement("button");
    button.textContent = text;
    button.dataset.view = view;
    button.title = `${text} (${index + 1})`;
    button.addEventListener("click", () => {
      compare.view = view;
      for (const other of buttons) other.setAttribute("aria-pressed", other === button);
    });
    button.setAttribute("aria-pressed", view === compare.view);
    return button;
  });
  group.append(...buttons);
  const { zoom } = compare;
  const ways = { "−": ["Smaller (−)", () => zoom.further()], "Fit": ["Fit: all of the picture (0)", () => zoom.fit()],
    "1:1": ["1:1: one pixel for one (double click)", () => zoom.toggle()], "+": ["Larger (+)", () => zoom.nearer()] };
  panel.querySelector("[data-zoom]").append(...Object.entries(ways).map(([text, [words, action]]) => {
    const button = Object.assign(document.createElement("button"), { textContent: text, title: words });
    button.setAttribute("aria-label", words);
    button.addEventListener("click", action);
    return button;
  }));
  const screen = panel.querySelector("[data-fullscreen]");
  if (document.fullscreenEnabled) screen.addEventListener("click", fullscreen);
  else screen.hidden = true;
}

function fullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else shown().querySelector(".stage").requestFullscreen();
}

const zoomOf = (panel) => panels[panel.id].compare.zoom;

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, button, a")) return;
  const view = shown().querySelectorAll("[data-views] button")[event.key - 1];
  if (view) view.click();
  else if (event.key === " " && shown().id === "recorded") recorded.toggle();
  else if (event.key === "," || event.key === ".") recorded.step(event.key === "," ? -1 : 1);
  else if (event.key === "+" || event.key === "=") zoomOf(shown()).nearer();
  else if (event.key === "-") zoomOf(shown()).further();
  else if (event.key === "0") zoomOf(shown()).fit();
  else if (event.key === "f" && document.fullscreenEnabled) fullscreen();
  else return;
  event.preventDefault();
});

for (const slider of document.querySelectorAll(".strength input")) {
  slider.addEventListener("input", () => showStrength(slider));
}

function showStrength(slider) {
  slider.parentElement.querySelector("output").textContent = `${Math.round(100 * slider.value)} %`;
}

demo.load().catch(() => {}); // it is no more than an example
const about = await askPatiently("about");
document.getElementById("about").textContent = `Works on the ${about.device.toUpperCase()}`;
const choices = { live: [about.models, about.model], recorded: [about.recorded_models, about.recorded_model] };
for (const [panel, [models, model]] of Object.entries(choices)) {
  const select = document.getElementById(`${panel}-model`);
  select.replaceChildren(...models.map((name) => new Option(quality(name), name)));
  select.value = model;
  const slider = document.getElementById(`${panel}-strength`);
  slider.value = about.strength;
  showStrength(slider);
}
live.showModel();
recorded.setLimits(about);
