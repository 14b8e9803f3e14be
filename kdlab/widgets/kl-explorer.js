// Two distributions whose bars can be dragged: both KLs, JSD, and what each token adds to them.

const ratio = (a, b) => (a === 0 ? 0 : a * Math.log(a / b)); // 0·log 0 is 0; a·log(a/0) is ∞
const sum = (list) => list.reduce((a, b) => a + b, 0);

/** What each token adds to KL(p‖q), KL(q‖p) and JSD: [forward, reverse, jsd] per token. */
export function shares(p, q) {
  return p.map((a, i) => {
    const m = (a + q[i]) / 2;
    return [ratio(a, q[i]), ratio(q[i], a), (ratio(a, m) + ratio(q[i], m)) / 2];
  });
}

/** [KL(p‖q), KL(q‖p), JSD(p, q)] in nats. */
export const divergences = (p, q) => [0, 1, 2].map((k) => sum(shares(p, q).map((s) => s[k])));

/** p with entry i set to value, as far as held entries leave room; the others keep their proportions. */
export function withEntry(p, i, value, held = []) {
  const stays = (j) => j !== i && held.includes(j);
  const moves = (j) => j !== i && !stays(j);
  const room = 1 - sum(p.filter((_, j) => stays(j)));
  const [rest, count] = [sum(p.filter((_, j) => moves(j))), p.filter((_, j) => moves(j)).length];
  if (!count) return [...p];
  const set = Math.min(value, room);
  return p.map((x, j) => {
    if (j === i) return set;
    if (stays(j)) return x;
    return rest > 0 ? (x / rest) * (room - set) : (room - set) / count;
  });
}

const nats = (x) => (x === Infinity ? "∞" : x.toFixed(3).replace(/^-(0\.0+)$/, "$1"));

function make(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}

function slider(name, className, changed) {
  const row = make("label", `slider ${className}`);
  const input = make("input");
  const output = make("span", "value");
  output.setAttribute("aria-hidden", "true"); // the slider itself tells a screen reader its value
  Object.assign(input, { type: "range", min: 0, max: 1, step: 0.01 });
  input.setAttribute("role", "slider");
  input.dataset.lmSuppressShortcuts = "true"; // otherwise JupyterLab takes the arrow keys
  input.addEventListener("input", () => changed(Number(input.value)));
  row.append(make("span", "", name), input, output);
  const show = (value) => {
    if (Math.abs(input.value - value) > 0.0051 || document.activeElement !== input) input.value = value;
    input.style.setProperty("--part", value);
    input.setAttribute("aria-valuetext", value.toFixed(3));
    output.textContent = value.toFixed(3);
  };
  return { row, show };
}

function numbers(caption, columns, names) {
  const table = make("table");
  table.append(make("caption", "", caption));
  const head = table.createTHead().insertRow();
  columns.forEach((name) => {
    const cell = make(name ? "th" : "td", "", name);
    if (name) cell.scope = "col";
    head.append(cell);
  });
  const body = table.createTBody();
  const rows = names.map((name) => {
    const row = body.insertRow();
    const title = make("th", "", name);
    title.scope = "row";
    row.append(title, ...columns.slice(1).map(() => make("td")));
    return row;
  });
  const scroll = make("div", "scroll");
  scroll.append(table);
  const fill = (i, values) => values.forEach((value, j) => (rows[i].cells[j + 1].textContent = value));
  return { scroll, fill, rows };
}

