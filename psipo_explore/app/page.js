// ipywidgets gives its radio buttons no group to move in by arrow keys.
new MutationObserver(() => {
  for (const radio of document.querySelectorAll(".psipo-choice input:not([name])"))
    radio.name = "picture";
}).observe(document, { childList: true, subtree: true });
