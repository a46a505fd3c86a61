(() => {
  "use strict";
  // include make.js

  function start(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const { weight } = data;
    const state = { bits: data.bits, own: data.own };
    const topOf = (channel) => Math.max(...channel.map(Math.abs));
    const most = topOf(weight.flat());
    const count = weight.length * weight[0].length;

    // ---- every node is made once; later only places and texts change
    const bar = make("div", "mb-bar", root);
    make("span", "mb-title", bar).textContent = data.title;
    const label = make("label", "", bar);
    label.append("bits of a weight");
    const range = { type: "range", min: data.least, max: data.most, step: 1, value: state.bits, "aria-label": "bits" };
    const slider = make("input", "", label, range);
    const shown = make("output", "", label);
    slider.addEventListener("input", () => { state.bits = Number(slider.value); show(); });
    const asked = make("label", "", bar);
    asked.append("scale");
    const choice = make("select", "", asked, { "aria-label": "scale" });
    make("option", "", choice, { value: "all" }).textContent = "one for all channels";
    make("option", "", choice, { value: "own" }).textContent = "one for each channel";
    choice.addEventListener("change", () => { state.own = choice.value === "own"; show(); });

    const left = (value) => `${50 + 49 * value / most}%`;
    const grid = make("div", "mb-channels", root);
    const rows = weight.map((channel, number) => {
      make("div", "mb-caption", grid).textContent = `channel ${number}`;
      const track = make("div", "mb-track", grid);
      const levels = make("div", "mb-levels", track);
      for (const value of channel) make("i", "mb-before", track, { style: `left: ${left(value)}` });
      const after = channel.map(() => make("i", "mb-after", track));
      return { channel, levels, after, kept: make("div", "mb-caption", grid) };
    });
    const legend = make("div", "mb-legend", root);
    for (const [kind, name] of [["mb-before", "the weights as trained"], ["mb-after", "what the bits make of them"]]) {
      const entry = make("span", "", legend);
      make("i", kind, entry);
      entry.append(name);
    }
    const say = make("div", "mb-say", root, { "aria-live": "polite" });

    function show() {
      slider.value = state.bits;
      shown.textContent = state.bits;
      choice.value = state.own ? "own" : "all";
      const largest = 2 ** (state.bits - 1) - 1;
      let wrong = 0;
      let whole = 0;
      let lost = 0;
      for (const { channel, levels, after, kept } of rows) {
        const scale = (state.own ? topOf(channel) : most) / largest || 1;
        const rounded = channel.map((value) => Math.round(value / scale) * scale);
        rounded.forEach((value, i) => {
          after[i].style.left = left(value);
          wrong += (value - channel[i]) ** 2;
          whole += channel[i] ** 2;
          lost += value === 0 && channel[i] !== 0;
        });
        levels.replaceChildren();
        if (largest <= 15)
          for (let q = -largest; q <= largest; q += 1)
            if (Math.abs(q * scale) <= most * 1.001) make("i", "", levels, { style: `left: ${left(q * scale)}` });
        kept.textContent = `${new Set(rounded.map((value) => Math.round(value / scale))).size} values`;
      }
      const scales = state.own ? weight.length : 1;
      const bytes = count * state.bits / 8 + 4 * scales;
      say.textContent = `${state.bits} bits: ${2 * largest + 1} whole numbers. The error is ` +
        `${(100 * Math.sqrt(wrong / whole)).toFixed(1)} % of the weights; ${lost} of ${count} weights became 0. ` +
        `These weights take ${bytes.toLocaleString("en")} bytes with their ${scales === 1 ? "scale" : scales + " scales"}, ` +
        `in float32 ${(4 * count).toLocaleString("en")}.`;
    }
    root.dataset.live = "";
    show();
  }
  for (const root of document.querySelectorAll(".mb-bits:not([data-live])")) start(root);
})();
