// What the combined objective teaches: a mixture of label and teacher, weighted by λ.

const sum = (list) => list.reduce((a, b) => a + b, 0);

/** The q at which LM + λ·KL(p‖q) is smallest: (onehot(y) + λ·p) / (1 + λ). */
export const mixed = (p, y, lam) => p.map((v, i) => ((i === y ? 1 : 0) + lam * v) / (1 + lam));

/** [LM loss, KL(p‖q), LM + λ·KL(p‖q)] of a student q with label y, in nats. */
export function losses(p, q, y, lam) {
  const lm = -Math.log(q[y]);
  const kd = sum(p.map((a, i) => (a === 0 ? 0 : a * Math.log(a / q[i]))));
  return [lm, kd, lm + (lam === 0 ? 0 : lam * kd)];
}

/** p with entry i set to value; the other entries keep their proportions. */
export function withEntry(p, i, value) {
  const rest = sum(p) - p[i];
  return p.map((x, j) => {
    if (j === i) return value;
    return rest > 0 ? (x / rest) * (1 - value) : (1 - value) / (p.length - 1);
  });
}

const nats = (v) => (v === Infinity ? "∞" : Math.abs(v).toFixed(3));

function make(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}

function slider(name, className, { min, max, step }, say, changed) {
  const row = make("label", `slider ${className}`);
  const input = make("input");
  const output = make("span", "value");
  output.setAttribute("aria-hidden", "true"); // the slider itself tells a screen reader its value
  Object.assign(input, { type: "range", min, max, step });
  input.setAttribute("role", "slider");
  input.dataset.lmSuppressShortcuts = "true"; // otherwise JupyterLab takes the arrow keys
  input.addEventListener("input", () => changed(Number(input.value)));
  row.append(make("span", "", name), input, output);
  const show = (value) => {
    if (document.activeElement !== input || Math.abs(input.value - value) > step) input.value = value;
    input.style.setProperty("--part", (value - min) / (max - min));
    input.setAttribute("aria-valuetext", say(value));
    output.textContent = say(value);
  };
  return { row, show };
}

function render({ model, el }) {
  const root = make("div", "kdlab-widget");
  const tokens = model.get("tokens");
  const change = (name, value) => {
    model.set(name, value);
    model.save_changes();
  };

  const knob = slider("λ", "third", { min: 0, max: 20, step: 0.1 }, (v) => v.toFixed(1), (v) => change("lam", v));
  const group = make("fieldset");
  group.append(make("legend", "", "Teacher p"));
  const bars = tokens.map((token, i) =>
    slider(`p(${token})`, "p", { min: 0, max: 1, step: 0.01 }, (v) => v.toFixed(3), (v) =>
      change("p", withEntry(model.get("p"), i, v))),
  );
  group.append(...bars.map((bar) => bar.row));

  const label = make("fieldset");
  const list = make("div", "choices");
  label.append(make("legend", "", "Label y"), list);
  const name = `lambda-mixer-${Math.random()}`;
  const radios = tokens.map((token, i) => {
    const choice = make("label");
    const radio = make("input");
    Object.assign(radio, { type: "radio", name, value: i });
    radio.addEventListener("change", () => change("y", i));
    choice.append(radio, make("span", "", token));
    list.append(choice);
    return radio;
  });

  const table = make("table");
  table.append(make("caption", "", "Where training stops: q* = (onehot(y) + λ·p) / (1 + λ)"));
  const head = table.createTHead().insertRow();
  ["token", "onehot(y)", "p", "q*", ""].forEach((title) => {
    const cell = make(title ? "th" : "td", "", title);
    if (title) cell.scope = "col";
    head.append(cell);
  });
  const body = table.createTBody();
  const rows = tokens.map((token) => {
    const row = body.insertRow();
    const title = make("th", "", token);
    title.scope = "row";
    const bar = make("div", "bar q");
    bar.append(make("i"));
    row.append(title, make("td"), make("td"), make("td"), make("td"));
    row.lastChild.style.width = "40%";
    row.lastChild.append(bar);
    return row;
  });
  const scroll = make("div", "scroll");
  scroll.append(table);
  const again = make("button", "", "Start over");
  again.type = "button";
  const first = Object.fromEntries(["p", "y", "lam"].map((trait) => [trait, model.get(trait)]));
  again.addEventListener("click", () => Object.entries(first).forEach(([trait, value]) => change(trait, value)));
  const actions = make("div", "actions");
  actions.append(again);
  const note = make("p");
  const live = make("p", "hidden");
  live.setAttribute("role", "status");

  root.append(make("p", "title", "Turn λ: the label, the teacher, and what the student becomes"), knob.row, label, group, actions, scroll, note, live);
  el.append(root);

  let announced;
  const update = () => {
    const [p, y, lam] = [model.get("p"), model.get("y"), model.get("lam")];
    const q = mixed(p, y, lam);
    const [lm, kd, all] = losses(p, q, y, lam).map(nats);
    knob.show(lam);
    bars.forEach((bar, i) => bar.show(p[i]));
    radios.forEach((radio, i) => (radio.checked = i === y));
    rows.forEach((row, i) => {
      const values = [i === y ? 1 : 0, p[i], q[i]];
      values.forEach((v, k) => (row.cells[k + 1].textContent = v.toFixed(3)));
      row.cells[4].firstChild.style.setProperty("--part", q[i]);
    });
    note.textContent =
      `The teacher has ${(lam / (1 + lam)).toFixed(3)} of the votes (that is α in the convex form). ` +
      `At q*: LM ${lm}, KD ${kd}, LM + λ·KD ${all} nats.`;
    clearTimeout(announced);
    announced = setTimeout(() => {
      live.textContent = `λ ${lam.toFixed(1)}: q* is ${tokens.map((t, i) => `${t} ${q[i].toFixed(3)}`).join(", ")}.`;
    }, 400);
  };
  const events = ["p", "y", "lam"].map((trait) => `change:${trait}`);
  events.forEach((event) => model.on(event, update));
  update();
  return () => {
    clearTimeout(announced);
    events.forEach((event) => model.off(event, update));
  };
}

export default { render };
