// A student with one peak, a teacher with two: the student descends forward KL, reverse KL or a mix.

const sum = (list) => list.reduce((a, b) => a + b, 0);

/** The grid x on which teacher and student are distributions: count points from −end to end. */
export const grid = (count = 121, end = 6) =>
  Array.from({ length: count }, (_, i) => -end + (2 * end * i) / (count - 1));

/** Log-probabilities of the bell with this mean and log-width, normalised over the grid x. */
export function logBell(x, mu, logSigma) {
  const z = x.map((v) => -0.5 * ((v - mu) / Math.exp(logSigma)) ** 2);
  const top = Math.max(...z);
  const norm = top + Math.log(sum(z.map((v) => Math.exp(v - top))));
  return z.map((v) => v - norm);
}

/** Log-probabilities of the teacher, a mixture of bells, each [weight, mean, width]. */
export function logTeacher(x, bells) {
  const parts = bells.map(([weight, mu, sigma]) => logBell(x, mu, Math.log(sigma)).map((v) => v + Math.log(weight)));
  return x.map((_, i) => {
    const top = Math.max(...parts.map((part) => part[i])); // narrow bells underflow between their peaks
    return top + Math.log(sum(parts.map((part) => Math.exp(part[i] - top))));
  });
}

/** [KL(p‖q), KL(q‖p)] in nats. */
export function bothKL(logP, logQ) {
  return [
    sum(logP.map((a, i) => Math.exp(a) * (a - logQ[i]))),
    sum(logQ.map((b, i) => Math.exp(b) * (b - logP[i]))),
  ];
}

/** (1−w)·KL(p‖q) + w·KL(q‖p), and its derivatives with respect to mean and log-width. */
export function loss(logP, x, mu, logSigma, w) {
  const logQ = logBell(x, mu, logSigma);
  const [forward, reverse] = bothKL(logP, logQ);
  const slope = logQ.map((b, i) => {
    const [p, q] = [Math.exp(logP[i]), Math.exp(b)];
    return (1 - w) * (q - p) + w * q * (b - logP[i] - reverse); // derivative with respect to the student's logits
  });
  const variance = Math.exp(2 * logSigma);
  return {
    value: (1 - w) * forward + w * reverse,
    mu: sum(slope.map((g, i) => (g * (x[i] - mu)) / variance)),
    logSigma: sum(slope.map((g, i) => (g * (x[i] - mu) ** 2) / variance)),
  };
}

/** One step down the natural gradient of a bell: the new [mean, log-width]. The mean moves by at most
 * 0.3 of the student's width, the log-width by at most 0.3. */
export function step(logP, x, mu, logSigma, w, rate = 0.1) {
  const g = loss(logP, x, mu, logSigma, w);
  const move = (by) => Math.max(-0.3, Math.min(0.3, by));
  const width = Math.exp(logSigma);
  return [mu - width * move(rate * width * g.mu), logSigma - move((rate / 2) * g.logSigma)];
}

export const STEPS = 300;

function make(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}

function draw(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
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
    input.style.setProperty("--part", Math.max(0, Math.min(1, (value - min) / (max - min))));
    input.setAttribute("aria-valuetext", say(value));
    output.textContent = say(value);
  };
  return { row, show };
}

