// A page of `hwnas watch` asks its server whether there is something new, and then shows it where the reader is.
const EVERY = 2000; // ms

function watchRuns(refresh) {
  const status = document.querySelector(".live");
  if (!status) return;
  let version = null;
  const ask = async () => {
    try {
      const found = await (await fetch("state.json", { cache: "no-store" })).json();
      if (version !== null && found.version !== version) await refresh(await (await fetch("part.html", { cache: "no-store" })).text());
      version = found.version;
      document.querySelector(".live").textContent = found.text;
    } catch {
      document.querySelector(".live").textContent = "hwnas watch has ended, or cannot be reached: this is what it showed last.";
    }
    setTimeout(ask, EVERY);
  };
  ask();
}

// What the reader has set, by run, so that it outlives the new page
function kept(runs) {
  return Object.fromEntries(runs.map((run) => [run.article.id, {
    limits: run.data && [...run.limits], brushed: run.brushed, axes: { ...run.axes }, whole: run.whole,
    picked: run.data && run.picked !== null ? run.data.ids[run.picked] : null,
    moved: run.data && JSON.stringify(run.limits) !== JSON.stringify(run.own()),
  }]));
}

function restore(run, before) {
  if (!before || !run.data) return;
  const form = run.article.querySelector(".limits"), picked = run.data.ids.indexOf(before.picked);
  if (form && before.moved && before.limits.length === run.limits.length) setAll(run, form, before.limits);
  Object.assign(run, { brushed: before.brushed, whole: before.whole, picked: picked < 0 ? null : picked });
  for (const select of run.article.querySelectorAll("select[data-axis]")) {
    if (before.axes[select.dataset.axis] !== undefined) select.value = run.axes[select.dataset.axis] = before.axes[select.dataset.axis];
  }
  const whole = run.article.querySelector(".whole");
  if (whole) whole.checked = run.whole;
}
