// Plotly's figures in the page's colours, which change with its theme.
const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Colours that are CSS variables become what these stand for; hover texts are stored once for all figures of a run
function resolve(value, key, texts) {
  if (typeof value === "string") return /color$/i.test(key) ? value.replace(/^var\((.*)\)$/, (_, name) => variable(name)) : value;
  if (Array.isArray(value)) return value.map((item) => (item && typeof item === "object" ? resolve(item, key, texts) : item));
  if (value === null || typeof value !== "object") return value;
  const result = Object.fromEntries(Object.entries(value).map(([name, item]) => [name, resolve(item, name, texts)]));
  if (Array.isArray(result.customdata)) result.hovertext = result.customdata.map((i) => texts[i]);
  return result;
}

function themed(layout) {
  const axis = { gridcolor: variable("--grid"), linecolor: variable("--grid"), color: variable("--soft") };
  const result = resolve(layout, "", []);
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
