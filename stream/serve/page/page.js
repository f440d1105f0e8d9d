// The tabs, the view buttons and the keys; what each tab does is in its own file.

import { VIEWS } from "./compare.js";
import * as live from "./live.js";
import * as recorded from "./recorded.js";

const panels = { live, recorded };
const tabs = [...document.querySelectorAll("[role=tab]")];
const shown = () => document.querySelector("[role=tabpanel]:not([hidden])");

function open(tab) {
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", chosen);
    other.tabIndex = chosen ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
  }
  history.replaceState(null, "", `${location.pathname}#${tab.getAttribute("aria-controls")}`);
}

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
// also takes the token out of the address bar: the cookie has it now
open(tabs.find((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash) ?? tabs[0]);

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
  const screen = panel.querySelector("[data-fullscreen]");
  if (document.fullscreenEnabled) screen.addEventListener("click", fullscreen);
  else screen.hidden = true;
}

function fullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else shown().querySelector(".stage").requestFullscreen();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, button, a")) return;
  const view = shown().querySelectorAll("[data-views] button")[event.key - 1];
  if (view) view.click();
  else if (event.key === " " && shown().id === "recorded") recorded.toggle();
  else if (event.key === "f" && document.fullscreenEnabled) fullscreen();
  else return;
  event.preventDefault();
});

const about = await (await fetch("about")).json();
document.getElementById("about").textContent = `${about.model} on ${about.device}`;
document.getElementById("model").textContent = about.model;
recorded.setLimits(about);
