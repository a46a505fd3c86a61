(() => {
  "use strict";
  // include make.js
  const LEFT = 46, RIGHT = 624, TOP = 18, BOTTOM = 206;
  const FALLING = {
    "1-sqrt": (x) => 1 - Math.sqrt(x),
    linear: (x) => 1 - x,
    cosine: (x) => (1 + Math.cos(Math.PI * x)) / 2,
  };

  function start(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const total = data.total;
    const state = { warmup: data.warmup, decay: data.decay, branch: data.branch, shape: data.shape };

    const bar = make("div", "mb-bar", root);
    make("span", "mb-title", bar).textContent = data.title;
    const knobs = {};
    for (const [name, text] of [["warmup", "warm-up"], ["decay", "decay"], ["branch", "branch at"]]) {
      const label = make("label", "", bar);
      label.append(text);
      const slider = make("input", "", label, { type: "range", min: 0, max: total, step: 1, "aria-label": text });
      knobs[name] = { slider, shown: make("span", "", label) };
      slider.addEventListener("input", () => {
        state[name] = Number(slider.value);
        show(name);
      });
    }
    const label = make("label", "", bar);
    label.append("shape");
    const choice = make("select", "", label, { "aria-label": "shape of the decay" });
    for (const shape of Object.keys(FALLING)) make("option", "", choice, { value: shape }).textContent = shape;
    choice.value = state.shape;
    choice.addEventListener("change", () => {
      state.shape = choice.value;
      show("shape");
    });

    const frame = make("div", "mb-schedule-plot", root);
    const grips = ["warmup", "decay", "branch"];
    frame.innerHTML = '<svg viewBox="0 0 640 250" aria-hidden="true">' +
      `<path class="mb-axis" d="M${LEFT} ${TOP}V${BOTTOM}H${RIGHT}"/>` +
      [0, 0.5, 1].map((y) => `<text x="${LEFT - 8}" y="${BOTTOM - y * (BOTTOM - TOP) + 4}" text-anchor="end">${y}</text>`).join("") +
      [0, 0.25, 0.5, 0.75, 1].map((x) =>
        `<text x="${LEFT + x * (RIGHT - LEFT)}" y="${BOTTOM + 18}" text-anchor="middle">${Math.round(x * total)}</text>`).join("") +
      `<text x="${(LEFT + RIGHT) / 2}" y="${BOTTOM + 38}" text-anchor="middle">step</text>` +
      '<path class="mb-other"/><path class="mb-long"/><path class="mb-short"/>' +
      grips.map((name) => `<circle class="mb-grip" data-grip="${name}" r="8"/>`).join("") + "</svg>";
    const svg = frame.firstChild;
    const part = (name) => svg.querySelector(".mb-" + name);
    const grip = Object.fromEntries(grips.map((name) => [name, svg.querySelector(`[data-grip="${name}"]`)]));
    const say = make("div", "mb-say", root, { "aria-live": "polite" });

    const x = (step) => LEFT + (step / total) * (RIGHT - LEFT);
    const y = (value) => BOTTOM - value * (BOTTOM - TOP);
    const up = (step) => (step < state.warmup ? step / state.warmup : 1);
    const line = (from, to, value) => {
      const points = [];
      for (let i = 0; i <= 120; i++) {
        const step = from + ((to - from) * i) / 120;
        points.push(`${x(step).toFixed(1)} ${y(value(step)).toFixed(1)}`);
      }
      return "M" + points.join("L");
    };
    const fall = (begin) => (step) => state.decay === 0 ? 1 : FALLING[state.shape](Math.min(1, Math.max(0, (step - begin) / state.decay)));

    function show(moved) {
      if (state.warmup + state.decay > total) {
        if (moved === "warmup") state.decay = total - state.warmup;
        else state.warmup = total - state.decay;
      }
      const begin = total - state.decay;
      state.branch = Math.min(Math.max(state.branch, state.warmup), begin);
      for (const name of grips) {
        knobs[name].slider.value = state[name];
        knobs[name].shown.textContent = state[name];
      }
      const whole = `M${x(0)} ${y(state.warmup ? 0 : 1)}L${x(state.warmup).toFixed(1)} ${y(1)}L${x(begin).toFixed(1)} ${y(1)}`;
      part("long").setAttribute("d", whole + line(begin, total, fall(begin)).replace("M", "L"));
      part("short").setAttribute("d", line(state.branch, state.branch + state.decay, fall(state.branch)));
      const rest = (step) => step < state.warmup ? up(step) : 1 - (step - state.warmup) / Math.max(1, total - state.warmup);
      part("other").setAttribute("d", line(0, total, rest));
      const places = { warmup: state.warmup, decay: begin, branch: state.branch };
      for (const name of grips) {
        grip[name].setAttribute("cx", x(places[name]).toFixed(1));
        grip[name].setAttribute("cy", y(1));
      }
      const end = state.branch + state.decay;
      say.textContent = `${begin - state.warmup} of ${total} steps at the full rate. The orange branch leaves the plateau ` +
        `at step ${state.branch} and is finished at ${end}: a second model for ${state.decay} further steps. ` +
        `With the grey line, which falls all the time, a run for ${end} steps would have to begin anew: ${end} steps.`;
    }

    // Drag one of the three dots: the end of the warm-up, the start of the decay, the branch.
    let held = null;
    const stepAt = (event) => {
      const box = svg.getBoundingClientRect();
      const place = ((event.clientX - box.left) / box.width) * 640;
      return Math.round(Math.min(1, Math.max(0, (place - LEFT) / (RIGHT - LEFT))) * total);
    };
    svg.addEventListener("pointerdown", (event) => {
      held = event.target.dataset.grip || null;
      if (held) svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => {
      if (!held) return;
      const step = stepAt(event);
      state[held] = held === "decay" ? total - step : step;
      show(held);
    });
    svg.addEventListener("pointerup", () => (held = null));
    root.dataset.live = "";
    show("shape");
  }
  for (const root of document.querySelectorAll(".mb-schedule:not([data-live])")) start(root);
})();
