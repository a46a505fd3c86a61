(() => {
  "use strict";
  // include make_text.js

  function start(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const { tokens, hidden, runs } = data;
    let run = 0, step = 0, timer = null; // step s: s steps are done

    // ---- every node is made once; later only texts, classes and widths change
    const bar = make("div", "mb-bar", root);
    make("span", "mb-title", bar, data.title);
    const label = make("label", "", bar, "order");
    const choice = make("select", "", label);
    runs.forEach((each, index) => {
      const option = make("option", "", choice, each.name);
      option.value = index;
    });
    choice.addEventListener("change", () => { run = Number(choice.value); go(0); });
    const button = (text, act) => {
      const node = make("button", "", bar, text);
      node.type = "button";
      node.addEventListener("click", act);
      return node;
    };
    button("start", () => go(0));
    button("back", () => go(step - 1));
    button("next", () => go(step + 1));
    const play = button("play", () => { timer === null ? begin() : stop(); });
    const slide = make("label", "", bar, "step");
    const slider = make("input", "", slide);
    slider.type = "range";
    slider.min = 0;
    const count = make("span", "", slide);
    slider.addEventListener("input", () => go(Number(slider.value)));
    const row = make("div", "mb-unmask-text", root);
    row.tabIndex = 0;
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", "the text; arrow keys step through it");
    const boxes = tokens.map((text, place) => {
      const box = make("span", "mb-unmask-box", row);
      const parts = { box, word: make("b", "", box, text.trim()), note: make("i", "", box), bar: make("u", "", box) };
      if (!hidden.includes(place)) box.classList.add("mb-given");
      return parts;
    });
    const say = make("div", "mb-say", root);
    say.setAttribute("aria-live", "polite");

    const percent = (p) => (100 * p).toFixed(p < 0.1 ? 1 : 0) + " %";

    function show() {
      const steps = runs[run].steps;
      slider.max = steps.length;
      slider.value = step;
      count.textContent = `${step} of ${steps.length}`;
      const filled = new Map(); // place -> [word, probability, step]
      steps.slice(0, step).forEach((each, number) => {
        for (const [place, word, p] of each.guesses) if (each.chosen.includes(place)) filled.set(place, [word, p, number + 1]);
      });
      const open = new Map(step < steps.length ? steps[step].guesses.map(([place, word, p]) => [place, [word, p]]) : []);
      for (const place of hidden) {
        const { box, word, note, bar } = boxes[place];
        const done = filled.get(place), guess = open.get(place);
        const next = step < steps.length && steps[step].chosen.includes(place);
        box.classList.toggle("mb-filled", Boolean(done));
        box.classList.toggle("mb-next", next);
        word.textContent = (done || guess)[0].trim();
        note.textContent = done ? `step ${done[2]}` : percent(guess[1]);
        bar.style.width = `${100 * (done ? done[1] : guess[1])}%`;
      }
      const names = (places) => places.map((place) => `"${open.get(place)[0].trim()}" (${percent(open.get(place)[1])})`).join(", ");
      say.textContent = step < steps.length
        ? `${open.size} places are open; in grey the best guess for each. Next: ${names(steps[step].chosen)}.`
        : "All places are filled. The bars show how sure the model was when it filled them.";
    }
    function go(to) {
      step = Math.min(runs[run].steps.length, Math.max(0, to));
      show();
    }
    function stop() { clearInterval(timer); timer = null; play.textContent = "play"; }
    function begin() {
      if (step === runs[run].steps.length) go(0);
      play.textContent = "pause";
      timer = setInterval(() => {
        go(step + 1);
        if (step === runs[run].steps.length || !root.isConnected) stop();
      }, 900);
    }
    row.addEventListener("keydown", (event) => {
      const to = { ArrowRight: step + 1, ArrowLeft: step - 1, Home: 0, End: runs[run].steps.length }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      go(to);
    });
    root.dataset.live = "";
    show();
  }
  for (const root of document.querySelectorAll(".mb-unmask:not([data-live])")) start(root);
})();
