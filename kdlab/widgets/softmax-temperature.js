// Logits and a temperature, and the distribution that they give.

/** softmax(logits / temperature). */
export function softmax(logits, temperature = 1) {
  const top = Math.max(...logits);
  const weights = logits.map((z) => Math.exp((z - top) / temperature));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / sum);
}

/** Entropy in nats. */
export const entropy = (p) => -p.reduce((sum, x) => sum + (x > 0 ? x * Math.log(x) : 0), 0);

function make(tag, className = "", text = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}

function slider(name, { min, max, step }, say, changed) {
  const row = make("label", "slider");
  const input = make("input");
  const output = make("span", "value");
  output.setAttribute("aria-hidden", "true"); // the slider itself tells a screen reader its value
  Object.assign(input, { type: "range", min, max, step });
  input.setAttribute("role", "slider");
  input.dataset.lmSuppressShortcuts = "true"; // otherwise JupyterLab takes the arrow keys
  input.addEventListener("input", () => changed(Number(input.value)));
  row.append(make("span", "", name), input, output);
  const show = (value) => {
    input.value = value;
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

  const temperature = slider("temperature", { min: 0.1, max: 10, step: 0.1 }, (t) => t.toFixed(1), (t) =>
    change("temperature", t),
  );
  const group = make("fieldset");
  group.append(make("legend", "", "Logits"));
  const logits = tokens.map((token, i) =>
    slider(token, { min: -6, max: 6, step: 0.1 }, (z) => z.toFixed(1), (z) =>
      change("logits", model.get("logits").map((old, j) => (j === i ? z : old))),
    ),
  );

  group.append(...logits.map((logit) => logit.row));

  const table = make("table");
  table.append(make("caption", "", "softmax(logits / T)"));
  const head = table.createTHead().insertRow();
  ["token", "logit", "at T = 1", "at T", ""].forEach((name) => {
    const cell = make(name ? "th" : "td", "", name);
    if (name) cell.scope = "col";
    head.append(cell);
  });
  const body = table.createTBody();
  const rows = [...tokens, "entropy, nats"].map((name, i) => {
    const row = body.insertRow();
    const title = make("th", "", name);
    title.scope = "row";
    row.append(title, make("td"), make("td"), make("td"), make("td"));
    if (i < tokens.length) {
      const bar = make("div", "bar p");
      bar.append(make("i"));
      row.lastChild.append(bar);
      row.lastChild.style.width = "30%";
    } else row.className = "total";
    return row;
  });
  const scroll = make("div", "scroll");
  scroll.append(table);
  const again = make("button", "", "Start over");
  again.type = "button";
  const first = { logits: model.get("logits"), temperature: model.get("temperature") };
  again.addEventListener("click", () => Object.entries(first).forEach(([name, value]) => change(name, value)));
  const actions = make("div", "actions");
  actions.append(again);
  const live = make("p", "hidden");
  live.setAttribute("role", "status");

  root.append(make("p", "title", "Drag the logits, then the temperature"), temperature.row, group, actions, scroll, live);
  el.append(root);

  let announced;
  const update = () => {
    const z = model.get("logits");
    const T = model.get("temperature");
    const [one, at] = [softmax(z), softmax(z, T)];
    temperature.show(T);
    logits.forEach((logit, i) => logit.show(z[i]));
    rows.forEach((row, i) => {
      const [, logit, first, second, share] = row.cells;
      if (i === z.length) {
        first.textContent = entropy(one).toFixed(3);
        second.textContent = entropy(at).toFixed(3);
        return;
      }
      logit.textContent = z[i].toFixed(1);
      first.textContent = one[i].toFixed(3);
      second.textContent = at[i].toFixed(3);
      share.firstChild.style.setProperty("--part", at[i]);
    });
    clearTimeout(announced);
    announced = setTimeout(() => {
      const list = tokens.map((token, i) => `${token} ${at[i].toFixed(3)}`).join(", ");
      live.textContent = `T = ${T.toFixed(1)}: ${list}; entropy ${entropy(at).toFixed(3)} nats.`;
    }, 400);
  };
  model.on("change:logits", update);
  model.on("change:temperature", update);
  update();
  return () => {
    clearTimeout(announced);
    model.off("change:logits", update);
    model.off("change:temperature", update);
  };
}

export default { render };
