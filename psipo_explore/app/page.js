// ipywidgets gives its sliders no name to be read aloud, and its radio buttons no group to move in by arrow keys.
new MutationObserver(() => {
  for (const handle of document.querySelectorAll(".noUi-handle:not([aria-label])"))
    handle.setAttribute("aria-label", handle.closest(".widget-slider").querySelector(".widget-label").textContent);
  for (const radio of document.querySelectorAll(".psipo-choice input:not([name])"))
    radio.name = "picture";
}).observe(document, { childList: true, subtree: true });
