"use strict";

// Tables: a button in each head sorts, once more turns it round; what is empty stays below.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const key = (row, column) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const way = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const body = table.tBodies[0];
      const rows = [...body.rows];
      const filled = rows.filter((row) => key(row, column) !== "");
      const numeric = filled.every((row) => !Number.isNaN(Number(key(row, column))));
      const compare = (a, b) => (numeric ? a - b : a < b ? -1 : a > b ? 1 : 0);
      filled.sort((a, b) => way * compare(key(a, column), key(b, column)));
      body.append(...filled, ...rows.filter((row) => key(row, column) === ""));
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
    });
  });
}

// Figures: drawn when they come near the window, and again when light turns dark.
const style = getComputedStyle(document.documentElement);
const named = /^var\((--[a-z]+)\)$/;
const coloured = (_, value) => {
  const match = typeof value === "string" && named.exec(value);
  return match ? style.getPropertyValue(match[1]).trim() : value;
};
const touched = matchMedia("(pointer: coarse)").matches;
const draw = (plot) => {
  const figure = JSON.parse(plot.nextElementSibling.textContent, coloured);
  if (touched) figure.layout.dragmode = false; // a finger that scrolls does not zoom
  Plotly.react(plot, figure.data, figure.layout, { displayModeBar: false, responsive: true });
};
const plots = [...document.querySelectorAll(".plot")];
const near = new IntersectionObserver(
  (entries) => {
    for (const entry of entries.filter((entry) => entry.isIntersecting)) {
      near.unobserve(entry.target);
      draw(entry.target);
    }
  },
  { rootMargin: "600px" },
);
plots.forEach((plot) => near.observe(plot));
const isDrawn = (plot) => plot.classList.contains("js-plotly-plot");
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.filter(isDrawn).forEach(draw));
addEventListener("beforeprint", () => plots.filter((plot) => !isDrawn(plot)).forEach(draw));
