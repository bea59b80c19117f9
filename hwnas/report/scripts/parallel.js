// All objectives side by side, a line a network, better always up; along an axis networks are brushed.
const PLOT = { width: 1000, height: 330, left: 70, right: 70, top: 52, bottom: 30 };
const STEP = 0.04; // of an axis, a key press

function bindParallel(run) {
  const place = run.article.querySelector(".parallel");
  if (!place) return;
  const scale = run.objectives.map((o) => axisOf(o)), lines = run.all.map((i) => lineOf(run, scale, i));
  const drawn = svg("g", {}, lines), axes = run.objectives.map((o, k) => axisBox(run, scale, k));
  place.append(svg("svg", { viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, class: "lines" }, drawn, axes));
  run.article.querySelector(".unbrush").addEventListener("click", () => {
    run.brushed = {};
    run.change();
  });
  run.listeners.push(() => paint(run, drawn, lines, scale));
}

// Where a value stands on its axis, in px, and back
function axisOf(objective) {
  const low = Math.min(...objective.values), high = Math.max(...objective.values), span = high - low || 1;
  const tall = PLOT.height - PLOT.top - PLOT.bottom;
  const best = objective.minimise ? low : high, sign = objective.minimise ? 1 : -1;
  return {
    best, worst: objective.minimise ? high : low,
    y: (value) => PLOT.top + (tall * sign * (value - best)) / span,
    value: (y) => best + (sign * span * (Math.min(Math.max(y, PLOT.top), PLOT.top + tall) - PLOT.top)) / tall,
  };
}

const across = (run, k) => PLOT.left + (k * (PLOT.width - PLOT.left - PLOT.right)) / (run.objectives.length - 1);

function lineOf(run, scale, i) {
  const points = run.objectives.map((o, k) => `${across(run, k).toFixed(1)},${scale[k].y(o.values[i]).toFixed(1)}`);
  return svg("polyline", { points: points.join(" "), onclick: () => run.pick(i) }, svg("title", {}, run.name(i)));
}

function axisBox(run, scale, k) {
  const o = run.objectives[k], x = across(run, k), top = PLOT.top, end = PLOT.height - PLOT.bottom;
  const brush = svg("rect", { class: "brush", x: x - 9, width: 18, y: top, height: 0 });
  const ticks = [0, 1, 2, 3, 4].map((n) => {
    const y = top + (n * (end - top)) / 4;
    return svg("text", { x: x + 6, y: y + 4, class: "note" }, significant(scale[k].value(y)));
  });
  const handle = svg("g", { class: "axis", tabindex: 0, role: "slider", "aria-orientation": "vertical", "aria-label": `${o.title}, brushed`, "aria-valuemin": 0, "aria-valuemax": 100 },
    svg("rect", { class: "reach", x: x - 20, width: 40, y: top - 12, height: end - top + 24 }),
    svg("line", { x1: x, x2: x, y1: top, y2: end }), brush, ticks,
    svg("text", { x, y: top - 32, "text-anchor": "middle", class: "name" }, o.label),
    svg("text", { x, y: top - 17, "text-anchor": "middle", class: "note" }, o.unit));
  handle.addEventListener("pointerdown", (event) => drag(run, scale, k, handle, event));
  handle.addEventListener("keydown", (event) => press(run, scale, k, event));
  return handle;
}

function drag(run, scale, k, handle, event) {
  event.preventDefault();
  handle.focus();
  handle.setPointerCapture(event.pointerId);
  const at = (e) => new DOMPoint(e.clientX, e.clientY).matrixTransform(handle.ownerSVGElement.getScreenCTM().inverse()).y;
  const from = at(event);
  const move = (e) => { if (Math.abs(at(e) - from) > 3) setBrush(run, k, scale[k].value(from), scale[k].value(at(e))); };
  const done = (e) => {
    handle.removeEventListener("pointermove", move);
    if (Math.abs(at(e) - from) <= 3) clearBrush(run, k);
  };
  handle.addEventListener("pointermove", move);
  handle.addEventListener("pointerup", done, { once: true });
}

// Arrows move the worse end of what is kept; the better end is the axis's own
function press(run, scale, k, event) {
  const by = { ArrowUp: STEP, ArrowRight: STEP, ArrowDown: -STEP, ArrowLeft: -STEP }[event.key];
  if (event.key === "Escape") clearBrush(run, k);
  if (by === undefined) return;
  event.preventDefault();
  const { best, worst } = scale[k], now = run.brushed[k] ? worstOf(run, k) : worst;
  const share = Math.min(1, Math.max(0, (now - worst) / (best - worst || 1) + by));
  if (share <= 0) clearBrush(run, k); else setBrush(run, k, worst + share * (best - worst), best);
}

const worstOf = (run, k) => run.brushed[k][0][run.objectives[k].minimise ? 1 : 0];

function setBrush(run, k, a, b) {
  run.brushed = { ...run.brushed, [k]: [[Math.min(a, b), Math.max(a, b)]] };
  run.change();
}

function clearBrush(run, k) {
  const { [k]: _, ...others } = run.brushed;
  run.brushed = others;
  run.change();
}

function paint(run, drawn, lines, scale) {
  const { mask, front, best } = run.view(), onFront = new Set(front);
  lines.forEach((line, i) => line.setAttribute("class", i === best ? "on-best" : !mask[i] ? "outside" : onFront.has(i) ? "on-front" : ""));
  drawn.append(...lines.filter((_, i) => onFront.has(i)), ...(best === null ? [] : [lines[best]]));
  drawn.parentNode.querySelectorAll(".axis").forEach((handle, k) => {
    const kept = run.brushed[k]?.[0], ends = kept ? kept.map((value) => scale[k].y(value)) : [PLOT.top, PLOT.top], o = run.objectives[k];
    const brush = handle.querySelector(".brush");
    brush.setAttribute("y", Math.min(...ends));
    brush.setAttribute("height", Math.abs(ends[1] - ends[0]));
    const said = kept ? `${significant(kept[0])} to ${significant(kept[1])} ${o.unit}` : "everything";
    handle.setAttribute("aria-valuetext", said);
    handle.setAttribute("aria-valuenow", kept ? Math.round(100 * Math.abs(kept[1] - kept[0]) / (Math.abs(scale[k].best - scale[k].worst) || 1)) : 100);
  });
}
