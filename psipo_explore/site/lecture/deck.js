// Starts the slides. The keys of a slider that has the focus move it; Page Up and Page Down, which are the keys of a presenter's remote
// control, turn the slides from there too, and Escape leaves the slider.
(() => {
const TURNS = { PageDown: () => Reveal.next(), PageUp: () => Reveal.prev() };
const isControl = node => node instanceof Element && node.closest("psipo-panel form") !== null;

for (const panel of document.querySelectorAll("psipo-panel")) panel.dataset.preventSwipe = "";

document.addEventListener("keydown", event => {
  if (!isControl(event.target)) return;
  if (event.key === "Escape") event.target.blur();
  if (!TURNS[event.key]) return;
  event.preventDefault();
  TURNS[event.key]();
}, true);

Reveal.initialize({
  width: 1280, height: 720, margin: 0, maxScale: 5, center: false,
  hash: true, slideNumber: "c/t", transition: "none", backgroundTransition: "none",
  defaultTiming: 60, // shows the speaker a clock; each slide has a time of its own
  keyboardCondition: event => !isControl(event.target),
  plugins: [RevealNotes],
});
Reveal.on("slidechanged", () => document.activeElement?.blur());
})();