function render({ model, el }) {
  const root = make("div", "kdlab-widget");
  const tokens = model.get("tokens");
  const teacher = model.get("teacher");
  const students = Object.entries(model.get("students"));
  const change = (values) => {
    Object.entries(values).forEach(([name, value]) => model.set(name, value));
    model.save_changes();
  };
  const live = make("p", "hidden");
  live.setAttribute("role", "status");
  let announced;
  const announce = (text) => {
    clearTimeout(announced);
    announced = setTimeout(() => (live.textContent = text), 400);
  };

  // The reader predicts which student has the smallest KL(p‖q), then reveals the numbers.
  let updateStudents = () => {};
  if (students.length) {
    const names = students.map(([name]) => name);
    const group = make("fieldset");
    const list = make("div", "choices");
    const radios = names.map((name) => {
      const label = make("label");
      const radio = make("input");
      Object.assign(radio, { type: "radio", name: `kl-explorer-${Math.random()}`, value: name });
      radio.addEventListener("change", () => {
        const q = students[names.indexOf(name)][1];
        change(model.get("revealed") ? { picked: name, q: [...q] } : { picked: name });
      });
      label.append(radio, make("span", "", name));
      list.append(label);
      return radio;
    });
    radios.forEach((radio) => (radio.name = radios[0].name));
    group.append(make("legend", "", "Predict: whose KL(p‖q) is smallest?"), list);
    const table = numbers(
      "The teacher and its students",
      ["", ...tokens, "KL(p‖q)", "KL(q‖p)", "JSD"],
      ["teacher p", ...names],
    );
    const button = make("button", "", "Reveal");
    button.type = "button";
    const verdict = make("p");
    verdict.style.minHeight = "1.4em";
    button.addEventListener("click", () => {
      const picked = names.indexOf(model.get("picked"));
      if (picked < 0) verdict.textContent = "Pick a student first.";
      else change({ revealed: true, p: [...teacher], q: [...students[picked][1]] });
    });
    const actions = make("div", "actions");
    actions.append(button);
    root.append(make("p", "title", "Students of one teacher"), table.scroll, group, actions, verdict);
    updateStudents = () => {
      const [revealed, picked] = [model.get("revealed"), model.get("picked")];
      table.fill(0, [...teacher.map(nats), "", "", ""]);
      const scores = students.map(([, q]) => divergences(teacher, q));
      students.forEach(([, q], i) => {
        const said = revealed ? scores[i].map(nats) : ["?", "?", "?"];
        table.fill(i + 1, [...q.map(nats), ...said]);
      });
      radios.forEach((radio) => (radio.checked = radio.value === picked));
      bars.hidden = !revealed;
      if (!revealed) return;
      const best = names[scores.map((s) => s[0]).reduce((b, x, i, all) => (x < all[b] ? i : b), 0)];
      const [mine, least] = [picked, best].map((name) => nats(scores[Math.max(names.indexOf(name), 0)][0]));
      let said = `${picked} has KL(p‖q) = ${mine} nats. The least is ${best}’s: ${least}.`;
      if (!names.includes(picked)) said = `The least KL(p‖q) is ${best}’s: ${least} nats.`;
      if (picked === best) said = `${best} it is: KL(p‖q) = ${least} nats, the least of all.`;
      verdict.textContent = `${said} Pick another to see it below, or drag the bars.`;
    };
  }

  const bars = make("div");
  const release = [];
  const first = { p: model.get("p"), q: model.get("q") };
  const groups = ["p", "q"].map((which) => {
    const title = which === "p" ? "Teacher p" : "Student q";
    const group = make("fieldset");
    group.append(make("legend", "", title));
    const holds = [];
    const held = () => holds.flatMap((hold, i) => (hold.checked ? [i] : []));
    const rows = tokens.map((token, i) =>
      slider(`${which}(${token})`, which, (value) => change({ [which]: withEntry(model.get(which), i, value, held()) })),
    );
    rows.forEach(({ row }, i) => {
      const line = make("div", "held");
      const label = make("label");
      const hold = make("input");
      hold.type = "checkbox";
      hold.setAttribute("aria-label", `hold ${which}(${tokens[i]})`);
      hold.addEventListener("change", () => (row.querySelector("input").disabled = hold.checked));
      label.append(hold, make("span", "", "hold"));
      holds.push(hold);
      line.append(row, label);
      group.append(line);
    });
    release.push(() => {
      holds.forEach((hold) => (hold.checked = false));
      rows.forEach(({ row }) => (row.querySelector("input").disabled = false));
    });
    bars.append(group);
    return rows;
  });
  const table = numbers(
    "What each token adds, in nats",
    ["token", "p", "q", "KL(p‖q)", "KL(q‖p)", "JSD"],
    [...tokens, "sum"],
  );
  table.rows.at(-1).className = "total";
  const actions = make("div", "actions");
  const swap = make("button", "", "Swap p and q");
  swap.type = "button";
  swap.addEventListener("click", () => change({ p: model.get("q"), q: model.get("p") }));
  const again = make("button", "", "Start over");
  again.type = "button";
  again.addEventListener("click", () => {
    release.forEach((step) => step());
    change(first);
  });
  actions.append(...(students.length ? [] : [swap]), again);
  bars.append(table.scroll, actions);
  if (!students.length) {
    root.append(make("p", "title", "Drag the bars of teacher and student"));
  }
  root.append(bars, live);
  el.append(root);

  const update = () => {
    const [p, q] = [model.get("p"), model.get("q")];
    groups[0].forEach((row, i) => row.show(p[i]));
    groups[1].forEach((row, i) => row.show(q[i]));
    shares(p, q).forEach((share, i) => table.fill(i, [p[i].toFixed(3), q[i].toFixed(3), ...share.map(nats)]));
    const all = divergences(p, q).map(nats);
    table.fill(tokens.length, [sum(p).toFixed(3), sum(q).toFixed(3), ...all]);
    updateStudents();
    if (!students.length || model.get("revealed")) {
      announce(`KL(p‖q) ${all[0]}, KL(q‖p) ${all[1]}, JSD ${all[2]} nats.`);
    }
  };
  const events = ["p", "q", "picked", "revealed"].map((name) => `change:${name}`);
  events.forEach((event) => model.on(event, update));
  update();
  live.textContent = "";
  return () => {
    clearTimeout(announced);
    events.forEach((event) => model.off(event, update));
  };
}

export default { render };
