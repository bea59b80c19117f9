// The theme makes a landmark without a name of every code block's copy button; a screen reader would list dozens of them.
new MutationObserver(() => {
  for (const bar of document.querySelectorAll("nav.md-code__nav:not([role])")) bar.setAttribute("role", "none");
}).observe(document.documentElement, { childList: true, subtree: true });
