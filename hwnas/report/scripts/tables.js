// Rows and drawings follow the limits; tables are copied or saved as CSV.
function bindTables(run) {
  for (const row of run.article.querySelectorAll("tr[data-network]")) {
    const i = Number(row.dataset.network), button = el("button", { type: "button", class: "small", onclick: () => show(run, i) }, "Layers");
    button.setAttribute("aria-label", `Layers of ${run.name(i)}`);
    row.querySelector("th").append(button);
  }
  for (const drawn of run.article.querySelectorAll("svg[data-network]")) {
    drawn.addEventListener("click", () => show(run, Number(drawn.dataset.network)));
  }
  run.listeners.push(() => follow(run));
}

function follow(run) {
  const { mask } = run.view();
  for (const found of run.article.querySelectorAll("[data-network]:not(.card)")) {
    found.classList.toggle("outside", !mask[Number(found.dataset.network)]);
  }
}

function bindTakes(root) {
  for (const take of root.querySelectorAll(".take")) {
    const said = take.querySelector("[role=status]"), { csv, name } = take.dataset;
    take.querySelector(".copy").addEventListener("click", async () => { said.textContent = (await copied(csv)) ? "Copied." : "The browser does not let this page copy."; });
    take.querySelector(".save").addEventListener("click", () => save(csv, `${name.toLowerCase().replaceAll(" ", "-")}.csv`));
  }
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = el("textarea", { "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

function save(text, name) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
