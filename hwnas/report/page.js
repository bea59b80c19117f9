"use strict";
// Draws the figures that stand as JSON in the page, with the page's colours, and again when the theme changes.
(() => {
  const store = JSON.parse(document.getElementById("figures").textContent);
  const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Colours that are CSS variables become what these stand for; hover texts are stored once for all figures
  function resolve(value, key) {
    if (typeof value === "string") return /color$/i.test(key) ? value.replace(/^var\((.*)\)$/, (_, name) => variable(name)) : value;
    if (Array.isArray(value)) return value.map((item) => (item && typeof item === "object" ? resolve(item, key) : item));
    if (value === null || typeof value !== "object") return value;
    const result = Object.fromEntries(Object.entries(value).map(([name, item]) => [name, resolve(item, name)]));
    if (Array.isArray(result.customdata)) result.hovertext = result.customdata.map((i) => store.texts[i]);
    return result;
  }

  function themed(layout) {
    const axis = { gridcolor: variable("--grid"), linecolor: variable("--grid"), color: variable("--soft") };
    const result = resolve(layout, "");
    for (const name of ["xaxis", "yaxis"]) if (result[name]) Object.assign(result[name], axis);
    const wall = { ...axis, gridcolor: variable("--line"), backgroundcolor: variable("--wall") };
    for (const name of ["xaxis", "yaxis", "zaxis"]) if (result.scene) Object.assign(result.scene[name], wall);
    return Object.assign(result, {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: variable("--sans"), size: 12, color: variable("--soft") },
      hoverlabel: { bgcolor: variable("--panel"), bordercolor: variable("--grid"), align: "left",
                    font: { family: variable("--sans"), size: 12, color: variable("--ink") } },
    });
  }

  async function draw() {
    let drawn = 0;
    for (const box of document.querySelectorAll("[data-figure]")) {
      const spec = store.figures[box.dataset.figure];
      const config = { responsive: true, displaylogo: false, scrollZoom: false,
                       displayModeBar: false };
      try {
        await Plotly.react(box, resolve(spec.data, ""), themed(spec.layout), config);
        drawn += 1;
      } catch (error) {
        box.textContent = "This figure could not be drawn: " + error.message;
        console.error(error);
      }
    }
    document.documentElement.dataset.drawn = String(drawn);
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
})();
