(() => {
  "use strict";
  // include make.js

  function start(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const { names, texts, tokens, kinds } = data;
    const count = texts[0].length;
    const state = { language: 0, message: data.message, kind: 0 };

    // ---- every row is made once; later only texts and classes change
    const bar = make("div", "mb-bar", root);
    make("span", "mb-title", bar).textContent = data.title;
    const choice = (name, entries, key) => {
      const label = make("label", "", bar);
      label.append(name);
      const select = make("select", "", label, { "aria-label": name });
      entries.forEach((entry, index) => {
        const shown = entry.length > 48 ? entry.slice(0, 47) + "…" : entry;
        make("option", "", select, { value: index }).textContent = shown;
      });
      select.addEventListener("change", () => { state[key] = Number(select.value); show(); });
      return select;
    };
    const message = choice("message", texts[0], "message");
    const kind = choice("nearest by", kinds.map((each) => each.name), "kind");
    make("span", "mb-note", bar).textContent = "Choose a language: click, or arrow keys. Click a neighbour to go there.";

    const body = make("div", "mb-body", root);
    const list = make("div", "mb-tongues", body, { role: "listbox", "aria-label": "languages" });
    const rows = names.map((name, index) => {
      const row = make("div", "mb-tongue", list, { role: "option", tabindex: -1, "data-index": index });
      make("b", "", row).textContent = name;
      const meter = make("span", "mb-meter", row);
      const fill = make("i", "", meter);
      const number = make("span", "mb-number", row);
      const pieces = make("span", "mb-pieces", row, { dir: data.languages[index] === "ar" ? "rtl" : "ltr" });
      return { row, fill, number, pieces };
    });
    const side = make("div", "mb-near", body);
    const caption = make("div", "mb-caption", side);
    const found = Array.from({ length: kinds[0].best[0][0].length }, () => {
      const button = make("button", "mb-found", side, { type: "button" });
      const cosine = make("i", "", button);
      const where = make("b", "", button);
      const what = make("span", "", button, { dir: "auto" });
      return { button, cosine, where, what };
    });
    const say = make("div", "mb-say", root, { "aria-live": "polite" });

    function show() {
      const { language, message: m } = state;
      message.value = m;
      kind.value = state.kind;
      const { name, best, cosines } = kinds[state.kind];
      const lengths = tokens.map((each) => each[m].length);
      rows.forEach(({ row, fill, number, pieces }, index) => {
        const chosen = index === language;
        row.setAttribute("aria-selected", String(chosen));
        row.setAttribute("tabindex", chosen ? 0 : -1);
        row.setAttribute("aria-label", `${names[index]}, ${lengths[index]} tokens: ${texts[index][m]}`);
        fill.style.width = `${100 * lengths[index] / Math.max(...lengths)}%`;
        number.textContent = lengths[index];
        pieces.replaceChildren();
        for (const token of tokens[index][m]) make("span", "", pieces).textContent = token;
      });
      caption.textContent = `Nearest to the ${names[language]} sentence in all other languages, by ${name}:`;
      let right = 0;
      best[language][m].forEach((place, rank) => {
        const [where, what] = [Math.floor(place / count), place % count];
        const { button, cosine, where: label, what: text } = found[rank];
        right += what === m;
        button.classList.toggle("mb-right", what === m);
        button.dataset.place = place;
        cosine.textContent = cosines[language][m][rank].toFixed(2);
        label.textContent = `${what === m ? "✓" : "✗"} ${names[where]}`;
        text.textContent = texts[where][what];
        button.setAttribute("aria-label", `${what === m ? "the same message" : "another message"}, ${names[where]}, ` +
          `cosine ${cosine.textContent}: ${texts[where][what]}`);
      });
      const share = lengths[language] / lengths[0];
      say.textContent = `${names[language]}: “${texts[language][m]}” ${lengths[language]} tokens, ${share.toFixed(1)} times ${names[0]}'s. ` +
        `${right} of the ${found.length} nearest are the same message. Over all ${names.length * count} sentences the ` +
        `nearest one is the same message for ${kinds[state.kind].found} by ${name}; chance would give ${names.length}.`;
    }
    const choose = (index) => {
      state.language = (index + names.length) % names.length;
      show();
      rows[state.language].row.focus();
    };
    list.addEventListener("click", (event) => {
      const row = event.target.closest(".mb-tongue");
      if (row) choose(Number(row.dataset.index));
    });
    list.addEventListener("keydown", (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      const turn = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) choose(state.language + step);
      else if (turn) { state.message = (state.message + turn + count) % count; show(); }
      else return;
      event.preventDefault();
    });
    side.addEventListener("click", (event) => {
      const button = event.target.closest(".mb-found");
      if (!button) return;
      const place = Number(button.dataset.place);
      state.message = place % count;
      choose(Math.floor(place / count));
    });
    root.dataset.live = "";
    show();
  }
  for (const root of document.querySelectorAll(".mb-language:not([data-live])")) start(root);
})();
