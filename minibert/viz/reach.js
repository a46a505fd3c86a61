(() => {
  "use strict";
  // include make.js

  function start(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const { length, most } = data;
    const half = (length - 1) / 2;
    const state = { window: data.window, layers: data.layers, every: data.every };

    // ---- every node is made once; later only attributes change
    const bar = make("div", "mb-bar", root);
    make("span", "mb-title", bar).textContent = data.title;
    const dial = (key, name, min, max) => {
      const label = make("label", "", bar);
      label.append(name);
      const input = make("input", "", label, { type: "range", min, max, step: 1, value: state[key], "aria-label": name });
      const shown = make("output", "", label);
      input.addEventListener("input", () => { state[key] = Number(input.value); show(); });
      return () => { input.value = state[key]; shown.textContent = state[key]; };
    };
    const dials = [dial("window", "W, tokens to each side", 1, most.window), dial("layers", "layers", 1, most.layers)];
    const label = make("label", "", bar);
    label.append("global layers");
    const choice = make("select", "", label, { "aria-label": "global layers" });
    for (const [every, name] of data.choices)
      make("option", "", choice, { value: every }).textContent = name;
    choice.addEventListener("change", () => { state.every = Number(choice.value); show(); });
    make("span", "mb-note", bar).textContent = "Drag a bar to widen or narrow the window.";

    const grid = make("div", "mb-layers", root);
    const rows = Array.from({ length: most.layers }, (_, layer) => {
      const name = make("div", "mb-caption", grid);
      const track = make("div", "mb-track", grid);
      const heard = make("span", "mb-heard", track);
      const seen = make("span", "mb-seen", track);
      make("span", "mb-middle", track);
      return { layer, name, track, heard, seen };
    });
    make("div", "", grid);
    const axis = make("div", "mb-axis", grid);
    for (let place = -half; place <= half; place += half / 4)
      make("span", "", axis, { style: `left: ${50 + 50 * place / half}%` }).textContent = place;
    const legend = make("div", "mb-legend", root);
    for (const [name, color] of [["a local layer looks here", "rgb(var(--blue))"],
      ["a global layer looks here", "rgb(var(--hot))"], ["words from here have arrived", "rgb(var(--blue) / 0.35)"]]) {
      const entry = make("span", "", legend);
      make("i", "", entry, { style: `width: 14px; height: 10px; background: ${color}` });
      entry.append(name);
    }
    const say = make("div", "mb-say", root, { "aria-live": "polite" });

    const isGlobal = (layer) => state.every > 0 && layer % state.every === 0;
    const scores = (window) => length * (2 * window + 1) - window * (window + 1);
    const wide = (side) => `width: ${100 * Math.min(length, 2 * side + 1) / length}%`;
    function show() {
      dials.forEach((update) => update());
      choice.value = state.every;
      let reach = 0;
      let cost = 0;
      for (const { layer, name, track, heard, seen } of rows) {
        const hidden = layer >= state.layers;
        name.style.display = track.style.display = hidden ? "none" : "";
        if (hidden) continue;
        const own = isGlobal(layer) ? half : state.window;
        reach = isGlobal(layer) ? half : Math.min(half, reach + own);
        cost += isGlobal(layer) ? length * length : scores(state.window);
        name.textContent = `${layer} ${isGlobal(layer) ? "global" : "local"}`;
        heard.style.cssText = wide(reach);
        seen.style.cssText = wide(own);
        seen.classList.toggle("mb-all", isGlobal(layer));
      }
      const times = state.layers * length * length / cost;
      say.textContent = (reach >= half ? `All ${length} tokens have` : `${reach} tokens to each side have`) +
        ` reached the token in the middle after ${state.layers} layer${state.layers > 1 ? "s" : ""}. ` +
        `The layers compute ${cost.toLocaleString("en")} scores a head, ${times.toFixed(1)} times fewer than ` +
        "if all of them were global.";
    }
    const drag = (event) => {
      const track = event.target.closest(".mb-track") || rows[0].track;
      const box = track.getBoundingClientRect();
      const away = Math.abs(event.clientX - box.left - box.width / 2) / box.width * length;
      state.window = Math.max(1, Math.min(most.window, Math.round(away)));
      show();
    };
    grid.addEventListener("pointerdown", (event) => {
      if (!event.target.closest(".mb-track")) return;
      grid.setPointerCapture(event.pointerId);
      drag(event);
      event.preventDefault();
    });
    grid.addEventListener("pointermove", (event) => { if (grid.hasPointerCapture(event.pointerId)) drag(event); });
    root.dataset.live = "";
    show();
  }
  for (const root of document.querySelectorAll(".mb-reach:not([data-live])")) start(root);
})();
