(() => {
  "use strict";
  // include make.js
  // include tokenizer.js

  const COLOURS = 4; // classes mb-c0 to mb-c3, one word after the other

  function start(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const opened = data.tokenizers.map(({ name, ...each }) => ({ name, data: each, tok: null }));
    const state = { which: 0, word: data.word, step: Infinity };
    let found; // what `encode` gives for the text in the field

    const bar = make("div", "mb-bar", root);
    make("span", "mb-title", bar).textContent = data.title;
    const label = make("label", "", bar);
    label.append("tokenizer");
    const choice = make("select", "", label, { "aria-label": "tokenizer" });
    opened.forEach(({ name }, at) => { make("option", "", choice, { value: at }).textContent = name; });
    const field = make("textarea", "mb-field", root, { rows: 2, spellcheck: "false", "aria-label": "your text" });
    field.value = data.text;
    const say = make("div", "mb-say", root, { "aria-live": "polite" });
    make("p", "mb-caption", root).textContent = "Tokens, with their ids. Choose one to see its place and its word.";
    const row = make("div", "mb-tokens", root, { role: "listbox", "aria-label": "tokens" });
    const place = make("p", "mb-place", root);
    const steps = make("div", "mb-steps", root);
    const tools = make("div", "mb-bar", steps);
    const name = make("span", "mb-caption", tools);
    const button = (text, act) => {
      const node = make("button", "", tools, { type: "button" });
      node.textContent = text;
      node.addEventListener("click", act);
    };
    const list = make("ol", "mb-list", steps, { start: 0 });
    button("start", () => goTo(0));
    button("back", () => goTo(state.step - 1));
    button("next", () => goTo(state.step + 1));
    button("end", () => goTo(Infinity));

    const current = () => {
      const one = opened[state.which];
      one.tok ||= openTokenizer(one.data); // a vocabulary is read when it is asked for
      return one.tok;
    };
    const visible = (text) => text.replace(/\n/g, "⏎").replace(/\t/g, "⇥").replace(/ /g, "␣");
    const chips = (parent, texts, marked = -1) => texts.forEach((text, at) => {
      make("span", at === marked ? "mb-chip mb-new" : "mb-chip", parent).textContent = visible(text);
    });

    function read() {
      found = encode(current(), field.value);
      const framed = found.tokens.filter(({ start, stop, word }) => word === null && start === stop).length;
      state.word = Math.max(0, Math.min(state.word, found.words.length - 1));
      const unknown = found.tokens.filter(({ id }) => id === current().unknown).length;
      say.textContent = `${found.chars.length} characters, ${found.words.length} words, ${found.tokens.length} tokens`
        + ` (${framed} of the template, ${unknown} unknown).`;
      row.replaceChildren();
      found.tokens.forEach((token, at) => {
        const colour = token.word === null ? "mb-frame" : `mb-c${token.word % COLOURS}`;
        const box = make("span", `mb-box ${colour}`, row, { role: "option", tabindex: "0", "data-at": at });
        make("b", "", box).textContent = visible(token.token);
        make("i", "", box).textContent = token.id;
      });
      const first = found.tokens.findIndex(({ word }) => word === state.word);
      choose(Math.max(first, 0));
    }

    function choose(at) {
      const token = found.tokens[at];
      [...row.children].forEach((box, other) => box.setAttribute("aria-selected", other === at));
      place.replaceChildren();
      if (!token) { steps.hidden = true; return; }
      const piece = (from, to) => visible(found.chars.slice(from, to).join(""));
      place.append(piece(0, token.start));
      make("mark", "", place).textContent = piece(token.start, token.stop);
      place.append(piece(token.stop, found.chars.length));
      make("span", "mb-caption", place).textContent = token.stop > token.start
        ? `  characters ${token.start} to ${token.stop}`
        : token.word === null ? "  no place in the text: the template put it there" : "  a space alone: no place of its own";
      steps.hidden = token.word === null;
      if (token.word === null) return;
      state.word = token.word;
      goTo(Infinity);
    }

    /** What each step of the chosen word says, and the symbols after it. */
    function history() {
      const word = found.words[state.word];
      const whole = word.chars.join("");
      if (current().kind === "WordPiece") {
        const rows = [{ says: "the word", texts: [whole] }];
        word.steps.forEach(({ start, stop, tried }, at) => {
          const done = word.steps.slice(0, at + 1).filter((step) => step.stop > step.start).map((step) => step.tried.at(-1));
          const shown = tried.length > 6 ? [...tried.slice(0, 3), "…", ...tried.slice(-2)] : tried;
          const rest = word.chars.slice(stop).join("");
          rows.push({ says: stop > start ? `tried ${shown.map(visible).join(", ")}` : `nothing fits at ${visible(whole.slice(start))}: the whole word is unknown`,
            texts: rest ? [...done, rest] : done, marked: done.length - 1 });
        });
        if (!word.steps.length) rows.push({ says: `more than ${current().maxChars} characters: unknown`, texts: ["[UNK]"] });
        return rows;
      }
      const rows = [{ says: "the bytes", texts: word.alphabet }];
      for (const { rank, place: at, symbols } of word.steps)
        rows.push({ says: `merge ${rank + 1} of ${current().merges.length}`, texts: symbols, marked: at });
      return rows;
    }

    function goTo(step) {
      const rows = history();
      state.step = Math.max(0, Math.min(rows.length - 1, step));
      name.textContent = `How “${visible(found.words[state.word].chars.join(""))}” was cut, step ${state.step} of ${rows.length - 1}:`;
      list.replaceChildren();
      for (const { says, texts, marked } of rows.slice(0, state.step + 1)) {
        const line = make("li", "", list);
        make("span", "mb-caption", line).textContent = says;
        chips(line, texts, marked);
      }
    }

    choice.addEventListener("change", () => { state.which = Number(choice.value); read(); });
    field.addEventListener("input", read);
    row.addEventListener("click", (event) => {
      const box = event.target.closest(".mb-box");
      if (box) choose(Number(box.dataset.at));
    });
    row.addEventListener("keydown", (event) => {
      const box = event.target.closest(".mb-box");
      const by = { ArrowRight: 1, ArrowLeft: -1, Enter: 0 }[event.key];
      if (!box || by === undefined) return;
      event.preventDefault();
      const next = row.children[Number(box.dataset.at) + by];
      if (next) { next.focus(); choose(Number(next.dataset.at)); }
    });
    root.dataset.live = "";
    read();
  }
  for (const root of document.querySelectorAll(".mb-tokenizer_view:not([data-live])")) start(root);
})();
