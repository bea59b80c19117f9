// The network that was clicked or chosen: what it is made of, its engines.
function bindPicked(run) {
  const select = run.article.querySelector(".pick");
  if (!select) return;
  const { quality, main } = run.data;
  const order = [...run.all].sort((i, j) => run.order(i, j, quality) || run.order(i, j, main));
  select.append(...order.map((i) => el("option", { value: i }, `${run.name(i)}: ${run.text(i, quality)}, ${run.text(i, main)}`)));
  select.addEventListener("change", () => run.pick(Number(select.value)));
  run.listeners.push(() => showPicked(run, select));
}

function showPicked(run, select) {
  const i = run.picked ?? run.view().best ?? 0, card = run.article.querySelector(".picked");
  if (card.dataset.network === String(i) && card.dataset.within === String(run.view().mask[i])) return;
  Object.assign(card.dataset, { network: i, within: run.view().mask[i] });
  select.value = String(i);
  const outside = run.view().mask[i] ? "" : el("p", { class: "note over" }, "It is outside the limits above.");
  card.replaceChildren(
    el("h3", {}, run.name(i)), numbers(run, i), outside, ...engines(run, i),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Drawing of the picked network" }, picture(run, i)),
    layerTable(run, i));
}

function engines(run, i) {
  const found = run.data.engines.filter((engine) => engine.network === run.data.ids[i]);
  if (!found.length) return [el("p", { class: "note" }, "No engine of it has been exported.")];
  return [el("ul", { class: "engines" }, found.map((engine) => el("li", {},
    engine.link ? el("a", { href: engine.link }, engine.name) : engine.name, ` ${engine.facts} `,
    engine.link ? el("a", { href: `${engine.link}/datasheet.md` }, "datasheet") : "")))];
}

// To the card of a network, from anywhere on the page
function show(run, i) {
  run.pick(i);
  const section = run.article.querySelector(".one"), still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  section.scrollIntoView({ behavior: still ? "auto" : "smooth", block: "start" });
  run.article.querySelector(".pick").focus({ preventScroll: true });
}
