// A schedule of λ, played over the losses of a recorded run.

/** The options of kdlab's schedule of that name, as two numbers, start and end, set them. */
export function options(name, start, end, steps) {
  const warmup = Math.floor(steps / 10);
  const stable = Math.floor(steps / 2);
  return {
    constant: { lam: start },
    linear: { start, end, steps },
    cosine: { start, end, steps },
    exponential: { start, end, steps },
    warmup_stable_decay: {
      peak: start,
      end,
      warmup_steps: warmup,
      stable_steps: stable,
      decay_steps: steps - warmup - stable,
    },
    plateau: { start, factor: 0.5, patience: 1, threshold: 0.01, minimum: end },
    ratio: { share: start, momentum: 0.9, start: 1, maximum: 100 },
  }[name];
}

/** λ after 0, 1, … steps. run: {lm: […], kd: […], gap: {step: nats}}, which plateau and ratio watch. */
export function play(name, o, run) {
  const count = run.lm.length;
  const after = (value) => Array.from({ length: count + 1 }, (_, step) => value(step));
  const between = (shape) => after((step) => (step >= o.steps ? o.end : shape(step / o.steps)));
  const line = (from, to, part) => from + (to - from) * part;

  if (name === "constant") return after(() => o.lam);
  if (name === "linear") return between((part) => line(o.start, o.end, part));
  if (name === "cosine") return between((part) => line(o.start, o.end, (1 - Math.cos(Math.PI * part)) / 2));
  if (name === "exponential") return between((part) => o.start * (o.end / o.start) ** part);
  if (name === "warmup_stable_decay") {
    return after((step) => {
      const falling = step - o.warmup_steps - o.stable_steps;
      if (step < o.warmup_steps) return (o.peak * step) / o.warmup_steps;
      if (falling < 0) return o.peak;
      return falling >= o.decay_steps ? o.end : line(o.peak, o.end, falling / o.decay_steps);
    });
  }
  if (name === "plateau") {
    let [lam, best, without] = [o.start, Infinity, 0];
    return after((step) => {
      const gap = run.gap[step];
      if (step === 0 || gap === undefined) return lam;
      if (gap < best - o.threshold) [best, without] = [gap, 0];
      else if (++without > o.patience) {
        lam = Math.min(lam, Math.max(lam * o.factor, o.minimum));
        without = 0;
      }
      return lam;
    });
  }
  let [lm, kd] = [0, 0]; // the remaining one, ratio
  return after((step) => {
    if (step === 0) return o.start;
    lm = o.momentum * lm + (1 - o.momentum) * run.lm[step - 1];
    kd = o.momentum * kd + (1 - o.momentum) * run.kd[step - 1];
    if (lm === 0 && kd === 0) return o.start;
    const wanted = o.share * lm;
    if (wanted === 0) return 0;
    return wanted >= o.maximum * kd ? o.maximum : wanted / kd;
  });
}

const CLASSES = {
  constant: "ConstantLambda",
  linear: "LinearLambda",
  cosine: "CosineLambda",
  exponential: "ExponentialLambda",
  warmup_stable_decay: "WarmupStableDecayLambda",
  plateau: "PlateauLambda",
  ratio: "RatioLambda",
};

function make(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}

