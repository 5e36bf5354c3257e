// The exported page's only script: opens a cell large, with all its settings. Data is set as text, never as HTML.
"use strict";

const { labels, varies } = JSON.parse(document.getElementById("labels").textContent);
const dialog = document.querySelector("dialog");
const figure = dialog.querySelector("figure");
const cells = [...document.querySelectorAll("button.cell")];
let shown = -1;

function show(at) {
  if (at < 0 || at >= cells.length) return;
  shown = at;
  const cell = cells[at];
  dialog.querySelector("h3").textContent = cell.getAttribute("aria-label");
  figure.classList.remove("actual");
  figure.replaceChildren(picture(cell));
  dialog.querySelector("dl").replaceChildren(...rows(JSON.parse(cell.dataset.values)));
  dialog.querySelector(".previous").disabled = at === 0;
  dialog.querySelector(".next").disabled = at === cells.length - 1;
  if (!dialog.open) dialog.showModal();
}

function picture(cell) {
  const small = cell.querySelector("img");
  if (!small) return element("p", cell.textContent);
  const large = new Image();
  large.src = small.src;
  large.alt = small.alt;
  return large;
}

function rows(values) {
  return values.map((value, at) => {
    const row = document.createElement("div");
    row.classList.toggle("differs", varies[at]);
    row.append(element("dt", varies[at] ? `≠ ${labels[at]}` : labels[at]), element("dd", value));
    return row;
  });
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  made.dir = "auto";
  return made;
}

cells.forEach((cell, at) => cell.addEventListener("click", () => show(at)));
figure.addEventListener("click", () => figure.classList.toggle("actual"));
dialog.querySelector(".previous").addEventListener("click", () => show(shown - 1));
dialog.querySelector(".next").addEventListener("click", () => show(shown + 1));
dialog.querySelector(".close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => cells[shown].focus());
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") show(shown - 1);
  if (event.key === "ArrowRight") show(shown + 1);
});
