// Shows what a link leads to, beside it, to who points at it or reaches it by keyboard: terms of
// the glossary, equations, entries of the bibliography. Escape closes it; it can be pointed at.
(() => {
  "use strict";
  const article = document.querySelector(".bd-article");
  if (!article) return;
  const shown = document.createElement("div");
  shown.className = "book-preview";
  shown.id = "book-preview";
  shown.setAttribute("role", "tooltip");
  shown.hidden = true;
  document.body.append(shown);
  let link = null;
  let leaving = 0;

  // A citation's title is its entry, which a browser would show too, but to a pointer alone.
  article.querySelectorAll("a[title][href*='#']").forEach((each) => {
    if (!each.closest(".bibtex-citation")) return;
    each.dataset.entry = each.title;
    each.removeAttribute("title");
  });

  // An equation is set already, or MathJax sets it once it is shown.
  const contentOf = (each) => {
    const href = each.getAttribute("href") || "";
    if (each.dataset.entry) return [each.dataset.entry];
    const kept = document.querySelector(`template[data-preview="${CSS.escape(href)}"]`);
    if (kept) {
      // A page without formulas of its own has no MathJax, and TeX is no preview.
      const isReadable = window.MathJax || !kept.content.querySelector(".math");
      return isReadable ? [kept.content.cloneNode(true)] : null;
    }
    if (!href.startsWith("#equation-") || each.matches(".headerlink")) return null;
    const equation = document.getElementById(href.slice(1));
    const set = equation && equation.querySelector("mjx-container");
    return set ? [set.cloneNode(true)] : null;
  };

  const hide = () => {
    clearTimeout(leaving);
    if (link) link.removeAttribute("aria-describedby");
    link = null;
    shown.hidden = true;
  };

  // Under the link, or over it where there is more room, and never beyond the window.
  const place = () => {
    const at = link.getClientRects()[0];
    const [width, height] = [shown.offsetWidth, shown.offsetHeight];
    const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - width - 8));
    const below = at.bottom + height + 8 < innerHeight || at.top < height + 8;
    shown.style.left = `${left + scrollX}px`;
    shown.style.top = `${(below ? at.bottom + 4 : at.top - height - 4) + scrollY}px`;
  };

  const leave = () => {
    clearTimeout(leaving);
    leaving = setTimeout(hide, 200); // time to reach the preview itself
  };

  const show = (each) => {
    if (each === link) return clearTimeout(leaving);
    const content = contentOf(each);
    if (!content) return link === document.activeElement || leave();
    hide();
    link = each;
    shown.replaceChildren(...content);
    shown.hidden = false;
    link.setAttribute("aria-describedby", shown.id);
    place();
    const raw = shown.querySelector(".math:not(:has(mjx-container))");
    if (raw && window.MathJax && MathJax.typesetPromise) {
      MathJax.typesetPromise([shown]).then(() => link === each && place());
    }
  };

  const linkAt = (event) => event.target.closest && event.target.closest(".bd-article a[href]");
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const each = linkAt(event);
    if (each) show(each);
    else if (shown.contains(event.target)) clearTimeout(leaving);
    else if (link && link !== document.activeElement) leave();
  });
  document.addEventListener("focusin", (event) => {
    const each = linkAt(event);
    if (each && each.matches(":focus-visible")) show(each);
    else hide();
  });
  document.addEventListener("focusout", leave);
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  window.addEventListener("pagehide", hide); // it would be there still when the page comes back
})();
