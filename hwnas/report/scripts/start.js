// Everything is bound to what the page holds; figures are drawn where they are seen.
let runs = [], together = null;

async function setUp(before) {
  const store = JSON.parse(await unpack(document.getElementById("figures")));
  runs = store.runs.map((found) => new Run(found, document.getElementById(found.key)));
  together = { article: document.getElementById("page"), figures: store.figures, texts: [], data: null };
  bindTakes(document.getElementById("page"));
  for (const run of runs.filter((found) => found.data)) {
    [bindAxes, bindLimits, bindParallel, bindPicked, bindTables].forEach((bind) => bind(run));
    restore(run, before[run.article.id]);
    run.listeners.forEach((listener) => listener());
    run.listeners.push(() => { if (!run.article.hidden) redraw(run); });
  }
  showRun();
  await drawAll();
}

async function drawAll() {
  let drawn = 0;
  for (const box of document.querySelectorAll("[data-figure]")) {
    const article = box.closest("article"), run = article ? runs.find((found) => found.article === article) : together;
    if (!article?.hidden) drawn += await drawBox(box, run);
  }
  document.documentElement.dataset.drawn = String(drawn);
}

// Of several runs the one that the address names is shown, the first by default
function showRun() {
  if (runs.length < 2) return;
  const wanted = location.hash.slice(1);
  const shown = runs.find(({ article }) => wanted === article.id || wanted.startsWith(`${article.id}-`)) ?? runs[0];
  for (const { article } of runs) {
    article.hidden = article !== shown.article;
    const link = document.querySelector(`.runs [data-run="${article.id}"]`);
    if (article.hidden) link.removeAttribute("aria-current"); else link.setAttribute("aria-current", "true");
  }
}

const toAddress = () => document.getElementById(location.hash.slice(1))?.scrollIntoView();

async function refresh(text) {
  const before = kept(runs), place = scrollY, focused = document.activeElement?.id;
  const made = new DOMParser().parseFromString(text, "text/html").getElementById("page");
  document.querySelectorAll("[data-figure]").forEach((box) => Plotly.purge(box));
  document.getElementById("page").replaceWith(document.adoptNode(made));
  await setUp(before);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  scrollTo(0, place);
}

(async () => {
  await setUp({});
  if (location.hash) toAddress();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  addEventListener("hashchange", async () => { showRun(); await drawAll(); toAddress(); });
  watchRuns(refresh);
})();
