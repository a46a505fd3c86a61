(() => {
  "use strict";
  // include make.js
  const whole = (number) => Math.round(number).toLocaleString("en-US");

  function start(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const { pairs, size } = data;
    const state = { query: data.query, key: data.key, theta: data.theta };

    const bar = make("div", "mb-bar", root);
    make("span", "mb-title", bar).textContent = data.title;
    const knob = (text, least, most, step, value, take) => {
      const label = make("label", "", bar);
      label.append(text);
      const slider = make("input", "", label, { type: "range", min: least, max: most, step, value, "aria-label": text });
      const shown = make("span", "", label);
      const change = () => {
        take(Number(slider.value));
        show();
      };
      slider.addEventListener("input", change);
      return { slider, shown };
    };
    const places = { query: null, key: null };
    for (const name of ["query", "key"])
      places[name] = knob(`${name} at`, 0, data.most, 1, state[name], (value) => (state[name] = value));
    const theta = knob("theta", 2, 6, 0.01, Math.log10(state.theta), (value) => (state.theta = 10 ** value));
    const together = make("label", "", bar);
    const both = make("input", "", together, { type: "checkbox" });
    together.append("move both together");
    let before = { ...state };

    const dials = make("div", "mb-dials", root);
    const faces = pairs.map((pair) => {
      const dial = make("div", "mb-dial", dials);
      const frame = make("div", "", dial);
      frame.innerHTML = '<svg viewBox="-60 -60 120 120" aria-hidden="true"><circle r="52" class="mb-face"/>' +
        '<path class="mb-wedge"/><path class="mb-key"/><path class="mb-query"/></svg>';
      const note = make("div", "mb-caption", dial);
      const part = (name) => frame.querySelector(".mb-" + name);
      return { pair, note, wedge: part("wedge"), key: part("key"), query: part("query") };
    });
    const say = make("div", "mb-say", root, { "aria-live": "polite" });

    // A hand at an angle, counted from the right and against the clock, as in mathematics; the y of SVG points down.
    const tip = (angle, length) => `${(length * Math.cos(angle)).toFixed(2)} ${(-length * Math.sin(angle)).toFixed(2)}`;
    function wedge(from, by) {
      const turn = ((by % (2 * Math.PI)) + 3 * Math.PI) % (2 * Math.PI) - Math.PI;
      return `M0 0L${tip(from, 24)}A24 24 0 0 ${turn > 0 ? 0 : 1} ${tip(from + turn, 24)}Z`;
    }
    function show() {
      if (both.checked)
        for (const [moved, other] of [["query", "key"], ["key", "query"]])
          if (state[moved] !== before[moved]) {
            const step = state[moved] - before[moved];
            const there = Math.min(Math.max(before[other] + step, 0), data.most);
            state[moved] = before[moved] + there - before[other];
            state[other] = there;
          }
      before = { ...state };
      for (const name of ["query", "key"]) {
        places[name].slider.value = state[name];
        places[name].shown.textContent = state[name];
      }
      theta.shown.textContent = whole(state.theta);
      for (const face of faces) {
        const speed = state.theta ** ((-2 * face.pair) / size);
        face.query.setAttribute("d", `M0 0L${tip(state.query * speed, 48)}`);
        face.key.setAttribute("d", `M0 0L${tip(state.key * speed, 48)}`);
        face.wedge.setAttribute("d", wedge(state.key * speed, (state.query - state.key) * speed));
        face.note.textContent = `pair ${face.pair}: a turn in ${whole((2 * Math.PI) / speed)} tokens`;
      }
      let score = 0;
      for (let pair = 0; pair < size / 2; pair++)
        score += Math.cos((state.query - state.key) * state.theta ** ((-2 * pair) / size)) / (size / 2);
      say.textContent = `Distance ${Math.abs(state.query - state.key)}. If query and key were equal before the turn, ` +
        `their score over all ${size / 2} pairs is ${score.toFixed(3)} of its value at distance 0. ` +
        "Tick the box and drag: both hands turn, the angle between them stays, and so does the score.";
    }
    root.dataset.live = "";
    show();
  }
  for (const root of document.querySelectorAll(".mb-rotation:not([data-live])")) start(root);
})();