function draw(tag, attributes, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
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
  const run = model.get("run");
  const count = run.lm.length;
  const change = (values) => {
    Object.entries(values).forEach(([name, value]) => model.set(name, value));
    model.save_changes();
  };

  const pick = make("label", "slider");
  const select = make("select");
  Object.entries(CLASSES).forEach(([name, title]) => select.add(new Option(title, name)));
  select.addEventListener("change", () => {
    const [from, to] = [model.get("start"), model.get("end")];
    // No factor leads to 0 or away from it.
    const above = select.value === "exponential" ? { start: from || 0.1, end: to || 0.01 } : {};
    change({ ...above, schedule: select.value });
  });
  pick.style.gridTemplateColumns = "auto 1fr";
  pick.append(make("span", "", "schedule"), select);
  const start = slider("", "third", { min: 0.1, max: 4, step: 0.1 }, (v) => v.toFixed(1), (v) => change({ start: v }));
  const end = slider("", "third", { min: 0.01, max: 4, step: 0.01 }, (v) => v.toFixed(2), (v) => change({ end: v }));
  const code = make("p");
  code.append(make("code"));
  code.style.minHeight = "2.8em";

  // The picture: λ above; below, LM and what λ weighs, λ·KD.
  const [width, upper, lower, foot] = [600, 90, 250, 276];
  const picture = draw("svg", { viewBox: `0 0 ${width} ${foot}`, role: "img" });
  const left = (step) => (step / count) * width;
  const highest = Math.max(...run.lm, ...run.kd);
  const [above, below] = [draw("text", { x: 4, y: 12 }), draw("text", { x: 4, y: upper + 24 })];
  const lam = draw("path", { fill: "none", stroke: "var(--third)", "stroke-width": 3 });
  const term = draw("path", { fill: "none", stroke: "var(--p)", "stroke-width": 2, "stroke-dasharray": "6 3" });
  const path = (values, top) => values.map((v, i) => `${i ? "L" : "M"}${left(i).toFixed(1)},${top(v).toFixed(1)}`).join("");
  const loss = (v) => lower - Math.min(v / highest, 1.3) * (lower - upper - 35);
  const now = draw("line", { y1: 0, y2: lower, stroke: "var(--text)", "stroke-width": 1 });
  picture.append(
    draw("line", { x1: 0, x2: width, y1: upper, y2: upper, class: "axis" }),
    draw("line", { x1: 0, x2: width, y1: lower, y2: lower, class: "axis" }),
    draw("path", { d: path(run.lm, loss), fill: "none", stroke: "var(--label)", "stroke-width": 1.5 }),
    term,
    lam,
    now,
    above,
    below,
    draw("text", { x: 0, y: foot - 4 }, "0"),
    draw("text", { x: width, y: foot - 4, "text-anchor": "end" }, `${count} steps`),
  );
  below.textContent = `solid: LM, dashed: λ·KD, up to ${highest.toFixed(1)} nats`;

  const place = slider("steps", "", { min: 0, max: count, step: 1 }, (v) => String(v), (v) => {
    stop();
    change({ position: v });
  });
  const button = make("button", "", "Play");
  button.type = "button";
  const actions = make("div", "actions");
  actions.append(button);
  let frame = 0;
  const stop = () => {
    cancelAnimationFrame(frame);
    frame = 0;
    button.textContent = "Play";
  };
  button.addEventListener("click", () => {
    if (frame) return stop();
    if (model.get("position") >= count) change({ position: 0 });
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
      return change({ position: Math.min(count, model.get("position") + Math.ceil(count / 10)) });
    }
    button.textContent = "Pause";
    const tick = () => {
      change({ position: Math.min(count, model.get("position") + Math.ceil(count / 300)) });
      if (model.get("position") < count) frame = requestAnimationFrame(tick);
      else stop();
    };
    frame = requestAnimationFrame(tick);
  });

  // The mark can be dragged in the picture; its slider does the same by keyboard.
  const drag = (event) => {
    const box = picture.getBoundingClientRect();
    const part = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
    stop();
    change({ position: Math.round(part * count) });
  };
  picture.classList.add("drag");
  picture.addEventListener("pointerdown", (event) => {
    picture.setPointerCapture(event.pointerId);
    drag(event);
  });
  picture.addEventListener("pointermove", (event) => event.buttons && drag(event));
  const again = make("button", "", "Start over");
  again.type = "button";
  const first = Object.fromEntries(["schedule", "start", "end", "position"].map((trait) => [trait, model.get(trait)]));
  again.addEventListener("click", () => {
    stop();
    change(first);
  });
  actions.append(again);

  // What λ changes: the gaps of students that were trained with such schedules.
  const trained = model.get("trained");
  const ends = Object.entries(trained.gap);
  const [tall, level] = [190, (gap) => 22 + ((trained.most - gap) / (trained.most - trained.least)) * 140];
  const across = (step) => (step / trained.steps.at(-1)) * width;
  const students = draw("svg", { viewBox: `0 0 ${width} ${tall}`, role: "img" });
  const curves = ends.map(([name, gaps]) => {
    const d = gaps.map((gap, i) => `${i ? "L" : "M"}${across(trained.steps[i]).toFixed(1)},${level(gap).toFixed(1)}`).join("");
    return [name, draw("path", { d, fill: "none" })];
  });
  students.append(
    draw("line", { x1: 0, x2: width, y1: level(0), y2: level(0), class: "axis" }),
    draw("text", { x: 4, y: level(0) + 18 }, "the teacher’s level"), // below the line, because the curves begin above
    ...curves.map(([, curve]) => curve),
    draw("text", { x: 4, y: 12 }, `gap to the teacher on held-out text, up to ${trained.most.toFixed(1)} nats`),
    draw("text", { x: 0, y: tall - 2 }, "0"),
    draw("text", { x: width, y: tall - 2, "text-anchor": "end" }, `${trained.steps.at(-1)} steps`),
  );
  const outcome = make("p");
  outcome.style.minHeight = "4.2em";

  const table = make("table");
  table.append(make("caption", "", "The next step’s losses, in nats; gap: student’s LM minus teacher’s on held-out text"));
  const head = table.createTHead().insertRow();
  const columns = ["steps taken", "λ", "LM", "KD", "λ·KD", "gap"];
  columns.forEach((title) => {
    const cell = make(title ? "th" : "td", "", title);
    if (title) cell.scope = "col";
    head.append(cell);
  });
  const body = table.createTBody();
  const quarters = [0, 1, 2, 3, 4].map((k) => Math.floor((k * count) / 4));
  const rows = ["now", ...quarters].map((name) => {
    const row = body.insertRow();
    const title = make("th", "", String(name));
    title.scope = "row";
    row.append(title, ...columns.slice(1).map(() => make("td")));
    return row;
  });
  rows[0].className = "total";
  const scroll = make("div", "scroll");
  scroll.append(table);
  const made = make("p");
  made.style.color = "var(--muted)";
  made.textContent = `${run.made_with}. Its losses are replayed here, whatever the λ. What λ changes is below.`;
  const live = make("p", "hidden");
  live.setAttribute("role", "status");
  root.append(make("p", "title", "Play a schedule over a recorded run"), pick, start.row, end.row, code, picture, place.row, actions, scroll, made, students, outcome, live);
  el.append(root);

  const measured = Object.keys(run.gap).map(Number);
  let announced;
  const update = () => {
    const [name, position] = [model.get("schedule"), model.get("position")];
    const o = options(name, model.get("start"), model.get("end"), count);
    const values = play(name, o, run);
    const most = Math.max(...values, 1e-9);
    const at = (step) => {
      const gap = run.gap[Math.max(...measured.filter((m) => m <= step))];
      const known = step < count ? [run.lm[step], run.kd[step], values[step] * run.kd[step]] : [undefined, undefined, undefined];
      return [values[step], ...known, gap].map((v) => (v === undefined ? "" : v.toFixed(3)));
    };
    select.value = name;
    start.row.firstChild.textContent = { warmup_stable_decay: "peak", ratio: "share λ·KD / LM", constant: "λ" }[name] || "start";
    end.row.firstChild.textContent = name === "plateau" ? "minimum" : "end";
    const used = !["constant", "ratio"].includes(name);
    end.row.style.opacity = used ? 1 : 0.5;
    end.row.querySelector("input").disabled = !used;
    start.show(model.get("start"));
    end.show(model.get("end"));
    place.show(position);
    code.firstChild.textContent = `${CLASSES[name]}(${Object.entries(o).map(([k, v]) => `${k}=${v}`).join(", ")})`;
    lam.setAttribute("d", path(values, (v) => upper - (v / most) * (upper - 20)));
    term.setAttribute("d", path(run.kd.map((v, i) => v * values[i]), loss));
    above.textContent = `λ, up to ${most.toFixed(2)}`;
    now.setAttribute("x1", left(position));
    now.setAttribute("x2", left(position));
    [position, ...quarters].forEach((step, i) => at(step).forEach((v, k) => (rows[i].cells[k + 1].textContent = v)));
    picture.setAttribute("aria-label", `${CLASSES[name]}: λ ${[0, ...quarters.slice(1)].map((s) => `${values[s].toFixed(2)} after ${s}`).join(", ")} steps, over the LM loss and λ·KD of the run.`);
    curves.forEach(([other, curve]) => {
      const chosen = other === name;
      curve.setAttribute("stroke", chosen ? "var(--third)" : "var(--muted)");
      curve.setAttribute("stroke-width", chosen ? 3.5 : 1);
      curve.setAttribute("stroke-dasharray", other === "labels alone" ? "4 3" : "none");
    });
    const [mine, labels] = [trained.gap[name], trained.gap["labels alone"]].map((gaps) => gaps && gaps.at(-1).toFixed(3));
    outcome.textContent =
      (mine === undefined
        ? `No student was trained with ${CLASSES[name]}.`
        : `Thick: students trained with ${CLASSES[name]}, ${trained.told[name]}. They end with a gap of ${mine} nats.`) +
      ` Labels alone, dashed, end at ${labels}. ${trained.made_with}.`;
    students.setAttribute("aria-label", outcome.textContent);
    clearTimeout(announced);
    announced = setTimeout(() => {
      live.textContent = `${CLASSES[name]}: after ${position} steps λ is ${values[position].toFixed(3)}.`;
    }, 400);
  };
  const events = ["schedule", "start", "end", "position"].map((trait) => `change:${trait}`);
  events.forEach((event) => model.on(event, update));
  update();
  return () => {
    stop();
    clearTimeout(announced);
    events.forEach((event) => model.off(event, update));
  };
}

export default { render };
