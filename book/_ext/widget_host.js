// Runs anywidget front-ends in a plain page: a model that holds values and tells who listens.
window.kdlabWidgets = (() => {
  "use strict";
  const defined = {};

  function makeModel(state) {
    const listeners = {};
    return {
      get: (name) => state[name],
      set(name, value) {
        if (JSON.stringify(state[name]) === JSON.stringify(value)) return;
        state[name] = value;
        (listeners[`change:${name}`] || []).forEach((listener) => listener());
      },
      save_changes() {},
      on: (event, listener) => (listeners[event] ||= []).push(listener),
      off(event, listener) {
        listeners[event] = (listeners[event] || []).filter((other) => other !== listener);
      },
    };
  }

  return {
    define(name, widget) {
      defined[name] = widget;
    },
    mount(script, name, state) {
      const el = script.previousElementSibling;
      el.model = makeModel(state);
      defined[name].render({ model: el.model, el });
    },
  };
})();
