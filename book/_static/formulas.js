// Where a formula that no line holds goes on in the next: before a relation, a sign of addition or a bar, and behind a comma
// or a wide space. What lies between becomes a box, which a line divides only if it is wider than that: then at a
// product or in parentheses, for which there are boxes in the box.
(() => {
  "use strict";
  // The class of a letter is its code; a piece of a brace that is as wide as what it embraces has none.
  const letterOf = (node) => String.fromCodePoint(parseInt(node.className.slice("mjx-c".length), 16));
  const textOf = (node) => node.textContent + [...node.querySelectorAll("mjx-c[class]")].map(letterOf).join("");
  const isWide = (node) => parseFloat(node.querySelector("mjx-mspace")?.style.width) >= 1;
  // MathJax gives room to binary operators and to relations. The bar of "y given x" is no place to break at.
  const isOperator = (node, text) => text === "‖" || (node.matches("mjx-mo:is([space='3'], [space='4'])") && text !== "∣");

  // Of each node of a row, how deep in the formula a line may break before it; none where it may not.
  const depths = (nodes) => {
    let [depth, operator, ended, begun] = [0, false, false, false];
    return nodes.map((node) => {
      const text = textOf(node);
      const operates = isOperator(node, text);
      const breaks = begun && (operates ? !operator : text && ended);
      const found = breaks ? depth + "⋅×".includes(text || " ") : null;
      if (text.length === 1) depth += "([{".includes(text) - ")]}".includes(text);
      ended = text ? text === "," : ended || isWide(node);
      operator = operates || (operator && !text);
      begun ||= Boolean(text);
      return found;
    });
  };

  const around = (nodes, name) => {
    const span = document.createElement("span");
    span.className = name;
    nodes[0].before(span);
    span.append(...nodes);
  };
  const box = (nodes, depth, level) => {
    const deepest = Math.max(...nodes.slice(1).map((node) => depth.get(node) ?? -1));
    if (level > deepest) return;
    const parts = [];
    nodes.forEach((node, i) => (i && depth.get(node) !== level ? parts.at(-1).push(node) : parts.push([node])));
    parts.forEach((part) => {
      if (parts.length > 1) around(part, "math-part");
      box(part, depth, level + 1);
    });
  };

  window.MathJax?.startup?.promise?.then(() =>
    document.querySelectorAll("mjx-math:not(:has(mjx-mtable)), mjx-mtd:not(:has(mjx-mtable))").forEach((row) => {
      const nodes = [...row.children];
      const found = depths(nodes);
      box(nodes, new Map(nodes.map((node, i) => [node, found[i]])), 0);
      const marks = nodes.filter((node) => ",.".includes(textOf(node) || " ") && node.previousElementSibling);
      marks.forEach((mark) => around([mark.previousElementSibling, mark], "together"));
    }),
  );
})();
