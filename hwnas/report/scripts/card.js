// A network as a card: its numbers, its drawing, its layers.
function numbers(run, i) {
  const order = [run.data.quality, ...run.costs];
  return el("dl", { class: "facts" }, order.map((k) => {
    const between = run.interval(i, k), o = run.objectives[k];
    const shown = [run.text(i, k), between ? el("span", { class: "interval" }, ` (${between})`) : ""];
    return el("div", {}, el("dt", {}, o.label), el("dd", {}, ...shown));
  }));
}

function picture(run, i) {
  const kit = run.data.picture, layers = kit.of[i].map((n) => kit.layers[n]);
  const spoken = `${run.name(i)}: ${layers.map((layer) => layer.box.title).join("; ")}`;
  return svg("svg", { class: "network", viewBox: `0 0 ${kit.width} ${kit.height}`, width: kit.width, height: kit.height, role: "img", "aria-label": spoken },
    [...kit.fixed, ...layers.map((layer) => layer.box)].map(box),
    kit.splits.map((x) => svg("line", { x1: x, x2: x, y1: 0, y2: kit.height - 2, class: "split" })),
    layers.map(({ digit }) => svg("text", { x: digit.x, y: digit.y, "text-anchor": digit.anchor, class: digit.kind }, digit.text)));
}

function box(drawn) {
  const { x, y, width, height, rx, kind, title } = drawn;
  return svg("g", {}, title ? svg("title", {}, title) : "", svg("rect", { x, y, width, height, rx, class: kind }));
}

// Every layer with its share of each cost
function layerTable(run, i) {
  const { names, costs, of } = run.data.layers, layers = of[i];
  const sums = costs.map((cost) => layers.reduce((sum, n) => sum + cost.values[n], 0));
  const head = el("tr", { role: "row" }, ["Layer", ...costs.map((c) => `Share of ${c.title}`)].map((title) => el("th", { scope: "col", role: "columnheader" }, title)));
  const rows = layers.map((n, place) => el("tr", { role: "row" },
    el("th", { scope: "row", role: "rowheader" }, `${place + 1}. ${names[n]}`),
    costs.map((cost, c) => share(cost.values[n] / (sums[c] || 1), cost.title))));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Layers of the network" },
    el("table", { role: "table", class: "numbers layers" }, el("caption", {}, `Layers of ${run.name(i)}`),
      el("thead", { role: "rowgroup" }, head), el("tbody", { role: "rowgroup" }, rows)));
}

function share(part, title) {
  const percent = `${(100 * part).toFixed(1)} %`;
  const bar = el("span", { class: "bar", "aria-hidden": "true" });
  bar.style.width = `${Math.max(1, 100 * part)}px`;
  return el("td", { role: "cell", "data-title": `Share of ${title}` }, bar, percent);
}
