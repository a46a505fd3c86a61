(() => {
  "use strict";
  // include make.js

  const partsOf = (layers, width, vocabulary, positions) => ({
    "embeddings": (vocabulary + positions + 2) * width,
    "attention": layers * 4 * width * width,
    "feed-forward": layers * 8 * width * width,
    "norms and biases": 2 * width + layers * 13 * width,
    "pooler": width * width + width,
  });
  const sum = (parts) => Object.values(parts).reduce((a, b) => a + b, 0);

  function start(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const first = data.models[data.start];
    const state = { layers: first[1], width: first[2], vocabulary: first[3] };

    // ---- every node is made once; later only widths and texts change
    const bar = make("div", "mb-bar", root);
    make("span", "mb-title", bar).textContent = data.title;
    const sliders = ["layers", "width", "vocabulary"].map((name) => {
      const [min, max, step] = data.ranges[name];
      const label = make("label", "", bar);
      label.append(name);
      const slider = make("input", "", label, { type: "range", min, max, step, value: state[name], "aria-label": name });
      const shown = make("output", "", label);
      slider.addEventListener("input", () => { state[name] = Number(slider.value); show(); });
      return { name, slider, shown };
    });
    const grid = make("div", "mb-models", root);
    const row = (name) => {
      const caption = make("div", "mb-caption", grid);
      const track = make("div", "mb-track", grid);
      const pieces = data.colors.map(([part, color]) =>
        make("i", "", track, { style: `background: ${color}`, title: part }));
      const draw = (sizes) => {
        const parts = partsOf(...sizes);
        const total = sum(parts);
        caption.textContent = `${name}, ${(total / 1e6).toFixed(1)} M`;
        Object.values(parts).forEach((count, i) => { pieces[i].style.width = `${100 * count / total}%`; });
        return parts;
      };
      return draw;
    };
    for (const [name, ...sizes] of data.models) row(name)(sizes);
    const draw = row("yours");
    const legend = make("div", "mb-legend", root);
    for (const [part, color] of data.colors) {
      const entry = make("span", "", legend);
      make("i", "", entry, { style: `background: ${color}` });
      entry.append(part);
    }
    const say = make("div", "mb-say", root, { "aria-live": "polite" });

    function show() {
      for (const { name, slider, shown } of sliders) {
        slider.value = state[name];
        shown.textContent = state[name].toLocaleString("en");
      }
      const parts = draw([state.layers, state.width, state.vocabulary, first[4]]);
      const total = sum(parts);
      const share = (part) => `${(100 * parts[part] / total).toFixed(1)} %`;
      say.textContent = `Yours: ${total.toLocaleString("en")} parameters, in float32 ` +
        `${(4 * total / 1e6).toLocaleString("en", { maximumFractionDigits: 0 })} MB. Embeddings ${share("embeddings")}, ` +
        `attention ${share("attention")}, feed-forward ${share("feed-forward")}, the rest ` +
        `${(100 * (parts["norms and biases"] + parts.pooler) / total).toFixed(1)} %.`;
    }
    root.dataset.live = "";
    show();
  }
  for (const root of document.querySelectorAll(".mb-parameters:not([data-live])")) start(root);
})();
