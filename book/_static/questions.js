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

  const rows = (form) => [...form.querySelectorAll(".question-choices > li")];
  const said = (row) => row.querySelector(".question-feedback");
  const ticked = (row) => row.querySelector("input").checked;

  // "1/3", "0,33" and "-0.5e-3" are numbers to a reader.
  const number = (text) => {
    const parts = text.trim().replace(",", ".").replace("−", "-").split("/");
    if (parts.length > 2 || parts.some((part) => part.trim() === "")) return NaN;
    return parts.length === 2 ? Number(parts[0]) / Number(parts[1]) : Number(parts[0]);
  };

  // Each kind: what is answered now, how to put a remembered answer back, and what we say to it.
  // judge returns null while nothing is answered, else {right, note, marks: [row, right?], say}.
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
          return { right: false, note: "That is not a number. Write 0.5, 1/2 or 5e-1.", marks: [] };
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
        const marks = rows(form).map((row, i) => [row, Number(row.dataset.place) === i]);
        const right = marks.every(([, ok]) => ok);
        return { right, note: "", marks };
      },
    },
    matching: {
      answer: (form) => rows(form).map((row) => row.querySelector("select").value),
      restore: (form, answer) =>
        rows(form).forEach((row, i) => (row.querySelector("select").value = answer[i])),
      judge: (form) => {
        const chosen = rows(form).map((row) => row.querySelector("select").value);
        if (chosen.some((value) => !value)) return null;
        const marks = rows(form).map((row, i) => [row, chosen[i] === row.dataset.match]);
        return { right: marks.every(([, ok]) => ok), note: "", marks };
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
  const remark = (row, mark) => {
    const box = el("div", `question-remark ${mark}`);
    const head = el("p", "question-echo");
    head.append(...[...row.querySelector(".question-text").childNodes].map((n) => n.cloneNode(true)));
    box.append(head, ...[...said(row).childNodes].map((n) => n.cloneNode(true)));
    return box;
  };

  const clear = (form) => {
    form.classList.remove("is-right", "is-wrong");
    form.querySelector(".question-verdict").replaceChildren();
    rows(form).forEach((row) => row.classList.remove("is-right", "is-wrong"));
  };

  const check = (form) => {
    clear(form);
    const verdict = form.querySelector(".question-verdict");
    const result = kinds[form.dataset.kind].judge(form);
    if (!result) {
      verdict.append(el("p", "", "Answer first, then check."));
      return false;
    }
    form.classList.add(result.right ? "is-right" : "is-wrong");
    const head = el("p", "question-head", result.right ? "✓ Right." : "✗ Not yet.");
    if (result.note) head.append(` ${result.note}`);
    verdict.append(head);
    result.marks.forEach(([row, ok]) => {
      row.classList.add(ok ? "is-right" : "is-wrong");
      verdict.append(remark(row, ok ? "is-right" : "is-wrong"));
    });
    if (result.plain) {
      verdict.append(...[...result.plain.childNodes].map((n) => n.cloneNode(true)));
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
      const names = node.dataset.questions.split(" ");
      const kept = load(node.dataset.page);
      const solved = names.filter((name) => kept[name] && kept[name].solved).length;
      node.textContent = `${solved} of ${names.length} solved`;
      node.classList.toggle("is-complete", solved === names.length);
    });

  const remember = (form, solved) => {
    const kept = load(page);
    kept[form.dataset.name] = { answer: kinds[form.dataset.kind].answer(form), solved };
    save(page, kept);
    tally();
  };

  document.querySelectorAll("form.question").forEach((form) => {
    const kind = kinds[form.dataset.kind];
    const first = kind.answer(form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      remember(form, check(form));
    });
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      kind.restore(form, first);
      clear(form);
      const kept = load(page);
      delete kept[form.dataset.name];
      save(page, kept);
      tally();
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
    const kept = load(page)[form.dataset.name];
    if (kept) {
      // The page may have changed since: what no longer fits is forgotten.
      try {
        kind.restore(form, kept.answer);
        check(form);
      } catch {
        kind.restore(form, first);
        clear(form);
      }
    }
  });

  document.querySelectorAll(".question-forget").forEach((button) =>
    button.addEventListener("click", () => {
      document
        .querySelectorAll(".question-tally")
        .forEach((node) => localStorage.removeItem(key(node.dataset.page)));
      tally();
    }),
  );
  tally();
})();
