// Finds sections that have every word of the query or, where none has, at least half of them, each with an
// excerpt. Words that make a question of it are left out. A word that no section has stands for the
// nearest one that some section has, and the page says so. No requests.
(() => {
  "use strict";
  const LONGEST = 220; // characters of an excerpt
  const REPEATED = 14; // what a text gets that has a word again and again; a title that has it once gets 15
  const GREEK = { λ: "lambda", α: "alpha", β: "beta", θ: "theta", τ: "tau" };
  const plain = (text) =>
    text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase().replace(/[λαβθτ]/g, (letter) => GREEK[letter]);
  const ASKING = new Set(
    "a an and are at be by can do does for from how i if in is it me my of on or should that the to was what when where which who why with you your".split(" "),
  );
  const wordsOf = (text) => plain(text).match(/[\p{L}\p{N}_]+/gu) || [];

  // forward_kl is found by forward, by kl and by itself.
  const parts = (word) => [word, ...(word.includes("_") ? word.split("_").filter(Boolean) : [])];
  const count = (text) => {
    const counts = new Map();
    wordsOf(text).flatMap(parts).forEach((word) => counts.set(word, (counts.get(word) || 0) + 1));
    return counts;
  };
  // "weights" finds "weight", and "calibrat" finds "calibration".
  const stem = (word) => (word.length > 4 ? word.replace(/(?:ies|es|ed|ing|e|s)$/, "") : word);
  const fits = (wanted, word) =>
    word === wanted ? 3 : stem(word) === stem(wanted) ? 2 : wanted.length > 2 && word.startsWith(wanted) ? 1 : 0;

  const best = (counts, wanted) => {
    let score = 0;
    counts.forEach((times, word) => {
      score = Math.max(score, fits(wanted, word) * (1 + Math.log(times)));
    });
    return score;
  };

  // How many letters are to be added, left out, changed or swapped with the next; at most `limit`.
  const distance = (one, other, limit) => {
    if (Math.abs(one.length - other.length) > limit) return limit + 1;
    let [before, last] = [[], [...Array(other.length + 1).keys()]];
    for (let i = 1; i <= one.length; i++) {
      const now = [i];
      for (let j = 1; j <= other.length; j++) {
        const changed = last[j - 1] + (one[i - 1] !== other[j - 1]);
        now[j] = Math.min(changed, last[j] + 1, now[j - 1] + 1);
        const swapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
        if (swapped) now[j] = Math.min(now[j], before[j - 2] + 1);
      }
      [before, last] = [last, now];
    }
    return last[other.length];
  };

  const sections = window.bookSections.map(([page, pageTitle, name, title, text]) => ({
    address: name ? `${page}#${name}` : page,
    pageTitle,
    title,
    text,
    inTitle: count(title),
    inText: count(text),
  }));
  const everywhere = new Map();
  sections.forEach(({ inTitle, inText }) =>
    [inTitle, inText].forEach((counts) =>
      counts.forEach((times, word) => everywhere.set(word, (everywhere.get(word) || 0) + times)),
    ),
  );

  const known = (wanted) => [...everywhere.keys()].some((word) => fits(wanted, word));
  const nearest = (wanted) => {
    const limit = wanted.length < 4 ? 0 : wanted.length < 7 ? 1 : 2;
    let found = null;
    everywhere.forEach((times, word) => {
      const far = distance(wanted, word, limit);
      const closer = !found || far < found.far || (far === found.far && times > found.times);
      if (far <= limit && closer) found = { word, far, times };
    });
    return found ? found.word : wanted;
  };

  const find = (query, enough) =>
    sections
      .map((section) => {
        const scores = query.map((wanted) => {
          const title = best(section.inTitle, wanted);
          return Math.max(5 * title, Math.min(REPEATED, best(section.inText, wanted)));
        });
        const has = scores.filter(Boolean).length;
        return { section, score: has >= enough && scores.reduce((sum, one) => sum + one, 0) };
      })
      .filter(({ score }) => score)
      .sort((one, other) => other.score - one.score)
      .map(({ section }) => section);

  const el = (tag, className, ...children) => {
    const node = document.createElement(tag);
    node.className = className;
    node.append(...children);
    return node;
  };
  // The stretch of text that has most of the query's words, which are marked.
  const excerpt = (text, query) => {
    const spots = [...text.matchAll(/[\p{L}\p{N}_]+/gu)].filter(([word]) =>
      parts(plain(word)).some((part) => query.some((wanted) => fits(wanted, part))),
    );
    const inReach = (spot) => {
      const near = spots.filter((each) => each.index >= spot.index && each.index < spot.index + LONGEST - 60);
      return new Set(near.map(([word]) => plain(word))).size;
    };
    const first = spots.reduce((one, spot) => (one && inReach(one) >= inReach(spot) ? one : spot), null);
    const wanted = first ? Math.max(0, first.index - 60) : 0;
    const from = wanted ? text.indexOf(" ", wanted) + 1 : 0;
    const rest = text.slice(from, from + LONGEST);
    const shown = from + LONGEST < text.length ? rest.slice(0, rest.lastIndexOf(" ")) : rest;
    const node = el("p", "context", from ? "… " : "");
    let at = 0;
    spots.forEach((spot) => {
      const begin = spot.index - from;
      if (begin < at || begin + spot[0].length > shown.length) return;
      node.append(shown.slice(at, begin), el("mark", "", spot[0]));
      at = begin + spot[0].length;
    });
    node.append(shown.slice(at), from + shown.length < text.length ? " …" : "");
    return node;
  };

  const asked = new URLSearchParams(location.search).get("q") || "";
  const results = document.getElementById("search-results");
  if (!results || !asked.trim()) return;
  document.querySelectorAll("form.bd-search input[name=q]").forEach((field) => (field.value = asked));
  const every = wordsOf(asked);
  const telling = every.filter((word) => !ASKING.has(word));
  const typed = telling.length ? telling : every;
  const query = typed.map((word) => (known(word) ? word : nearest(word)));
  let found = query.length ? find(query, query.length) : [];
  const some = !found.length && query.every(known);
  let enough = query.length;
  while (some && !found.length && --enough >= query.length / 2) found = find(query, enough);
  const said = found.length === 1 ? "one section" : `${found.length} sections`;
  results.append(el("h2", "", "Search results"));
  const summary = el("p", "search-summary", `Search finished: ${said} found.`);
  summary.setAttribute("role", "status");
  const mended = query.filter((word, i) => word !== typed[i]);
  if (found.length && mended.length) {
    const wrong = typed.filter((word, i) => word !== query[i]).join(" ");
    summary.append(` No page has “${wrong}”; these have “${mended.join(" ")}”.`);
  }
  const share = enough > query.length / 2 ? "most" : "some";
  if (found.length && some) summary.append(` No section has all of these words; these have ${share} of them.`);
  if (!found.length) summary.append(" Try fewer or other words.");
  const list = el("ul", "search");
  found.forEach((section) => {
    const link = el("a", "", section.title);
    link.href = section.address;
    const where = section.title === section.pageTitle ? [] : [el("span", "search-where", ` · ${section.pageTitle}`)];
    list.append(el("li", "", link, ...where, excerpt(section.text, query)));
  });
  results.append(summary, list);
  list.addEventListener("click", () => {
    try {
      localStorage.setItem("sphinx_highlight_terms", query.join(" ")); // the page marks them too
    } catch {
      /* private mode */
    }
  });
})();
