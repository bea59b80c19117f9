// Figures, drawn by their specification; those of networks are filled by what the limits leave.
const CONFIG = { responsive: true, displaylogo: false, scrollZoom: false, displayModeBar: false };
const ROOM = 0.08; // about the front, of its extent
const SIZES = [7, 16]; // of markers, px

// The networks of each kind of trace
function roles(run, columns) {
  const view = run.view(), front = new Set(view.front);
  const byX = (i, j) => run.objectives[columns[0]].values[i] - run.objectives[columns[0]].values[j];
  return {
    outside: run.all.filter((i) => !view.mask[i]),
    rest: run.all.filter((i) => view.mask[i] && !front.has(i)),
    front: view.front,
    pair: columns.length === 2 ? run.front(columns, view.mask).sort(byX) : [],
    letters: Object.keys(run.data.letters).map(Number).filter((i) => columns.length === 2 || view.mask[i]),
    best: view.best === null ? [] : [view.best],
  };
}

function filled(trace, run, indices, columns) {
  const found = { ...trace, customdata: indices };
  ["x", "y", "z"].slice(0, columns.length).forEach((axis, n) => {
    found[axis] = indices.map((i) => run.objectives[columns[n]].values[i]);
  });
  if (trace.meta === "letters") found.text = indices.map((i) => (columns.length === 3 ? `<b>${run.data.letters[i]}</b>` : run.data.letters[i]));
  return found;
}

function panelColumns(run, box) {
  const x = Number(box.dataset.x), y = run.axes.panel;
  return x === y ? [x, run.data.quality] : [x, y];
}

function projection(spec, run, box) {
  const columns = panelColumns(run, box), found = roles(run, columns), [x, y] = columns.map((k) => run.objectives[k]);
  const data = spec.data.map((trace) => filled(trace, run, found[trace.meta], columns));
  data.filter((trace) => trace.meta === "pair").forEach((trace) => { trace.line = { ...trace.line, shape: x.minimise ? "hv" : "vh" }; });
  const layout = { ...spec.layout, shapes: [], annotations: [] };
  const shown = [...found.pair, ...found.best, ...found.letters.filter((i) => run.view().mask[i])];
  [["xaxis", x], ["yaxis", y]].forEach(([name, o]) => {
    const ends = run.whole ? null : extent(shown.map((i) => o.values[i]));
    layout[name] = { ...layout[name], title: { ...layout[name].title, text: o.axis }, range: ends ?? undefined, autorange: !ends };
  });
  columns.forEach((k, n) => line(layout, n ? "y" : "x", run.limits[k], layout[n ? "yaxis" : "xaxis"].range, run.objectives[k]));
  return { data, layout };
}

function extent(values) {
  if (values.length < 2) return null;
  const low = Math.min(...values), high = Math.max(...values), room = ROOM * (high - low) || ROOM * Math.abs(high) || 1;
  return [low - 2 * room, high + room];
}

// A line at a limit; not at a far one, which would squeeze everything into a corner
function line(layout, axis, limit, shown, objective) {
  const ends = shown ?? [Math.min(...objective.values), Math.max(...objective.values)], room = 0.1 * (ends[1] - ends[0]);
  if (limit === null || limit > ends[1] + room || limit < ends[0] - room) return;
  if (shown) layout[`${axis}axis`].range = [Math.min(ends[0], limit), Math.max(ends[1], limit)];
  const other = axis === "x" ? "y" : "x";
  const across = { [`${axis}0`]: limit, [`${axis}1`]: limit, [`${other}ref`]: "paper", [`${other}0`]: 0, [`${other}1`]: 1 };
  layout.shapes.push({ type: "line", ...across, line: { dash: "dot", width: 1.5, color: "var(--ink)" } });
}

function space(spec, run) {
  const { x, y, z, colour, size } = run.axes, columns = [x, y, z], found = roles(run, columns);
  const data = spec.data.map((trace) => filled(trace, run, found[trace.meta] ?? [], columns));
  const front = data.find((trace) => trace.meta === "front"), values = (k) => front.customdata.map((i) => run.objectives[k].values[i]);
  front.marker = { ...front.marker };
  if (colour !== undefined) {
    front.marker.color = values(colour);
    front.marker.colorbar = { ...front.marker.colorbar, title: { ...front.marker.colorbar.title, text: run.objectives[colour].axis } };
  }
  if (size !== undefined) front.marker.size = sizes(values(size));
  const scene = { ...spec.layout.scene };
  [["xaxis", x], ["yaxis", y], ["zaxis", z]].forEach(([name, k]) => {
    scene[name] = { ...scene[name], title: { ...scene[name].title, text: run.objectives[k].axis } };
  });
  return { data, layout: { ...spec.layout, scene, uirevision: "kept" } };
}

function sizes(values) {
  const low = Math.min(...values), span = Math.max(...values) - low;
  return values.map((v) => SIZES[0] + (SIZES[1] - SIZES[0]) * (span ? (v - low) / span : 0.3));
}

function specOf(box, run) {
  const key = box.dataset.figure, spec = run.figures[key];
  if (!run.data) return spec;
  if (box.dataset.x !== undefined) return projection(spec, run, box);
  return key === "front" ? space(spec, run) : spec;
}

async function drawBox(box, run) {
  const spec = specOf(box, run);
  try {
    await Plotly.react(box, resolve(spec.data, "", run.texts), themed(spec.layout), CONFIG);
  } catch (error) {
    box.textContent = "This figure could not be drawn: " + error.message;
    console.error(error);
    return 0;
  }
  if (run.data && !box.dataset.heard) listen(box, run);
  return 1;
}

function listen(box, run) {
  box.dataset.heard = "yes";
  if (box.dataset.x === undefined && box.dataset.figure !== "front") return;
  box.on("plotly_click", (event) => {
    const network = event.points[0]?.customdata;
    if (Number.isInteger(network)) run.pick(network);
  });
}

// Figures of networks
function redraw(run) {
  for (const box of run.article.querySelectorAll("[data-x], [data-figure=front]")) drawBox(box, run);
}
