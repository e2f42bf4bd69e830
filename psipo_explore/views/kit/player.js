// A button that moves the slider beside it from stop to stop. It waits for each picture, so a slow kernel is not flooded.
const PAUSE = 60; // ms between a picture and the next step

export default {
  render({ model, el }) {
    const button = document.createElement("button");
    let waiting, plays = false;
    const show = () => {
      button.textContent = plays ? "Pause" : "Play";
      button.setAttribute("aria-label", `${button.textContent}: ${model.get("of")}`);
    };
    const step = () => model.send("step");
    const stop = () => {
      clearTimeout(waiting);
      plays = false;
      show();
    };
    const drawn = ({ ends }) => {
      if (!plays) return;
      if (ends) stop();
      else waiting = setTimeout(step, PAUSE);
    };
    button.onclick = () => {
      if (plays) return stop();
      plays = true;
      show();
      step();
    };
    button.className = "jupyter-button psipo-play";
    model.on("msg:custom", drawn);
    el.append(button);
    show();
    return () => (stop(), model.off("msg:custom", drawn));
  },
};
