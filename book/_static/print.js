// What paper needs and a screen does not: the light theme, open folds, when the page ran below its
// title, and the answers of its questions at its end. All is undone after printing. (The answers without scripts: questions.css.)
(() => {
  "use strict";
  const el = (tag, className, ...children) => {
    const node = document.createElement(tag);
    node.className = className;
    node.append(...children);
    return node;
  };
  // A copy has no name that something could link to, and its mathematics stays set.
  const copy = (node) =>
    [...node.childNodes].map((child) => {
      const clone = child.cloneNode(true);
      if (clone.querySelectorAll) {
        [clone, ...clone.querySelectorAll("[id]")].forEach((each) => each.removeAttribute("id"));
      }
      return clone;
    });

  const rows = (form) => [...form.querySelectorAll(".question-choices > li")];
  const line = (said, ...head) => el("div", "", el("p", "", ...head), ...(said ? copy(said) : []));
  const words = (row) => copy(row.querySelector(".question-text"));
  const feedback = (row) => row.querySelector(".question-feedback");
  const ticks = (form) =>
    rows(form)
      .filter((row) => row.dataset.right === "true")
      .map((row) => line(feedback(row), el("strong", "", ...words(row))));
  const answers = {
    single: ticks,
    multiple: ticks,
    numeric: (form) =>
      [...form.querySelectorAll('.question-feedback[data-right="true"][data-value]')].map((said) =>
        line(said, el("strong", "", String(Number(said.dataset.value)))),
      ),
    ordering: (form) =>
      rows(form)
        .sort((one, other) => one.dataset.place - other.dataset.place)
        .map((row, i) => line(feedback(row), el("strong", "", `${i + 1}. `, ...words(row)))),
    matching: (form) =>
      rows(form).map((row) =>
        line(feedback(row), el("strong", "", ...words(row), ` → ${row.dataset.match}`)),
      ),
  };

  let undo = [];
  const add = (parent, node) => {
    parent.append(node);
    undo.push(() => node.remove());
  };
  const open = () => {
    const root = document.documentElement;
    const theme = root.dataset.theme;
    root.dataset.theme = "light";
    undo.push(() => (root.dataset.theme = theme));
    document.querySelectorAll(".bd-article details:not([open])").forEach((fold) => {
      fold.open = true;
      undo.push(() => (fold.open = false));
    });
    document.querySelectorAll(".bd-article .book-executed").forEach((ran) => {
      const [home, next] = [ran.parentNode, ran.nextSibling];
      home.querySelector("h1").after(ran); // at the end it can be the only line of a sheet
      undo.push(() => home.insertBefore(ran, next));
    });
    const forms = [...document.querySelectorAll("form.question")];
    if (!forms.length) return;
    const list = el("dl", "");
    forms.forEach((form) => {
      const options = [...(form.querySelector("select")?.options ?? [])].slice(1);
      if (options.length) {
        const names = options.map((option) => option.text).join(" · ");
        add(form.querySelector("fieldset"), el("p", "question-choices-in-words", `To choose from: ${names}`));
      }
      const title = form.querySelector("legend").firstChild.textContent.split(" · ")[0];
      const page = form.dataset.chapter ? `${form.dataset.chapter}, ` : "";
      list.append(el("dt", "", page + title), el("dd", "", ...answers[form.dataset.kind](form)));
    });
    add(document.querySelector(".bd-article"), el("section", "question-answers", el("h2", "", "Answers"), list));
  };
  const close = () => {
    undo.reverse().forEach((step) => step());
    undo = [];
  };
  window.addEventListener("beforeprint", () => {
    close(); // a browser may say so twice
    open();
  });
  window.addEventListener("afterprint", close);
})();