function render({ model, el }) {
  const root = make("div", "kdlab-widget");
  const x = grid();
  const logP = logTeacher(x, model.get("teacher"));
  const change = (values) => {
    Object.entries(values).forEach(([name, value]) => model.set(name, value));
    model.save_changes();
  };
  let frame = 0;
  const stop = () => {
    cancelAnimationFrame(frame);
    frame = 0;
    descend.textContent = "Descend";
  };
  const byHand = (values) => {
    stop();
    change({ ...values, steps: 0 });
  };

  // The picture: teacher solid and filled, student dashed.
  const [width, height, ground] = [600, 195, 170];
  const left = (v) => ((v - x[0]) / (x.at(-1) - x[0])) * width;
  const top = (q) => ground - Math.min(q / 0.06, 1.25) * (ground - 40);
  const outline = (logs) => logs.map((b, i) => `${i ? "L" : "M"}${left(x[i]).toFixed(1)},${top(Math.exp(b)).toFixed(1)}`).join("");
  const picture = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  const teacher = outline(logP);
  picture.append(
    draw("path", { d: `${teacher}L${width},${ground}L0,${ground}Z`, fill: "var(--p)", opacity: 0.18 }),
    draw("path", { d: teacher, fill: "none", stroke: "var(--p)", "stroke-width": 2 }),
    draw("line", { x1: 0, x2: width, y1: ground, y2: ground, class: "axis" }),
  );
  const student = draw("path", { fill: "none", stroke: "var(--q)", "stroke-width": 3, "stroke-dasharray": "7 4" });
  picture.append(student);
  [-6, -3, 0, 3, 6].forEach((v) => {
    const mark = draw("text", { x: left(v), y: ground + 22, "text-anchor": v === -6 ? "start" : v === 6 ? "end" : "middle" });
    mark.textContent = String(v).replace("-", "−");
    picture.append(mark);
  });
  // The student can be dragged in the picture; the slider of its mean does the same by keyboard.
  const drag = (event) => {
    const box = picture.getBoundingClientRect();
    const at = x[0] + ((event.clientX - box.left) / box.width) * (x.at(-1) - x[0]);
    byHand({ mu: Math.max(-5, Math.min(5, Math.round(at * 10) / 10)) });
  };
  picture.classList.add("drag");
  picture.addEventListener("pointerdown", (event) => {
    picture.setPointerCapture(event.pointerId);
    drag(event);
  });
  picture.addEventListener("pointermove", (event) => event.buttons && drag(event));
  const key = make("p");
  key.style.color = "var(--muted)";
  key.textContent = "Filled: the teacher p. Dashed: the student q, which you can drag.";

  const mix = slider("forward → reverse", "third", { min: 0, max: 1, step: 0.05 }, (w) => w.toFixed(2), (w) => byHand({ w }));
  const mean = slider("q’s mean", "q", { min: -5, max: 5, step: 0.1 }, (v) => v.toFixed(2), (mu) => byHand({ mu }));
  const spread = slider("q’s width", "q", { min: 0.2, max: 4, step: 0.05 }, (v) => v.toFixed(2), (sigma) => byHand({ sigma }));

  const descend = make("button", "", "Descend");
  const once = make("button", "", "One step");
  const again = make("button", "", "Start over");
  [descend, once, again].forEach((button) => (button.type = "button"));
  const actions = make("div", "actions");
  actions.append(descend, once, again);
  const start = { mu: model.get("mu"), sigma: model.get("sigma") };

  const walk = (count) => {
    let [mu, logSigma] = [model.get("mu"), Math.log(model.get("sigma"))];
    const taken = Math.min(count, STEPS - model.get("steps"));
    for (let i = 0; i < taken; i++) [mu, logSigma] = step(logP, x, mu, logSigma, model.get("w"));
    change({ mu, sigma: Math.exp(logSigma), steps: model.get("steps") + taken });
  };
  descend.addEventListener("click", () => {
    if (frame) return stop();
    if (model.get("steps") >= STEPS) change({ ...start, steps: 0 });
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return walk(STEPS);
    descend.textContent = "Pause";
    const tick = () => {
      walk(2);
      if (model.get("steps") < STEPS) frame = requestAnimationFrame(tick);
      else stop();
    };
    frame = requestAnimationFrame(tick);
  });
  once.addEventListener("click", () => {
    stop();
    walk(1);
  });
  again.addEventListener("click", () => byHand(start));

  const table = make("table");
  table.append(make("caption", "", "Where the student is, in nats"));
  const columns = ["", "KL(p‖q)", "KL(q‖p)", "loss", "mean", "width", "steps"];
  const head = table.createTHead().insertRow();
  columns.forEach((name) => {
    const cell = make(name ? "th" : "td", "", name);
    if (name) cell.scope = "col";
    head.append(cell);
  });
  const row = table.createTBody().insertRow();
  const title = make("th", "", "q");
  title.scope = "row";
  row.append(title, ...columns.slice(1).map(() => make("td")));
  const scroll = make("div", "scroll");
  scroll.append(table);
  const live = make("p", "hidden");
  live.setAttribute("role", "status");

  root.append(make("p", "title", "One peak for a teacher with two"), picture, key, mix.row, mean.row, spread.row, actions, scroll, live);
  el.append(root);

  let announced;
  const update = () => {
    const [mu, sigma, w] = [model.get("mu"), model.get("sigma"), model.get("w")];
    const logQ = logBell(x, mu, Math.log(sigma));
    const [forward, reverse] = bothKL(logP, logQ);
    const value = (1 - w) * forward + w * reverse;
    student.setAttribute("d", outline(logQ));
    mix.show(w);
    mean.show(mu);
    spread.show(sigma);
    [forward, reverse, value, mu, sigma].forEach((v, i) => (row.cells[i + 1].textContent = v.toFixed(3)));
    row.cells[6].textContent = model.get("steps");
    const said = `Student at ${mu.toFixed(2)}, width ${sigma.toFixed(2)}. KL(p‖q) ${forward.toFixed(3)}, KL(q‖p) ${reverse.toFixed(3)} nats.`;
    picture.setAttribute("aria-label", `The teacher has two peaks. ${said}`);
    clearTimeout(announced);
    announced = setTimeout(() => (live.textContent = said), 400);
  };
  const events = ["mu", "sigma", "w", "steps"].map((name) => `change:${name}`);
  events.forEach((event) => model.on(event, update));
  update();
  return () => {
    stop();
    clearTimeout(announced);
    events.forEach((event) => model.off(event, update));
  };
}

export default { render };
