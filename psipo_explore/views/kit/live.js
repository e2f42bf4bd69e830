// A picture with its sliders: <psipo-panel data-view="collapse" data-values='{"p": 1}'>. Its frames were drawn ahead. They come
// by a script that calls psipoFrames(view, frames), for a page that was opened from disk may fetch nothing else. A picture of its own,
// which is no view of the course, has them in data-frames.
(() => {
const { Guess, element, typeset } = psipoGuess;
const HERE = document.currentScript.src;
const NARROW = 600; // a panel less wide than this shows the parts of its picture under each other
const FEW = 2; // controls that need not be folded
const MOST_OF_WINDOW = 0.4; // of its height; controls that take more are folded at first
const STEP = 100; // ms for which a slider that plays stays on a stop
const COLOUR = /(\b(?:fill|stroke)(?:: |="))(#[0-9a-f]{6})\b/g;
const waiting = {};
const panels = new Set();
let made = 0;

function framesOf(view) {
  if (!waiting[view]) {
    waiting[view] = {};
    waiting[view].frames = new Promise((resolve, reject) => Object.assign(waiting[view], { resolve, reject }));
  }
  return waiting[view];
}

window.psipoFrames = (view, packed) => framesOf(view).resolve(unpacked(packed));

async function unpacked(packed) {
  const bytes = Uint8Array.from(atob(packed), byte => byte.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function fetched(view) {
  const isAwaited = view in waiting;
  const { frames, reject } = framesOf(view);
  if (HERE && !isAwaited) { // a page with its frames in it may still be read when its panel is seen
    const script = Object.assign(document.createElement("script"), { src: new URL(`frames/${view}.js`, HERE) });
    script.onerror = () => reject(new Error(`${script.src} is missing`));
    document.head.append(script);
  }
  return frames;
}

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
let isPrinted = false; // paper is white, whatever the reader's theme
function isDark() {
  if (isPrinted) return false;
  const theme = document.body.dataset.theme;
  return theme === "dark" || (theme !== "light" && systemIsDark.matches);
}
function repaint() { for (const panel of panels) panel.repaint(); }
systemIsDark.addEventListener("change", repaint);
addEventListener("beforeprint", () => { isPrinted = true; repaint(); });
addEventListener("afterprint", () => { isPrinted = false; repaint(); });
addEventListener("DOMContentLoaded", () =>
  new MutationObserver(repaint).observe(document.body, { attributeFilter: ["data-theme"] }));
const isLow = matchMedia("(max-height: 500px)");
isLow.addEventListener("change", () => { for (const panel of panels) panel.fit(); });
addEventListener("hashchange", () => { for (const panel of panels) if (panel.isLinked) panel.follow(location.hash); });

// One control: what it shows, and the place of its stop.
class Control {
  constructor(control, id) {
    Object.assign(this, control);
    this.input = element(control.chosen ? "select" : "input", { id, name: control.name });
    if (control.chosen) this.input.append(...control.written.map(name => new Option(name)));
    else Object.assign(this.input, { type: "range", min: 0, max: control.written.length - 1 });
    this.readout = element("output", { htmlFor: id, ariaLive: "off" });
    this.play = element("button", { type: "button", className: "psipo-play", hidden: !control.plays });
    const label = element("label", { htmlFor: id }, ...typeset(control.label));
    this.node = element("div", { className: `psipo-control ${control.chosen ? "psipo-choice" : ""}` }, label, this.input, ...control.chosen ? [] : [this.readout, this.play]);
    this.pause();
    this.first = this.start; // that of the view; a lesson may begin elsewhere
    this.at = this.start;
  }
  get at() { return this.chosen ? this.input.selectedIndex : Number(this.input.value); }
  set at(stop) { this.chosen ? (this.input.selectedIndex = stop) : (this.input.value = stop); }
  // Go from stop to stop until the last one, and from there to the first.
  begin(moved) {
    if (this.timer) return this.pause();
    const step = () => {
      this.at = (this.at + 1) % this.written.length;
      if (this.at === this.written.length - 1) this.pause();
      moved();
    };
    this.timer = setInterval(step, STEP);
    this.sayPlay("Pause");
    step();
  }
  pause() {
    clearInterval(this.timer);
    this.timer = undefined;
    this.sayPlay("Play");
  }
  sayPlay(word) {
    this.play.textContent = word;
    this.play.ariaLabel = `${word}: ${this.label}`;
  }
  value(stop) { return this.chosen ? this.written[stop] : String(Number(this.python[stop])); }
  say() {
    if (this.chosen) return;
    this.readout.value = this.input.ariaValueText = this.written[this.at];
  }
  // The stop of a text, and what there is to say about it.
  read(text) {
    const exact = this.written.findIndex((_, stop) => this.value(stop) === text);
    if (exact >= 0) return [exact];
    const number = Number(text);
    if (this.chosen || text.trim() === "" || Number.isNaN(number))
      return [this.start, `${this.name} = ${text} is no value here, so ${this.name} is ${this.written[this.start]}.`];
    const away = this.python.map(stop => Math.abs(Number(stop) - number));
    const nearest = away.indexOf(Math.min(...away));
    if (away[nearest] === 0) return [nearest];
    return [nearest, `${this.name} = ${text} is no stop here, and ${this.written[nearest]} is the nearest.`];
  }
}

class Panel extends HTMLElement {
  connectedCallback() {
    if (panels.has(this)) return;
    panels.add(this);
    const seen = new IntersectionObserver(entries => {
      if (!entries.some(entry => entry.isIntersecting)) return;
      seen.disconnect();
      const { view, frames } = this.dataset;
      (frames ? unpacked(frames) : fetched(view)).then(page => this.begin(page));
    }, { rootMargin: "600px" });
    seen.observe(this);
  }

  get isLinked() { return "linked" in this.dataset; }

  begin(page) {
    this.page = page;
    this.own = `psipo-${++made}`;
    this.controls = page.controls.map(control => new Control(control, `${this.own}-${control.name}`));
    const given = JSON.parse(this.dataset.values || "{}");
    for (const control of this.controls)
      if (control.name in given) [control.start] = control.read(String(given[control.name]));
    this.form = element("form", { autocomplete: "off" }, ...this.controls.map(control => control.node));
    const reset = element("button", { type: "button", textContent: "Reset" });
    this.fold = element("button", { type: "button", className: "psipo-fold" });
    const buttons = element("div", { className: "psipo-buttons" }, ...this.controls.length > FEW ? [this.fold] : [], reset);
    this.form.append(buttons);
    this.keep(this.controls.find(control => !control.chosen) || this.controls[0]);
    this.note = element("p", { className: "psipo-note", role: "status" });
    this.whole = element("div", { className: "psipo-whole" });
    this.parted = element("div", { className: "psipo-parts", ariaHidden: "true" });
    this.sentence = element("p", { className: "psipo-sentence", role: "status" });
    this.call = element("code");
    this.link = element("a", { textContent: "Link to this" });
    const last = element("p", { className: "psipo-call" }, "In Python: ", this.call, this.isLinked ? "" : element("span", {}, " · ", this.link));
    this.picture = element("div", { className: "psipo-picture" }, this.whole, this.parted);
    const shown = [this.picture, this.sentence];
    this.replaceChildren(...this.controls.length ? [this.form, this.note, ...shown, last] : shown);
    this.classList.add("psipo-live");
    for (const control of this.controls) control.play.onclick = () => { this.keep(control); control.begin(() => this.moved()); };
    this.form.oninput = event => {
      this.keep(this.controls.find(control => control.input === event.target));
      this.moved();
    };
    this.form.onsubmit = event => event.preventDefault();
    this.fold.onclick = () => this.foldUp(!this.classList.contains("psipo-folded"));
    reset.onclick = () => { this.restart(); this.moved(); };
    this.restart();
    if (this.isLinked) this.read(location.hash);
    this.ask();
    new ResizeObserver(() => this.fit()).observe(this);
    this.fit();
  }

  // Ask for a guess before the picture, unless the address says what is to be shown.
  ask() {
    const asked = this.page.guesses[this.dataset.guess];
    if (!asked) return;
    this.guess = new Guess({
      ...asked, key: `psipo-guess:${this.page.view}:${this.dataset.guess}`,
      look: k => { this.put(asked.questions[k].values); this.moved(); },
      opened: isOpen => {
        this.classList.toggle("psipo-asked", !isOpen);
        isOpen ? this.after(this.guess.node) : this.before(this.guess.node);
        this.fit();
        if (this.drawing) this.show();
      },
    });
    this.guess.begin(this.isLinked && location.hash.length > 1);
  }

  // Put every control on its stop of these values.
  put(values) { for (const control of this.controls) if (control.name in values) [control.at] = control.read(String(values[control.name])); }

  // Show the form for the width that there is.
  fit() {
    if (!this.page || !this.clientWidth) return;
    const narrow = this.clientWidth < NARROW;
    const form = narrow && this.page.narrow || this.page.wide;
    const turnedNarrow = narrow && !this.classList.contains("psipo-narrow");
    this.classList.toggle("psipo-touch", narrow || isLow.matches);
    this.classList.toggle("psipo-narrow", narrow);
    this.classList.toggle("psipo-beside", !narrow && isLow.matches && this.controls.length > 0);
    if (this.shape !== form) {
      this.shape = form;
      this.show();
    }
    if (turnedNarrow) {
      this.foldUp(false);
      this.foldUp(this.controls.length > FEW && this.form.scrollHeight > MOST_OF_WINDOW * innerHeight);
    }
  }

  // Hide all controls but one, or show them again.
  foldUp(folded) {
    this.classList.toggle("psipo-folded", folded);
    this.fold.ariaExpanded = String(!folded);
    this.fold.textContent = folded ? `All ${this.controls.length} controls` : "Fewer controls";
  }

  // Name the control that stays when the others are folded.
  keep(kept) { for (const control of this.controls) control.node.classList.toggle("psipo-kept", control === kept); }

  restart() {
    for (const control of this.controls) {
      control.pause();
      control.at = control.start;
    }
  }

  moved() {
    this.note.textContent = "";
    this.show();
    if (!this.isLinked) return;
    clearTimeout(this.later); // browsers allow some hundred changes of the address a minute
    this.later = setTimeout(() => history.replaceState(null, "", location.pathname + location.search + this.fragment()), 150);
  }

  follow(fragment) {
    if (!this.page) return;
    if (this.guess && !this.guess.given) this.guess.begin(true); // the address says what is to be shown
    this.restart();
    this.read(fragment);
    this.show();
  }

  read(fragment) {
    const said = [];
    for (const [name, text] of new URLSearchParams(fragment.slice(1))) {
      const control = this.controls.find(control => control.name === name);
      if (!control) { said.push(`There is no control ${name} here.`); continue; }
      const [stop, word] = control.read(text);
      control.at = stop;
      if (word) said.push(word);
    }
    this.note.textContent = said.join(" ");
  }

  show() {
    let which = 0, frame = 0;
    for (const control of this.controls) {
      if (control.rebuilds) which = which * control.written.length + control.at;
      else frame = frame * control.written.length + control.at;
      control.say();
    }
    if (this.drawing !== this.shape.drawings[which]) this.build(this.shape.drawings[which]);
    this.drawing.shown.forEach((look, k) => {
      if (this.looks[k] === look[frame]) return;
      this.looks[k] = look[frame];
      this.groups[k].innerHTML = this.painted(this.drawing.looks[k][look[frame]]);
    });
    this.marks.innerHTML = this.guess ? this.guess.marks(this.places()) : "";
    const sentence = this.drawing.sentences[frame];
    this.sentence.ariaLive = this.controls.some(control => control.timer) ? "off" : "polite"; // else Play would be read aloud
    this.sentence.replaceChildren(...typeset(sentence));
    this.whole.lastElementChild.setAttribute("aria-label", sentence);
    const values = this.elsewhere().map(control => `${control.name}=${control.python[control.at]}`);
    this.call.textContent = this.drawing.possible[frame] ? `${this.page.view}.figure(${values.join(", ")})` : "";
    if (HERE) this.link.href = new URL(`../pictures/${this.page.view}.html`, HERE) + this.fragment();
  }

  // Where guesses are drawn at these values, by the number of the question.
  places() {
    const at = k => this.controls.every(control => !(control.name in this.guess.questions[k].values) || control.value(control.at) === String(this.guess.questions[k].values[control.name]));
    return Object.fromEntries(Object.entries(this.drawing.guessed[this.dataset.guess]).filter(([k]) => at(k)));
  }

  elsewhere() { return this.controls.filter(control => control.at !== control.first); }

  // What opens the picture's own page at these values.
  fragment() {
    const values = new URLSearchParams(this.elsewhere().map(control => [control.name, control.value(control.at)]));
    return String(values) ? `#${values}` : "";
  }

  build(drawing) {
    this.drawing = drawing;
    this.looks = drawing.shown.map(() => 0);
    this.picture.style.fill = isDark() ? this.page.dark.partners["#000000"] : ""; // Matplotlib does not write black
    this.whole.innerHTML = this.painted(drawing.background + this.shape.overlay);
    const [still, moving] = this.whole.children;
    still.innerHTML = `<g id="${this.own}-still">${still.innerHTML}</g>`;
    moving.innerHTML = `<defs>${this.painted(this.shape.definitions)}</defs><g id="${this.own}-moving">${"<g></g>".repeat(this.looks.length)}</g><g class="psipo-marks" id="${this.own}-guess"></g>`;
    this.marks = moving.lastElementChild;
    this.groups = [...this.marks.previousElementSibling.children];
    this.parted.innerHTML = this.painted(drawing.parts).replaceAll("psipo-own", this.own);
  }

  painted(svg) {
    if (!isDark()) return svg;
    const { partners, filter } = this.page.dark;
    return svg.replace(COLOUR, (_, property, colour) => property + (partners[colour] || colour))
      .replaceAll("<image", `${filter}<image filter="url(#on-dark)"`);
  }

  repaint() {
    if (!this.shape) return; // nothing has been shown yet
    this.drawing = null;
    this.show();
  }
}
customElements.define("psipo-panel", Panel);
})();
