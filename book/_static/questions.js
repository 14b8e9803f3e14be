// Judges the questions of a page, gives the feedback that belongs to the answer and remembers it.
// Plain DOM, no dependencies, no requests. What is kept stays in this browser (localStorage).
(() => {
  "use strict";
  const page = document.currentScript.dataset.page;
  const key = (name) => `distillation-book:${name}`;

  const load = (name) => {
    try {
      return JSON.parse(localStorage.getItem(key(name))) || {};
    } catch {
      return {};
    }
  };
  const save = (name, value) => {
    try {
      localStorage.setItem(key(name), JSON.stringify(value));
    } catch {
      /* private mode: the page works, only without memory */
    }
  };

  // What is kept of a question, unless it was answered to another version of it.
  const keptOf = (kept, name, version) => (kept[name]?.version === version ? kept[name] : null);

  const rows = (form) => [...form.querySelectorAll(".question-choices > li")];
  const said = (row) => row.querySelector(".question-feedback");
  const copy = (node) => [...node.childNodes].map((child) => child.cloneNode(true));
  const words = (row) => copy(row.querySelector(".question-text")); // with their mathematics
  const ticked = (row) => row.querySelector("input").checked;

  // "1/3", "0,33", "-0.5e-3", "75%", "2.3 nats", "-ln 0.1", "e^(4/2)" and "sqrt(54.6)" are numbers to a
  // reader. log is ln, as in the book. NaN for what is none, or is longer than anyone's number.
  const LONGEST = 200;
  const FUNCTIONS = { ln: Math.log, log: Math.log, exp: Math.exp, sqrt: Math.sqrt, "√": Math.sqrt };
  const number = (text) => {
    if (text.length > LONGEST) return NaN;
    const plain = text.trim().toLowerCase().replace(/(\d),(\d)/g, "$1.$2").replace(/[−–]/g, "-");
    const counted = plain.replace(/[·×]/g, "*").replace(/\s*(nats?|labels?|times)\.?$/, "");
    const signs = counted.replace(/\*\*/g, "^").replace(/²/g, "^2");
    const tokens = signs.match(/(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|ln|log|exp|sqrt|\S/g) || [];
    const value = () => {
      const token = tokens.shift();
      if (Object.hasOwn(FUNCTIONS, token)) {
        return FUNCTIONS[token](tokens[0] === "(" ? value() : factor());
      }
      let found = token === "e" ? Math.E : Number(token ?? NaN);
      if (token === "(") {
        found = sum();
        if (tokens.shift() !== ")") return NaN;
      }
      return tokens[0] === "%" ? (tokens.shift(), found / 100) : found;
    };
    const factor = () => {
      if (tokens[0] === "-") return tokens.shift(), -factor();
      if (tokens[0] === "+") return tokens.shift(), factor();
      const found = value();
      return tokens[0] === "^" ? (tokens.shift(), found ** factor()) : found;
    };
    const product = () => {
      let found = factor();
      while (tokens[0] === "*" || tokens[0] === "/") {
        found = tokens.shift() === "*" ? found * factor() : found / factor();
      }
      return found;
    };
    const sum = () => {
      let found = product();
      while (tokens[0] === "+" || tokens[0] === "-") {
        found = tokens.shift() === "+" ? found + product() : found - product();
      }
      return found;
    };
    const found = sum();
    return tokens.length ? NaN : found;
  };

  // Each kind: what is answered now, how to put a remembered answer back, and what we say to it.
  // judge returns null while nothing is answered, else {right, note, marks: [row, right?, instead]};
  // `instead` is said where the row's own feedback would give the answer away.
  const choices = {
    answer: (form) => rows(form).map(ticked),
    restore: (form, answer) =>
      rows(form).forEach((row, i) => (row.querySelector("input").checked = answer[i])),
    judge: (form) => {
      const chosen = rows(form).filter(ticked);
      if (!chosen.length) return null;
      const isRight = (row) => row.dataset.right === "true";
      const missed = rows(form).filter((row) => isRight(row) && !ticked(row)).length;
      const right = chosen.every(isRight) && !missed;
      const some = form.dataset.kind === "multiple" && missed;
      const note = some ? `Still missing: ${missed} of the right choices.` : "";
      const say = right ? rows(form).filter((row) => !ticked(row)) : [];
      return { right, note, marks: chosen.map((row) => [row, isRight(row)]), others: say };
    },
  };
  const kinds = {
    single: choices,
    multiple: choices,
    numeric: {
      answer: (form) => form.querySelector("input").value,
      restore: (form, answer) => (form.querySelector("input").value = answer),
      judge: (form) => {
        const text = form.querySelector("input").value;
        if (!text.trim()) return null;
        const value = number(text);
        if (Number.isNaN(value)) {
          const note = "That is not a number. Write 0.5, 1/2, 50%, 5e-1, ln 2 or e^2.";
          return { right: false, note, marks: [] };
        }
        const all = [...form.querySelectorAll(".question-feedback")];
        const near = (f) => Math.abs(value - f.dataset.value) <= Number(f.dataset.tolerance);
        const hit = all.find((f) => !f.dataset.else && near(f)) || all.find((f) => f.dataset.else);
        const right = hit.dataset.right === "true";
        return { right, note: "", marks: [], plain: hit };
      },
    },
    ordering: {
      answer: (form) => rows(form).map((row) => row.dataset.place),
      restore: (form, answer) => {
        const list = form.querySelector(".question-choices");
        const by = new Map(rows(form).map((row) => [row.dataset.place, row]));
        answer.forEach((place) => list.append(by.get(place)));
      },
      judge: (form) => {
        const all = rows(form);
        const place = (row) => Number(row.dataset.place);
        const at = all.findIndex((row, i) => i && place(row) < place(all[i - 1]));
        if (at < 0) return { right: true, note: "", marks: all.map((row) => [row, true]) };
        const [first, second] = [words(all[at - 1]), words(all[at])];
        const note = ["You have “", ...first, "” just before “", ...second, "”. Of these two, the second comes first."];
        return { right: false, note, marks: [] };
      },
    },
    matching: {
      answer: (form) => rows(form).map((row) => row.querySelector("select").value),
      restore: (form, answer) =>
        rows(form).forEach((row, i) => (row.querySelector("select").value = answer[i])),
      judge: (form) => {
        const chosen = (row) => row.querySelector("select").value;
        const all = rows(form);
        const open = all.filter((row) => !chosen(row));
        if (open.length === all.length) return null;
        const note = open.flatMap((row, i) => [i ? "”, “" : "Still to match: “", ...words(row)]);
        if (open.length) note.push("”.");
        const marks = all.filter(chosen).map((row) => {
          const fits = chosen(row) === row.dataset.match;
          return [row, fits, fits ? "" : `This is not matched by “${chosen(row)}”.`];
        });
        return { right: !open.length && marks.every(([, ok]) => ok), note, marks };
      },
    },
  };

  const el = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text) node.textContent = text;
    return node;
  };

  // A choice's words and what we say to them, copied with their mathematics.
  const remark = (row, mark, instead) => {
    const box = el("div", `question-remark ${mark}`);
    const head = el("p", "question-echo");
    head.append(...words(row));
    box.append(head, ...(instead ? [el("p", "", instead)] : copy(said(row))));
    return box;
  };

  const clear = (form) => {
    form.classList.remove("is-right", "is-wrong");
    form.querySelector(".question-verdict").replaceChildren();
    rows(form).forEach((row) => row.classList.remove("is-right", "is-wrong"));
  };

  // Whether the answer is right; null where there is none.
  const check = (form) => {
    clear(form);
    const verdict = form.querySelector(".question-verdict");
    const result = kinds[form.dataset.kind].judge(form);
    if (!result) {
      verdict.append(el("p", "", "Answer first, then check."));
      return null;
    }
    form.classList.add(result.right ? "is-right" : "is-wrong");
    const head = el("p", "question-head", result.right ? "✓ Right." : "✗ Not yet.");
    if (result.note.length) head.append(" ", ...[result.note].flat());
    verdict.append(head);
    result.marks.forEach(([row, ok, instead]) => {
      row.classList.add(ok ? "is-right" : "is-wrong");
      verdict.append(remark(row, ok ? "is-right" : "is-wrong", instead));
    });
    if (result.plain) {
      verdict.append(...copy(result.plain));
    }
    if (result.others && result.others.length) {
      const more = el("details");
      more.append(el("summary", "", "And the other choices?"));
      more.append(...result.others.map((row) => remark(row, "")));
      verdict.append(more);
    }
    return result.right;
  };

  const tally = () =>
    document.querySelectorAll(".question-tally").forEach((node) => {
      const questions = node.dataset.questions.split(" ").map((each) => each.split(":"));
      const kept = load(node.dataset.page);
      const solved = questions.filter((question) => keptOf(kept, ...question)?.solved).length;
      node.textContent = `${solved} of ${questions.length} solved`;
      node.classList.toggle("is-complete", solved === questions.length);
    });

  // What was solved once stays solved, whatever is tried afterwards.
  const remember = (form, answer, solved) => {
    const kept = load(page);
    const { name, version } = form.dataset;
    const before = keptOf(kept, name, version);
    kept[name] = { answer, solved: solved || Boolean(before?.solved), version };
    save(page, kept);
    tally();
  };

  document.querySelectorAll("form.question").forEach((form) => {
    const kind = kinds[form.dataset.kind];
    const first = kind.answer(form);
    let checked = "";
    const judge = () => {
      checked = JSON.stringify(kind.answer(form));
      return check(form);
    };
    // What was said of an answer does not stand beside another one.
    const forgetVerdict = () => checked !== JSON.stringify(kind.answer(form)) && clear(form);
    form.addEventListener("input", forgetVerdict);
    window.addEventListener("pageshow", forgetVerdict); // the browser has put its own answers back
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const solved = judge();
      if (solved !== null) remember(form, kind.answer(form), solved);
      form.querySelector(".question-verdict > p").scrollIntoView({ block: "nearest" });
    });
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      kind.restore(form, first);
      clear(form);
      remember(form, null, false);
    });
    if (form.dataset.kind === "ordering") {
      form.addEventListener("click", (event) => {
        const button = event.target.closest("li button");
        if (!button) return;
        const row = button.closest("li");
        const up = button.textContent === "↑";
        const other = up ? row.previousElementSibling : row.nextElementSibling;
        if (!other) return;
        clear(form);
        if (up) other.before(row);
        else other.after(row);
        button.focus();
      });
    }
    const kept = keptOf(load(page), form.dataset.name, form.dataset.version);
    if (kept && kept.answer !== null) {
      try {
        kind.restore(form, kept.answer);
        judge();
      } catch {
        kind.restore(form, first);
        clear(form);
      }
    }
  });

  document.querySelectorAll(".question-forget").forEach((button) =>
    button.addEventListener("click", () => {
      if (!confirm("Forget all your answers, and which questions you have solved?")) return;
      document
        .querySelectorAll(".question-tally")
        .forEach((node) => localStorage.removeItem(key(node.dataset.page)));
      tally();
    }),
  );
  tally();
  window.addEventListener("storage", tally); // another tab has answered
  window.addEventListener("pageshow", tally); // or this one, before it came back here
})();
