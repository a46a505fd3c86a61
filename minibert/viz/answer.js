(() => {
  "use strict";
  // include make.js

  function start(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const { asked } = data;
    const state = { asked: 0, longest: 30, limit: 0, chosen: 0 };
    const COUNT = 5; // answers in the list

    const bar = make("div", "mb-bar", root);
    make("span", "mb-title", bar).textContent = data.title;
    const ask = make("label", "", bar);
    ask.append("question");
    const choice = make("select", "", ask, { "aria-label": "question" });
    asked.forEach((each, index) => {
      make("option", "", choice, { value: index }).textContent = each.question.length > 90 ? each.question.slice(0, 89) + "…" : each.question;
    });
    choice.addEventListener("change", () => { state.asked = Number(choice.value); fill(); });
    const slide = (text, key, attributes) => {
      const label = make("label", "", bar);
      label.append(text);
      const input = make("input", "", label, { type: "range", "aria-label": text, ...attributes });
      input.value = state[key];
      const shown = make("span", "", label);
      shown.textContent = state[key];
      input.addEventListener("input", () => { state[key] = Number(input.value); shown.textContent = input.value; state.chosen = 0; show(); });
    };
    slide("longest answer in tokens", "longest", { min: 1, max: 30, step: 1 });
    slide("no answer must lead by", "limit", { min: -10, max: 10, step: 0.5 });

    const body = make("div", "mb-body", root);
    const flow = make("div", "mb-answer-text", body);
    const side = make("div", "mb-answer-side", body, { role: "listbox", "aria-label": "answers, best first; arrow keys choose" });
    make("div", "mb-caption", side).textContent = "Best answers: start logit + end logit";
    const rows = Array.from({ length: COUNT + 1 }, (_, index) => {
      const button = make("button", "mb-answer-found", side, { type: "button", role: "option" });
      const parts = { button, rank: make("i", "", button), score: make("i", "", button), text: make("span", "", button) };
      button.addEventListener("click", () => { state.chosen = index; show(); });
      return parts;
    });
    make("div", "mb-note", side).textContent = "Blue bar above a token: it begins the answer. Orange bar below: it ends it. Blue line: the right answer. Grey line: another window begins to count.";
    const say = make("div", "mb-say", root, { "aria-live": "polite" });
    let boxes = [];

    const softmax = (values) => {
      const top = Math.max(...values), powers = values.map((value) => Math.exp(value - top));
      const sum = powers.reduce((a, b) => a + b, 0);
      return powers.map((power) => power / sum);
    };

    function fill() { // the text of another question
      const { before, tokens, starts, ends, none, right, window } = asked[state.asked];
      const first = softmax([...starts, none[0]]), last = softmax([...ends, none[1]]);
      flow.replaceChildren();
      boxes = tokens.map((text, place) => {
        if (before[place]) make("span", "mb-answer-gap", flow).textContent = before[place];
        if (place && window[place] !== window[place - 1]) make("span", "mb-answer-cut", flow, { title: "border of two windows" });
        const box = make("span", "mb-answer-token", flow);
        box.textContent = text;
        box.classList.toggle("mb-gold", right !== null && place >= right[0] && place <= right[1]);
        box.title = `start ${starts[place].toFixed(1)} (${(100 * first[place]).toFixed(1)} %), end ${ends[place].toFixed(1)} (${(100 * last[place]).toFixed(1)} %)`;
        make("u", "", box).style.height = `${Math.round(13 * Math.sqrt(first[place]))}px`;
        make("s", "", box).style.height = `${Math.round(13 * Math.sqrt(last[place]))}px`;
        return box;
      });
      state.chosen = 0;
      show();
    }
    function best() { // all valid spans, best first; a span lies in the window where its first token counts
      const { starts, window, cut } = asked[state.asked];
      const found = [];
      starts.forEach((start, first) => {
        const own = cut[window[first]];
        const limit = Math.min(own.first + own.ends.length, first + state.longest);
        for (let last = first; last < limit; last += 1) {
          const end = own.ends[last - own.first];
          found.push({ first, last, start, end, score: start + end });
        }
      });
      return found.sort((a, b) => b.score - a.score || a.first - b.first || a.last - b.last).slice(0, COUNT);
    }
    const words = ({ first, last }) => {
      const { before, tokens } = asked[state.asked];
      return tokens.slice(first, last + 1).map((text, k) => (k ? before[first + k] : "") + text).join("");
    };
    function show() {
      const found = best(), { none, right } = asked[state.asked];
      const nothing = none[0] + none[1], refused = nothing - found[0].score > state.limit;
      rows.forEach(({ button, rank, score, text }, index) => {
        const answer = index === COUNT ? null : found[index];
        button.hidden = index < COUNT && !answer;
        if (button.hidden) return;
        rank.textContent = answer ? index + 1 : "–";
        score.textContent = (answer ? answer.score : nothing).toFixed(1);
        text.textContent = answer ? words(answer) : "no answer ([CLS])";
        button.classList.toggle("mb-refused", refused === Boolean(answer));
        button.setAttribute("aria-selected", String(index === state.chosen));
        button.tabIndex = index === state.chosen ? 0 : -1;
      });
      const lit = state.chosen === COUNT ? null : found[state.chosen];
      boxes.forEach((box, place) => box.classList.toggle("mb-lit", Boolean(lit) && place >= lit.first && place <= lit.last));
      const given = refused ? `no answer, which leads by ${(nothing - found[0].score).toFixed(1)}` : `“${words(found[0])}”`;
      const gold = right === null ? "this text has no answer" : `right is “${words({ first: right[0], last: right[1] })}”`;
      const sum = lit ? `Lit up: ${lit.start.toFixed(1)} for the start + ${lit.end.toFixed(1)} for the end. ` : "";
      say.textContent = `${sum}The model says ${given}; ${gold}.`;
    }
    side.addEventListener("keydown", (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      do state.chosen = (state.chosen + step + COUNT + 1) % (COUNT + 1); while (rows[state.chosen].button.hidden);
      show();
      rows[state.chosen].button.focus();
    });
    root.dataset.live = "";
    fill();
  }
  for (const root of document.querySelectorAll(".mb-answer:not([data-live])")) start(root);
})();
