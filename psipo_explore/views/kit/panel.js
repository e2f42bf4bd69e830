// ipywidgets gives its sliders no name to be read aloud, lets them say the number of a stop instead of what stands there,
// and makes that readout a field to type in, which these sliders take nothing from.
function speak(slider) {
  const [handle, label, readout] = [".noUi-handle", ".widget-label", ".widget-readout"].map((part) => slider.querySelector(part));
  if (!handle || !label || !readout) return;
  readout.contentEditable = "false";
  for (const [name, text] of [["aria-label", label.textContent], ["aria-valuetext", readout.textContent]])
    if (handle.getAttribute(name) !== text) handle.setAttribute(name, text);
}

export default {
  render({ el }) {
    const observer = new MutationObserver(() => begin());
    const begin = () => {
      const controls = el.closest(".psipo-controls");
      if (!controls) return void (waiting = requestAnimationFrame(begin));
      controls.querySelectorAll(".widget-slider").forEach(speak);
      observer.observe(controls, { subtree: true, childList: true, characterData: true, attributeFilter: ["aria-valuetext"] });
    };
    let waiting = requestAnimationFrame(begin);
    return () => (cancelAnimationFrame(waiting), observer.disconnect());
  },
};
