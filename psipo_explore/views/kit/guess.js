// What a reader guesses before a picture is shown: a form, then the answers beside the guesses. The browser keeps them.
const psipoGuess = (() => {
const NEVER = "psipo-never-ask";
const EXPLAINS = /^\s*Guessed\?/; // how the summary of a fold begins that explains a picture
const INDEX = /(?<!\w)([πy])_(ref|[wlo])(?!\w)/;
const NUMBER = /^(-?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?)(?:\s*\/\s*(\d+\.?\d*))?\s*(%?)$/i;
const APART = 15; // points between the labels of two guesses
let made = 0;

const kept = { // a private window may keep nothing
  read(key) { try { return localStorage.getItem(key); } catch { return null; } },
  write(key, text) { try { localStorage.setItem(key, text); } catch {} },
  forget(key) { try { localStorage.removeItem(key); } catch {} },
};

function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

// A text in which the index of a symbol stands low; its underscore stays, unseen.
function typeset(text) {
  const low = index => element("span", { className: "psipo-index" }, element("span", { textContent: "_" }), index);
  return text.split(INDEX).map((part, k) => k % 3 === 2 ? low(part) : part);
}

// A number as people write it: 0.2, 0,2, 20 % or 1/5.
function numberIn(text) {
  const [, first, divisor = 1, percent] = text.trim().replace("−", "-").replace(",", ".").match(NUMBER) || [];
  return Number(first) / Number(divisor) / (percent ? 100 : 1);
}

function written(number) { return String(number).replace("-", "−"); }

class Guess {
  // host: key, about, questions, opened(isOpen), look(k)
  constructor(host) {
    Object.assign(this, host);
    this.own = `psipo-guess-${++made}`;
    this.node = element("div", { className: "psipo-guess" });
    this.given = kept.read(NEVER) ? [] : this.before();
  }

  // What was guessed before, if the questions are still the same ones.
  before() {
    const given = (kept.read(this.key) || "").split("\n");
    return [1, this.questions.length + 1].includes(given.length) && given[0] === "guessed" ? given.slice(1) : null;
  }

  // Show the form, or what was guessed before.
  begin(isSkipped = false) {
    if (isSkipped) this.given ||= [];
    this.given ? this.tell() : this.ask();
  }

  ask() {
    this.given = null;
    this.fields = this.questions.map((question, k) => this.field(question, `${this.own}-${k}`));
    this.fault = element("p", { className: "psipo-fault", id: `${this.own}-fault`, role: "alert" });
    const say = element("button", { type: "submit", textContent: "Show the picture with my guess" });
    const show = this.button("Show me", () => this.keep([]));
    const never = this.button("Never ask me", () => { kept.write(NEVER, "yes"); this.keep([]); });
    const rows = this.fields.map((field, k) =>
      element("div", {}, element("label", { htmlFor: field.id }, ...typeset(this.questions[k].asks)), field));
    const form = element("form", { noValidate: true, autocomplete: "off" },
      element("p", {}, element("strong", { textContent: "Guess first. " }), ...typeset(this.about)),
      ...rows, this.fault, element("div", { className: "psipo-guess-buttons" }, say, show, never));
    form.dataset.lmSuppressShortcuts = "true"; // JupyterLab takes no letter of it for a command
    form.onkeydown = event => event.stopPropagation();
    form.onsubmit = event => { event.preventDefault(); this.check(); };
    this.node.className = "psipo-guess";
    this.node.replaceChildren(form);
    this.opened(false);
    this.unfold(false);
  }

  field({ answers, low }, id) { // a phone's decimal keys have no minus
    if (!answers.length) return element("input", { id, type: "text", inputMode: low < 0 ? "text" : "decimal" });
    return element("select", { id }, new Option("choose", ""), ...answers.map(answer => new Option(answer)));
  }

  button(textContent, onclick) { return element("button", { type: "button", textContent, onclick }); }

  check() {
    const wrong = this.fields.findIndex((field, k) => field.value.trim() && !this.accepts(this.questions[k], field.value));
    const blank = this.fields.every(field => !field.value.trim());
    if (wrong < 0 && !blank) return this.keep(this.fields.map(field => field.value.trim()), true);
    const field = this.fields[Math.max(wrong, 0)];
    const { low, high, asks } = this.questions[Math.max(wrong, 0)];
    this.fault.replaceChildren(...blank ? ["Guess at least one, or press “Show me”."]
      : typeset(`${asks}: ${field.value.trim()} is no number from ${written(low)} to ${written(high)}${0.2 <= high && high <= 1 ? ", such as 0.2, 20 % or 1/5" : ""}.`));
    for (const each of this.fields) each.ariaInvalid = String(each === field);
    field.setAttribute("aria-describedby", this.fault.id);
    field.focus();
  }

  accepts({ answers, low, high }, text) {
    const number = numberIn(text);
    return answers.length > 0 || number >= low && number <= high;
  }

  keep(given, focuses = false) {
    this.given = given;
    kept.write(this.key, ["guessed", ...given].join("\n"));
    this.tell();
    if (given.length) this.look(0);
    if (!focuses) return;
    this.node.focus({ preventScroll: true });
    this.show();
  }

  // Show the picture, and say what was guessed and what is true.
  tell() {
    const again = this.button(this.given.length ? "Guess again" : "Guess first", () => { kept.forget(this.key); kept.forget(NEVER); this.ask(); this.fields[0].focus(); });
    const rows = this.given.length ? this.questions.map((question, k) => this.row(question, k)) : [];
    this.node.className = "psipo-guess psipo-told";
    this.node.tabIndex = -1;
    this.node.setAttribute("role", "group");
    this.node.ariaLabel = "Your guess";
    this.node.replaceChildren(...rows.length ? [element("ol", {}, ...rows)] : [], again);
    this.opened(true);
    this.unfold();
  }

  row({ asks, truth, values }, k) {
    const guess = this.given[k] ? `you guessed ${this.given[k]}, and it is ` : "it is ";
    const look = this.button("Look", () => { this.look(k); this.show(); });
    look.setAttribute("aria-label", `Look: ${asks}`);
    const moves = Object.keys(values).length > 0; // a picture without controls shows its one answer anyway
    return element("li", {}, ...typeset(`${asks}: ${guess}`), element("strong", { textContent: truth }), ". ", ...moves ? [look] : []);
  }

  // Open the fold after the picture that explains it, or close it again.
  unfold(isOpen = true) {
    const text = this.node.closest(".jp-Notebook, article, body");
    if (!text) return;
    for (const fold of text.querySelectorAll("details"))
      if (EXPLAINS.test(fold.textContent) && this.node.compareDocumentPosition(fold) & Node.DOCUMENT_POSITION_FOLLOWING)
        return void (fold.open = isOpen);
  }

  // Bring the whole picture into the window.
  show() {
    const panel = this.node.closest(".psipo-panel") || this.node.previousElementSibling;
    const seen = panel?.getClientRects().length ? panel : panel?.querySelector("svg[role=img]"); // the app lays its panel out anew
    const { top, bottom } = seen?.getBoundingClientRect() ?? {};
    if (top < 0 || bottom > innerHeight) seen.scrollIntoView({ block: "start" });
  }

  // The guesses that belong to what is shown, as SVG; places says where each could be drawn.
  marks(places) {
    const drawn = Object.entries(places || {}).flatMap(([k, place]) => this.mark(this.questions[k], this.given?.[k], place));
    drawn.sort((one, other) => one.y - other.y);
    let above = -Infinity;
    return drawn.map(({ x, y, label, isLeft, isNumber }) => {
      above = Math.max(y + 4, above + APART);
      return (isNumber ? `<path d="M${x} ${y - 6}l6 6 -6 6 -6 -6z"/>` : "") +
        `<text x="${x + (isLeft ? -11 : 11)}" y="${above}" text-anchor="${isLeft ? "end" : "start"}">${label}</text>`;
    }).join("");
  }

  mark({ answers, low, high, label }, guess, { points, middle }) {
    if (!guess) return [];
    const at = answers.length ? answers.indexOf(guess) : Math.cbrt((numberIn(guess) - low) / (high - low)) * (points.length - 1);
    const [here, next] = [points[Math.floor(at)], points[Math.ceil(at)]];
    if (!here) return [];
    const [x, y] = here.map((length, k) => length + (next[k] - length) * (at % 1));
    const isNumber = answers.length === 0; // a chosen answer has no place of its own, so it is only written
    const words = isNumber ? "guess" : `${guess}?`;
    return [{ x, y, isNumber, label: label ? `${label}: ${words}` : `your ${words}`, isLeft: x >= middle }];
  }
}

return { Guess, element, typeset };
})();
