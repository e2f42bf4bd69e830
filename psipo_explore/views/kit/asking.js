// The guess above a panel of widgets: its form, its marks over the picture, and whether the picture is hidden.
export default {
  render({ model, el }) {
    const { width, height } = model.get("size");
    const marks = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    marks.setAttribute("viewBox", `0 0 ${width} ${height}`);
    marks.setAttribute("aria-hidden", "true");
    marks.classList.add("psipo-over");
    marks.innerHTML = `<g class="psipo-marks" id="${model.get("layer")}"></g>`;
    let waiting;
    const opened = isOpen => {
      cancelAnimationFrame(waiting);
      const panel = el.closest(".psipo-panel");
      const picture = panel?.querySelector(".psipo-picture");
      if (!picture) return void (waiting = requestAnimationFrame(() => opened(isOpen)));
      panel.classList.toggle("psipo-asked", !isOpen);
      if (!marks.isConnected) picture.append(marks);
      draw();
      if (isOpen) guess.unfold();
    };
    const draw = () => { marks.firstChild.innerHTML = guess.marks(model.get("places")); };
    const guess = new psipoGuess.Guess({ ...model.get("guess"), key: model.get("key"), opened, look: k => model.send({ look: k }) });
    const begin = () => guess.begin(model.get("is_answered"));
    model.on("change:places", draw);
    model.on("change:is_answered", begin);
    el.append(guess.node);
    begin();
    return () => { cancelAnimationFrame(waiting); model.off("change:places", draw); model.off("change:is_answered", begin); marks.remove(); };
  },
};
