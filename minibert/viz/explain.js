/* The page around the model: two texts, their pieces, guesses for masked tokens, attention, one pair of tokens in
   detail, and a word of the first text beside one of the second, layer by layer. tokenizer.js and forward.js compute. */
(() => {
  "use strict";
  // include make_text.js
  const TOKENIZER = (() => {
    // include tokenizer.js
    return { open: openTokenizer, encode };
  })();
  const MODEL = (() => {
    // include forward.js
    return { encode, maskedTokenLogits, softmax };
  })();

  // ---- what the page carries: numbers as text
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const half = (n) => { // a number of 16 bits: sign, 5 bits of exponent, 10 of fraction
    const sign = n & 0x8000 ? -1 : 1, exponent = (n >> 10) & 31, fraction = n & 1023;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
  };
  const HALVES = Float32Array.from({ length: 65536 }, (_, n) => half(n));
  function unpack({ shape, half, int8, scales }) {
    if (half !== undefined) return { shape, data: Float32Array.from(new Uint16Array(bytes(half).buffer), (n) => HALVES[n]) };
    const rows = new Float32Array(bytes(scales).buffer), wide = shape[1];
    return { shape, data: Float32Array.from(new Int8Array(bytes(int8).buffer), (n, i) => n * rows[Math.floor(i / wide)]) };
  }

  function start(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const { config, special } = data;
    const weights = Object.fromEntries(Object.entries(data.weights).map(([name, packed]) => [name, unpack(packed)]));
    const tok = TOKENIZER.open(data.tokenizer);
    const startViews = new Function(data.attention); // the script of AttentionView: it finds new views by itself

    // ---- the two texts
    make("h2", "", root, data.title);
    make("p", "mb-note", root, data.note);
    const texts = ["text", "a second text, to compare with"].map((name, which) => {
      const label = make("label", "mb-explain-label", root, name);
      const area = make("textarea", "", label);
      area.rows = 2;
      area.value = data.texts[which] ?? "";
      area.spellcheck = false;
      const row = make("div", "mb-explain-tokens", root);
      row.setAttribute("role", "group");
      row.setAttribute("aria-label", `the tokens of ${which ? "the second" : "the first"} text; press one to mask it`);
      const state = { which, area, row, masked: new Set(), tokens: [], states: [], seen: [] };
      area.addEventListener("input", () => { state.masked.clear(); queue(state); });
      return state;
    });
    const note = make("p", "mb-say", root);
    note.setAttribute("aria-live", "polite");

    let waiting = null;
    function queue(text) { // typing: one pass when the browser has time for it
      waiting = waiting ?? new Set();
      if (waiting.size === 0) requestAnimationFrame(() => { const all = waiting; waiting = null; all.forEach(compute); draw(); });
      waiting.add(text);
    }

    function compute(text) {
      const began = performance.now(), all = TOKENIZER.encode(tok, text.area.value).tokens, most = data.most;
      text.tokens = all.length > most ? [...all.slice(0, most - 1), all[all.length - 1]] : all;
      text.cut = all.length - text.tokens.length;
      const ids = text.tokens.map((token, place) => (text.masked.has(place) ? special.mask : token.id));
      text.seen = [];
      text.states = MODEL.encode(weights, config, ids, null, text.seen);
      text.milliseconds = performance.now() - began;
      root.dataset.milliseconds = text.milliseconds.toFixed(1);
    }

    function drawTokens(text) {
      text.row.replaceChildren();
      text.tokens.forEach((token, place) => {
        const masked = text.masked.has(place) || token.id === special.mask;
        const button = make("button", "mb-piece", text.row, masked ? data.mask : token.token);
        button.type = "button";
        button.dataset.id = token.id;
        button.setAttribute("aria-pressed", String(masked));
        button.title = `${place}: ${token.token}, id ${token.id}` + (token.stop > token.start ? `, letters ${token.start} to ${token.stop}` : "");
        make("small", "", button, String(masked ? special.mask : token.id));
        button.addEventListener("click", () => {
          text.masked.has(place) ? text.masked.delete(place) : text.masked.add(place);
          compute(text);
          draw();
          text.row.children[place].focus();
        });
      });
    }

    // ---- guesses
    const guesses = section("What stands under the mask?", "Press a token above to mask it. The bars are the ten most probable entries of the vocabulary.");
    function drawGuesses() {
      guesses.replaceChildren();
      for (const text of texts) {
        text.tokens.forEach((token, place) => {
          if (!text.masked.has(place) && token.id !== special.mask) return;
          const D = config.hidden, last = text.states[text.states.length - 1];
          const chances = MODEL.softmax(MODEL.maskedTokenLogits(weights, config, last.slice(place * D, (place + 1) * D)));
          const best = [...chances.keys()].filter((id) => !special.all.includes(id)).sort((a, b) => chances[b] - chances[a]);
          const list = make("ol", "mb-guesses", guesses);
          const was = token.id === special.mask ? "" : `, in place of ${token.token} (${percent(chances[token.id])})`;
          make("li", "mb-caption", list, `text ${text.which + 1}, token ${place}${was}`);
          for (const id of best.slice(0, 10)) {
            const line = make("li", "", list);
            line.style.setProperty("--p", chances[id]);
            make("b", "", line, tok.tokens[id]);
            make("i", "", line, percent(chances[id]));
          }
        });
      }
      if (!guesses.firstChild) make("p", "mb-note", guesses, "Nothing is masked.");
    }

    // ---- attention, as AttentionView draws it
    const attentionSection = section("Who looks at whom?", "Every layer and head of the text that is chosen here.");
    const which = choice(attentionSection, "text", ["1", "2"], () => { drawAttention(); drawPair(); });
    const attentionHome = make("div", "", attentionSection);
    function drawAttention() {
      const text = texts[Number(which.value)], T = text.tokens.length, { layers, heads } = config;
      const old = attentionHome.querySelectorAll("select"), chosen = (n) => Number(old[n]?.value ?? 0);
      const links = linksOf(text.seen.map(({ maps }) => maps), T);
      const holder = document.createElement("div");
      holder.className = "mb-attention";
      const inside = document.createElement("script");
      inside.type = "application/json";
      inside.textContent = JSON.stringify({
        tokens: names(text), title: "", note: "", layers, heads, layer: chosen(0), head: chosen(1), pinned: null, kept: T, keys: null, ...links,
      });
      holder.append(inside);
      attentionHome.replaceChildren(holder);
      startViews();
    }

    // ---- one pair
    const pairSection = section("Why this weight?", "The query of one token times the key of another, channel by channel. The sum, divided by the root of the head's size, is the score; the softmax of a row of scores gives the attention weights.");
    const pairBar = make("div", "mb-bar", pairSection);
    const layerOf = choice(pairBar, "layer", [...Array(config.layers).keys()], drawPair);
    const headOf = choice(pairBar, "head", [...Array(config.heads).keys()], drawPair);
    const queryOf = choice(pairBar, "query", [], drawPair), keyOf = choice(pairBar, "key", [], drawPair);
    const pairHome = make("div", "", pairSection);
    function drawPair() {
      const text = texts[Number(which.value)];
      refill(queryOf, names(text), 1);
      refill(keyOf, names(text), 0);
      const { projected, maps, H, G, K } = text.seen[Number(layerOf.value)], h = Number(headOf.value);
      const i = Number(queryOf.value), j = Number(keyOf.value), T = text.tokens.length, wide = (H + 2 * G) * K;
      const group = Math.floor((h * G) / H);
      const rows = Array.from({ length: K }, (_, k) => {
        const q = projected[i * wide + h * K + k], key = projected[j * wide + (H + group) * K + k];
        return [q, key, q * key];
      });
      const total = rows.reduce((sum, row) => sum + row[2], 0), weight = maps[h][i * T + j];
      pairHome.replaceChildren();
      make("p", "mb-say", pairHome, `sum ${total.toFixed(2)}, divided by √${K}: score ${(total / Math.sqrt(K)).toFixed(2)}; attention weight ${percent(weight)}`);
      pairHome.append(bars(rows.map((row) => row[0]), "query"), bars(rows.map((row) => row[1]), "key"), bars(rows.map((row) => row[2]), "product"));
    }

    // ---- a word in two texts
    const wordSection = section("The same word in two texts?", "The cosine of two tokens' vectors after each layer. The thin line is the mean cosine of the first token and all tokens of the second text.");
    const wordBar = make("div", "mb-bar", wordSection);
    const first = choice(wordBar, "text 1", [], drawWord), second = choice(wordBar, "text 2", [], drawWord);
    const wordHome = make("div", "", wordSection);
    function drawWord() {
      refill(first, names(texts[0]), 1);
      refill(second, names(texts[1]), Math.max(0, names(texts[1]).indexOf(names(texts[0])[Number(first.value)])));
      const D = config.hidden, at = (text, layer, place) => text.states[layer].subarray(place * D, (place + 1) * D);
      const layers = [...texts[0].states.keys()], here = Number(first.value);
      const pair = layers.map((layer) => cosine(at(texts[0], layer, here), at(texts[1], layer, Number(second.value))));
      const all = layers.map((layer) => mean(texts[1].tokens.map((_, place) => cosine(at(texts[0], layer, here), at(texts[1], layer, place)))));
      wordHome.replaceChildren(curve(pair, all));
      make("p", "mb-say", wordHome, layers.map((layer) => `${layerName(layer)} ${pair[layer].toFixed(2)} (all ${all[layer].toFixed(2)})`).join(", "));
    }
    const layerName = (layer) => (layer === 0 ? "embeddings" : layer > config.layers ? "final norm" : `layer ${layer}`);

    // ---- small things that the sections share
    function section(title, words) {
      const home = make("section", "", root);
      make("h3", "", home, title);
      make("p", "mb-note", home, words);
      return make("div", "", home);
    }
    function choice(parent, name, options, act) {
      const list = make("select", "", make("label", "", parent, name + " "));
      options.forEach((text, index) => list.append(new Option(text, index)));
      list.addEventListener("change", act);
      return list;
    }
    function refill(list, options, otherwise) { // keeps what is chosen while the options stay the same
      const now = options.map((text, index) => `${index} ${text}`), before = [...list.options].map((option) => option.text);
      if (now.join("\n") === before.join("\n")) return;
      const kept = list.value;
      list.replaceChildren(...now.map((text, index) => new Option(text, index)));
      list.value = kept !== "" && Number(kept) < now.length ? kept : Math.min(otherwise, now.length - 1);
    }
    const names = (text) => text.tokens.map((token, place) => (text.masked.has(place) ? data.mask : token.token));

    function draw() {
      texts.forEach(drawTokens);
      const cut = texts.filter((text) => text.cut).map((text) => `text ${text.which + 1} is cut to ${data.most} tokens`);
      note.textContent = [`${texts.map((text) => text.tokens.length).join(" and ")} tokens`, ...cut].join("; ");
      drawGuesses();
      drawAttention();
      drawPair();
      drawWord();
    }
    texts.forEach(compute);
    draw();
    root.model = { // for whoever opens the console: document.querySelector(".mb-explain").model.tokens("a text")
      tokens: (text) => TOKENIZER.encode(tok, text).tokens,
      logits: (ids, place) => {
        const states = MODEL.encode(weights, config, ids, null), D = config.hidden, last = states[states.length - 1];
        return MODEL.maskedTokenLogits(weights, config, last.slice(place * D, (place + 1) * D));
      },
    };
    root.dataset.live = "";
  }

  // ---- drawing and arithmetic without state
  const percent = (p) => (p < 0.005 ? "< 1" : Math.round(100 * p)) + " %";
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  function cosine(a, b) {
    let product = 0, left = 0, right = 0;
    for (let d = 0; d < a.length; d++) { product += a[d] * b[d]; left += a[d] ** 2; right += b[d] ** 2; }
    return product / Math.sqrt(left * right);
  }
  function linksOf(layers, T) { // attention weights as AttentionView has them: roots in 240 steps, one byte each
    const level = (p) => Math.round(240 * Math.sqrt(p)), pool = Math.min(T, 24);
    const values = layers.flatMap((maps) => maps.map((map) => Uint8Array.from(map, level)));
    const small = (map) => {
      const found = new Uint8Array(pool * pool);
      const field = (n) => Math.min(pool - 1, Math.floor((n * pool) / T));
      for (let i = 0; i < T; i++) for (let j = 0; j < T; j++) {
        const place = field(i) * pool + field(j);
        found[place] = Math.max(found[place], map[i * T + j]);
      }
      return found;
    };
    const text = (arrays) => btoa(arrays.map((array) => array.reduce((line, n) => line + String.fromCharCode(n), "")).join(""));
    return { values: text(values), pool, thumbs: pool === T ? null : text(values.map(small)) };
  }
  function svg(wide, high, label) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    node.setAttribute("viewBox", `0 0 ${wide} ${high}`);
    node.setAttribute("role", "img");
    node.setAttribute("aria-label", label);
    return node;
  }
  function shape(parent, kind, attributes, text = "") {
    const node = document.createElementNS("http://www.w3.org/2000/svg", kind);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.textContent = text;
    parent.append(node);
  }
  function bars(values, name) { // a bar for each channel, up or down
    const node = svg(660, 70, `${name}: ${values.map((value) => value.toFixed(2)).join(", ")}`);
    const most = Math.max(...values.map(Math.abs), 1e-9), wide = 580 / values.length;
    shape(node, "text", { x: 0, y: 38, class: "mb-explain-word" }, name);
    values.forEach((value, k) => {
      const high = (30 * Math.abs(value)) / most;
      shape(node, "rect", { x: 75 + k * wide, y: value > 0 ? 35 - high : 35, width: 0.8 * wide, height: high, class: value > 0 ? "mb-explain-up" : "mb-explain-down" });
    });
    shape(node, "line", { x1: 75, x2: 655, y1: 35, y2: 35, class: "mb-explain-axis" });
    return node;
  }
  function curve(pair, all) { // cosines from -1 to 1 over the layers
    const node = svg(660, 170, "cosine by layer"), x = (n) => 60 + (560 * n) / Math.max(1, pair.length - 1), y = (c) => 80 - 70 * c;
    for (const level of [-1, 0, 1]) {
      shape(node, "line", { x1: 55, x2: 630, y1: y(level), y2: y(level), class: "mb-explain-axis" });
      shape(node, "text", { x: 30, y: y(level) + 4, class: "mb-explain-word" }, String(level));
    }
    const points = (values) => values.map((value, n) => `${x(n)},${y(value)}`).join(" ");
    shape(node, "polyline", { points: points(all), class: "mb-explain-thin" });
    shape(node, "polyline", { points: points(pair), class: "mb-explain-line" });
    pair.forEach((value, n) => {
      shape(node, "circle", { cx: x(n), cy: y(value), r: 4, class: "mb-explain-dot" });
      shape(node, "text", { x: x(n), y: 168, class: "mb-explain-word", "text-anchor": "middle" }, n === 0 ? "embeddings" : String(n));
    });
    return node;
  }
  for (const root of document.querySelectorAll(".mb-explain:not([data-live])")) start(root);
})();
