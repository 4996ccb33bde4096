"use strict";
// Shows the parts of the picture that belong to one step, and goes from step to step.
const slider = document.getElementById("step");
const parts = [...document.querySelectorAll("[data-from]")];
const told = [...document.querySelectorAll("#steps li")].map((line) => line.textContent);
const last = Number(slider.max);
let clock = 0;

function show(step) {
  step = Math.min(Math.max(step, 0), last);
  slider.value = step;
  for (const part of parts) {
    const there = Number(part.dataset.from) <= step && step < Number(part.dataset.to);
    if (there) part.removeAttribute("display");
    else part.setAttribute("display", "none");
  }
  document.getElementById("place").textContent = `${step + 1} / ${last + 1}`;
  document.getElementById("told").textContent = told[step] ?? "";
  history.replaceState(null, "", `#${step + 1}`); // a link to this step
}

function play(wanted) {
  clearInterval(clock);
  clock = wanted ? setInterval(() => show(Number(slider.value) < last ? Number(slider.value) + 1 : 0), 700) : 0;
  const button = document.getElementById("play");
  button.textContent = wanted ? "❚❚" : "▶";
  button.setAttribute("aria-label", wanted ? "Pause" : "Play");
}

function go(step) {
  play(false);
  show(step);
}

slider.addEventListener("input", () => go(Number(slider.value)));
document.getElementById("back").addEventListener("click", () => go(Number(slider.value) - 1));
document.getElementById("on").addEventListener("click", () => go(Number(slider.value) + 1));
document.getElementById("play").addEventListener("click", () => play(!clock));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const steps = { ArrowLeft: Number(slider.value) - 1, ArrowRight: Number(slider.value) + 1, Home: 0, End: last };
  if (event.key in steps) go(steps[event.key]);
  else if (event.key === " " && document.activeElement?.tagName !== "BUTTON") play(!clock);
  else return;
  event.preventDefault();
});
show((Number(location.hash.slice(1)) || 1) - 1);
