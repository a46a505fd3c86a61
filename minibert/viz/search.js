(() => {
  "use strict";
  // include make.js

  function start(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const { passages, sources, queries, right, width, shown } = data;
    const bytes = (text) => new Int8Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
    const rows = (flat) => Array.from({ length: flat.length / width }, (_, i) => flat.subarray(i * width, (i + 1) * width));
    const vectors = rows(bytes(data.vectors));
    const asked = rows(bytes(data.asked));
    const dot = (a, b) => { let sum = 0; for (let i = 0; i < a.length; i += 1) sum += a[i] * b[i]; return sum; };
    const lengths = vectors.map((v) => Math.sqrt(dot(v, v)));

    // ---- words: as minibert.tasks.bags, weights by how rare a word is
    const cut = (text) => text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) || [];
    const counted = (text) => { const n = new Map(); for (const w of cut(text)) n.set(w, (n.get(w) || 0) + 1); return n; };
    const bags = passages.map(counted);
    const texts = new Map();
    for (const bag of bags) for (const word of bag.keys()) texts.set(word, (texts.get(word) || 0) + 1);
    const weigh = (bag) => {
      const found = new Map();
      let square = 0;
      for (const [word, n] of bag) {
        if (!texts.has(word)) continue;
        const weight = (1 + Math.log(n)) * (Math.log((1 + passages.length) / (1 + texts.get(word))) + 1);
        found.set(word, weight);
        square += weight * weight;
      }
      for (const [word, weight] of found) found.set(word, weight / Math.sqrt(square));
      return found;
    };
    const weighed = bags.map(weigh);
    const order = (scores) => scores.map((score, number) => [number, score]).sort((a, b) => b[1] - a[1] || a[0] - b[0]);
    const byVector = (vector) => {
      const own = Math.sqrt(dot(vector, vector));
      return order(vectors.map((other, i) => dot(vector, other) / (own * lengths[i])));
    };
    const byWords = (text) => {
      const query = weigh(counted(text));
      return order(weighed.map((bag) => { let sum = 0; for (const [w, x] of query) sum += x * (bag.get(w) || 0); return sum; }));
    };

    // ---- the page
    const bar = make("div", "mb-bar", root);
    make("span", "mb-title", bar).textContent = data.title;
    const label = make("label", "", bar);
    label.append("stored query");
    const select = make("select", "", label, { "aria-label": "stored query" });
    queries.forEach((query, index) => { make("option", "", select, { value: index }).textContent = query; });
    make("option", "", select, { value: -1 }).textContent = "(your own)";
    const typed = make("label", "", bar);
    typed.append("or type");
    const input = make("input", "mb-query", typed, { type: "search", "aria-label": "type a query", size: 28 });
    const body = make("div", "mb-body", root);
    const columns = ["vectors", "words"].map((name) => {
      const column = make("div", "mb-column", body, { "data-by": name });
      const caption = make("div", "mb-caption", column);
      const buttons = Array.from({ length: Math.min(shown, passages.length) }, () => {
        const button = make("button", "mb-found", column, { type: "button" });
        const cosine = make("i", "", button);
        const source = make("b", "", button);
        const text = make("span", "", button);
        return { button, cosine, source, text };
      });
      return { caption, buttons };
    });
    const say = make("div", "mb-say", root, { "aria-live": "polite" });
    if (data.credit) make("div", "mb-credit", root).textContent = data.credit;

    function fill(column, caption, ranking, known) {
      column.caption.textContent = caption;
      column.buttons.forEach(({ button, cosine, source, text }, place) => {
        const [number, score] = ranking[place];
        button.dataset.number = number;
        button.classList.toggle("mb-right", number === known);
        cosine.textContent = score.toFixed(2);
        source.textContent = `${number === known ? "✓ " : ""}${sources[number]}`;
        text.textContent = passages[number];
        button.setAttribute("aria-label", `rank ${place + 1}, cosine ${cosine.textContent}, ${sources[number]}: ${passages[number]}`);
      });
    }
    const rankOf = (ranking, known) => ranking.findIndex(([number]) => number === known) + 1;
    function ask(index) {
      const known = right[index], one = byVector(asked[index]), other = byWords(queries[index]);
      select.value = index;
      fill(columns[0], "by the query's vector", one, known);
      fill(columns[1], "by the query's words", other, known);
      say.textContent = known === null ? `“${queries[index]}”: nobody has said which passage is right.` :
        `“${queries[index]}”: of ${passages.length} passages, the one that belongs to it has rank ${rankOf(one, known)} by ` +
        `its vector and ${rankOf(other, known)} by its words.`;
    }
    function type(text) {
      select.value = -1;
      const other = byWords(text), first = other[0];
      if (first[1] === 0) {
        say.textContent = `None of the passages has a word of “${text}”, and this page holds no model that could make a vector of it.`;
        return;
      }
      fill(columns[0], "nearest to the first passage found by words", byVector(vectors[first[0]]), null);
      fill(columns[1], "by the words that you typed", other, null);
      say.textContent = `This page holds no model, so “${text}” has no vector. Words found ${sources[first[0]]} first; the other list ` +
        "holds what lies nearest to that passage.";
    }
    function like(number) {
      select.value = -1;
      fill(columns[0], "nearest to this passage, by vectors", byVector(vectors[number]), null);
      fill(columns[1], "by its words", byWords(passages[number]), null);
      say.textContent = `Passages like “${sources[number]}”, itself first.`;
    }
    select.addEventListener("change", () => { if (Number(select.value) >= 0) { input.value = ""; ask(Number(select.value)); } });
    input.addEventListener("input", () => { if (cut(input.value).length) type(input.value); });
    body.addEventListener("click", (event) => {
      const button = event.target.closest(".mb-found");
      if (button) { input.value = ""; like(Number(button.dataset.number)); }
    });
    root.dataset.live = "";
    ask(0);
  }
  for (const root of document.querySelectorAll(".mb-search:not([data-live])")) start(root);
})();
