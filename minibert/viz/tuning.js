(() => {
  "use strict";
  // include make.js
  const TOP = 20, BOTTOM = 196, PLOTS = { accuracy: [46, 310], loss: [366, 630] };

  function start(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    let chosen = data.chosen;

    const bar = make("div", "mb-bar", root);
    make("span", "mb-title", bar).textContent = data.title;
    const label = make("label", "", bar);
    label.append("learning rate");
    const most = data.rates.length - 1;
    const slider = make("input", "", label, { type: "range", min: 0, max: most, step: 1, value: chosen, "aria-label": "learning rate" });
    const shown = make("span", "mb-rate", label);

    const frame = make("div", "mb-tuning-plot", root);
    const text = (x, y, anchor, said) => `<text x="${x}" y="${y}" text-anchor="${anchor}">${said}</text>`;
    const parts = [];
    for (const [plot, [left, right]] of Object.entries(PLOTS)) {
      parts.push(`<path class="mb-axis" d="M${left} ${TOP}V${BOTTOM}H${right}"/>`);
      const ticks = plot === "accuracy" ? [0.4, 0.55, 0.7, 0.85, 1].map((v) => [(v - 0.4) / 0.6, v]) : [[0, 0], [1, data.highest]];
      for (const [share, said] of ticks) parts.push(text(left - 6, BOTTOM - share * (BOTTOM - TOP) + 4, "end", said));
      parts.push(text(left, 212, "middle", 0) + text(right, 212, "middle", data.last));
      parts.push(text((left + right) / 2, 232, "middle", plot === "accuracy" ? "step; accuracy on other snippets" : "step; loss on the batches (nats)"));
      data.paths[plot].forEach((paths, rate) =>
        paths.forEach((path) => parts.push(`<path class="mb-curve" data-rate="${rate}" d="${path}"/>`)));
    }
    frame.innerHTML = `<svg viewBox="0 0 640 240" aria-hidden="true">${parts.join("")}</svg>`;
    const curves = [...frame.querySelectorAll(".mb-curve")];
    const say = make("div", "mb-say", root, { "aria-live": "polite" });
    const fixed = (number) => number.toFixed(2);

    function show() {
      shown.textContent = data.rates[chosen];
      slider.setAttribute("aria-valuetext", data.rates[chosen]);
      for (const curve of curves) {
        const on = Number(curve.dataset.rate) === chosen;
        curve.classList.toggle("mb-on", on);
        if (on) curve.parentNode.append(curve); // drawn last, so above the others
      }
      const ends = data.ends[chosen], count = ends.length;
      const mean = ends.reduce((sum, end) => sum + end, 0) / count;
      const spread = Math.sqrt(ends.reduce((sum, end) => sum + (end - mean) ** 2, 0) / (count - 1));
      say.textContent = `Learning rate ${data.rates[chosen]}, after ${data.last} steps: accuracy ${ends.map(fixed).join(", ")} ` +
        `(a number for each seed; mean ${fixed(mean)}, standard deviation ${fixed(spread)}), loss ${fixed(data.losses[chosen])}.`;
    }
    slider.addEventListener("input", () => {
      chosen = Number(slider.value);
      show();
    });
    root.dataset.live = "";
    show();
  }
  for (const root of document.querySelectorAll(".mb-tuning:not([data-live])")) start(root);
})();
