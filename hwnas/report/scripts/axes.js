// Which objectives are on the axes, and whether the whole range is shown.
function bindAxes(run) {
  const { article } = run;
  for (const select of article.querySelectorAll("select[data-axis]")) {
    run.axes[select.dataset.axis] = Number(select.value);
    select.addEventListener("change", () => {
      run.axes[select.dataset.axis] = Number(select.value);
      run.change();
    });
  }
  article.querySelector(".whole")?.addEventListener("change", (event) => {
    run.whole = event.target.checked;
    run.change();
  });
}
