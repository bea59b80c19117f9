// The sliders, each with a field for exact numbers, and the best network within.
function bindLimits(run) {
  const form = run.article.querySelector(".limits");
  if (!form) return;
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const box of form.querySelectorAll(".limit")) {
    const k = Number(box.dataset.objective), [number, slider] = box.querySelectorAll("input");
    slider.addEventListener("input", () => {
      number.value = slider.value;
      setLimit(run, k, slider, Number(slider.value));
    });
    number.addEventListener("change", () => {
      const value = Number.parseFloat(number.value);
      if (Number.isFinite(value)) slider.value = value;
      setLimit(run, k, slider, Number.isFinite(value) ? value : null);
    });
  }
  form.querySelector(".reset").addEventListener("click", () => setAll(run, form, run.own()));
  form.querySelector(".free")?.addEventListener("click", () => setAll(run, form, run.objectives.map(() => null)));
  run.listeners.push(() => showFit(run));
}

// At the end of its range a slider limits nothing
function setLimit(run, k, slider, value) {
  const end = Number(run.objectives[k].minimise ? slider.max : slider.min);
  const free = value === null || (run.objectives[k].minimise ? value >= end : value <= end);
  run.limits[k] = free ? null : value;
  run.change();
}

function setAll(run, form, limits) {
  run.limits = limits;
  for (const box of form.querySelectorAll(".limit")) {
    const k = Number(box.dataset.objective), [number, slider] = box.querySelectorAll("input");
    slider.value = number.value = limits[k] ?? (run.objectives[k].minimise ? slider.max : slider.min);
  }
  run.change();
}

function showFit(run) {
  const card = run.article.querySelector(".fit"), view = run.view();
  card.replaceChildren(...(view.best === null ? nothing(run) : fit(run, view)));
}

function nothing(run) {
  const possible = run.all.filter((i) => run.inBrush(i) && run.costs.every((k) => run.keeps(i, k, false))).length;
  const said = possible ? `${possible} may, by the point prediction of the latency only.` : "Move a limit to have some.";
  return [el("h3", {}, "No evaluated network is certain to keep these limits"), el("p", {}, said)];
}

function fit(run, view) {
  const { best, count, tied } = view;
  const brushed = Object.keys(run.brushed).length ? " and brushes" : "";
  const kept = `${count.toLocaleString("en-US")} of ${run.all.length.toLocaleString("en-US")} networks are within the limits${brushed}.`;
  return [
    el("h3", {}, "Best within: ", run.name(best)),
    numbers(run, best),
    el("p", { class: "note" }, kept, " ", ties(run, best, tied)),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Drawing of the network" }, picture(run, best)),
    el("p", {}, el("button", { type: "button", onclick: () => show(run, best) }, "Show its layers")),
  ];
}

function ties(run, best, tied) {
  if (!tied.length) return "";
  const { main } = run.data, quick = tied.reduce((a, b) => (run.order(b, a, main) < 0 ? b : a));
  const others = tied.length === 1 ? `${run.name(tied[0])} ties with it` : `${tied.length} others tie with it`;
  const lower = run.order(quick, best, main) < 0;
  return `${others} in accuracy${lower ? `; ${run.name(quick)} has ${run.text(quick, main)} at ${run.text(quick, run.data.quality)}` : ""}.`;
}
