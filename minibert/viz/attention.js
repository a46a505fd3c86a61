(() => {
  "use strict";
  const LEVELS = 240;
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const weight = (level) => (level / LEVELS) ** 2;
  const percent = (p) => (p > 0 && p < 0.005 ? "< 1" : Math.round(100 * p)) + " %";
  // include make.js
  const select = (parent, name, count, value) => {
    const label = make("label", "", parent);
    label.append(name);
    const list = make("select", "", label);
    for (let i = 0; i < count; i++) list.append(new Option(i, i));
    list.value = value;
    return list;
  };

  function start(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const { tokens, layers, heads, kept, pool } = data;
    const size = tokens.length;
    const values = bytes(data.values);
    const keys = data.keys === null ? null : new Uint16Array(bytes(data.keys).buffer);
    const thumbs = data.thumbs === null ? values : bytes(data.thumbs);
    let { layer, head } = data;
    let pinned = data.pinned; // [side, index]: side 0 asks (query), side 1 is asked (key)
    let active = pinned;

    // what one head links: query i to its r-th kept key
    const base = () => (layer * heads + head) * size * kept;
    const keyOf = (i, r) => (keys === null ? r : keys[base() + i * kept + r]);
    const levelOf = (i, r) => values[base() + i * kept + r];
    function linksOf([side, index]) {
      const found = [];
      for (let i = side === 0 ? index : 0; i < (side === 0 ? index + 1 : size); i++)
        for (let r = 0; r < kept; r++)
          if (levelOf(i, r) > 0 && (side === 0 || keyOf(i, r) === index))
            found.push([side === 0 ? keyOf(i, r) : i, weight(levelOf(i, r))]);
      return found.sort((a, b) => b[1] - a[1] || a[0] - b[0]);
    }

    // ---- every node is made once; later only attributes and pixels change
    const bar = make("div", "mb-bar", root);
    make("span", "mb-title", bar).textContent = data.title;
    const layerList = select(bar, "Layer", layers, layer);
    const headList = select(bar, "Head", heads, head);
    make("span", "mb-note", bar).textContent =
      "Point at a token; click or Enter pins it, Escape frees it. Arrow keys move." + data.note;
    const body = make("div", "mb-body", root);
    const left = make("div", "", body);
    make("div", "mb-caption", left).textContent = "All heads: a row for each layer, strong colour is much";
    const side = Math.max(14, Math.min(34, Math.floor(400 / heads), Math.floor(480 / layers)));
    const grid = make("div", "mb-heads", left, { role: "grid", "aria-label": "Heads: rows are layers" });
    grid.style.gridTemplateColumns = `auto repeat(${heads}, ${side}px)`;
    const cells = [];
    for (let l = 0; l < layers; l++) {
      const row = make("div", "", grid, { role: "row" });
      make("span", "", row, { role: "rowheader", "aria-label": `layer ${l}` }).textContent = l;
      for (let h = 0; h < heads; h++) {
        const cell = make("div", "mb-head", row, {
          role: "gridcell", tabindex: -1, title: `layer ${l}, head ${h}`, "aria-label": `layer ${l}, head ${h}`,
          "aria-selected": "false",
        });
        cell.style.width = cell.style.height = side + "px";
        cell.dataset.head = cells.length;
        thumbnail(make("canvas", "", cell, { width: pool, height: pool }), cells.length);
        cells.push(cell);
      }
    }
    const foot = make("div", "", grid, { role: "row", "aria-hidden": "true" });
    make("span", "", foot);
    for (let h = 0; h < heads; h++) make("span", "", foot).textContent = h;

    const right = make("div", "mb-links", body);
    const caption = make("div", "mb-caption", right);
    const scroll = make("div", "mb-scroll", right);
    const height = size <= 14 ? 28 : size <= 30 ? 22 : 18;
    const column = (name, label) =>
      make("div", name, scroll, { role: "listbox", "aria-label": label });
    const from = column("mb-from", "tokens that look (queries)");
    const canvas = make("canvas", "", scroll, { "aria-hidden": "true" });
    const to = column("mb-to", "tokens looked at (keys)");
    const items = [from, to].map((list, which) =>
      tokens.map((token, index) => {
        const item = make("div", "mb-token", list, {
          role: "option", tabindex: -1, title: `${index}: ${token}`, "aria-selected": "false",
        });
        item.style.height = height + "px";
        item.dataset.index = index;
        item.dataset.side = which;
        make("b", "", item).textContent = token;
        make("i", "", item);
        return item;
      }));
    items[0][0].tabIndex = items[1][0].tabIndex = 0;
    const say = make("div", "mb-say", root, { "aria-live": "polite" });

    function thumbnail(node, number) {
      const pen = node.getContext("2d");
      const image = pen.createImageData(pool, pool);
      for (let i = 0; i < pool * pool; i++)
        image.data.set([43, 131, 198, (255 * thumbs[number * pool * pool + i]) / LEVELS], 4 * i);
      pen.putImageData(image, 0, 0);
    }

    // ---- drawing
    let queued = false;
    function draw() {
      if (queued) return;
      queued = true;
      requestAnimationFrame(() => { queued = false; paint(); });
    }
    function paint() {
      const shown = Math.min(520, size * height);
      const wide = canvas.parentNode.clientWidth - from.offsetWidth - to.offsetWidth;
      if (wide <= 0) return;
      const ratio = window.devicePixelRatio || 1;
      if (canvas.width !== Math.round(wide * ratio)) canvas.width = Math.round(wide * ratio);
      if (canvas.height !== Math.round(shown * ratio)) canvas.height = Math.round(shown * ratio);
      canvas.style.height = shown + "px";
      const pen = canvas.getContext("2d");
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.clearRect(0, 0, wide, shown);
      const top = scroll.scrollTop;
      const y = (index) => (index + 0.5) * height - top;
      const curve = (i, j, p, color, strength) => {
        if (Math.max(y(i), y(j)) < 0 || Math.min(y(i), y(j)) > shown) return;
        pen.strokeStyle = `rgb(${color} / ${Math.min(1, strength * (0.14 + p))})`;
        pen.lineWidth = 0.6 + 4 * p;
        pen.beginPath();
        pen.moveTo(0, y(i));
        pen.bezierCurveTo(0.4 * wide, y(i), 0.6 * wide, y(j), wide, y(j));
        pen.stroke();
      };
      for (let i = 0; i < size; i++)
        for (let r = 0; r < kept; r++) {
          const p = weight(levelOf(i, r));
          if (p >= 0.02) curve(i, keyOf(i, r), p, "43 131 198", active === null ? 1 : 0.12);
        }
      if (active === null) return;
      for (const [other, p] of linksOf(active).reverse())
        active[0] === 0 ? curve(active[1], other, p, "217 108 6", 1.4) : curve(other, active[1], p, "217 108 6", 1.4);
    }
    let lit = [];
    function show() {
      for (const item of lit) {
        item.classList.remove("mb-on");
        item.style.removeProperty("--p");
        item.lastChild.textContent = "";
        item.setAttribute("aria-selected", "false");
      }
      lit = [];
      const place = `Layer ${layer}, head ${head}`;
      if (active === null) {
        say.textContent = `${place}. Lines go from each token on the left to what it looks at, on the right; ` +
          "thick is much. Point at a token to follow it.";
      } else {
        const [which, index] = active;
        const found = linksOf(active);
        for (const [other, p] of found) {
          const item = items[1 - which][other];
          item.style.setProperty("--p", p.toFixed(3));
          if (p >= 0.005) item.lastChild.textContent = percent(p);
          lit.push(item);
        }
        const own = items[which][index];
        own.classList.add("mb-on");
        own.setAttribute("aria-selected", String(pinned !== null && pinned[0] === which && pinned[1] === index));
        lit.push(own);
        const best = found.slice(0, 5).map(([other, p]) => `${tokens[other]} ${percent(p)}`).join(", ");
        say.textContent = `${place}. ` + (which === 0
          ? `“${tokens[index]}” (token ${index}) looks at: ${best || "nothing"}.`
          : `“${tokens[index]}” (token ${index}) is looked at by: ${best || "nobody kept here"}.`);
      }
      draw();
    }
    function choose(l, h) {
      cells[layer * heads + head].setAttribute("aria-selected", "false");
      cells[layer * heads + head].tabIndex = -1;
      [layer, head] = [l, h];
      cells[l * heads + h].setAttribute("aria-selected", "true");
      cells[l * heads + h].tabIndex = 0;
      layerList.value = l;
      headList.value = h;
      caption.textContent = `Layer ${l}, head ${h}: who looks (left) at whom (right)`;
      show();
    }

    // ---- what the reader does
    layerList.addEventListener("change", () => choose(Number(layerList.value), head));
    headList.addEventListener("change", () => choose(layer, Number(headList.value)));
    grid.addEventListener("click", (event) => {
      const cell = event.target.closest(".mb-head");
      if (cell) choose(Math.floor(cell.dataset.head / heads), cell.dataset.head % heads);
    });
    grid.addEventListener("keydown", (event) => {
      const [down, across] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
        Home: [0, -head], End: [0, heads - 1 - head] }[event.key] || [0, 0];
      if (!down && !across) return;
      event.preventDefault();
      choose((layer + down + layers) % layers, (head + across + heads) % heads);
      cells[layer * heads + head].focus();
    });
    const spot = (event) => {
      const item = event.target.closest(".mb-token");
      return item && [Number(item.dataset.side), Number(item.dataset.index)];
    };
    const same = (a, b) => a !== null && b !== null && a[0] === b[0] && a[1] === b[1];
    function pin(place) {
      pinned = same(pinned, place) ? null : place;
      active = place;
      show();
    }
    function follow(event) { // a pinned token stays until it is freed
      const place = spot(event);
      if (place && pinned === null && !same(active, place)) { active = place; show(); }
    }
    scroll.addEventListener("pointerover", follow);
    scroll.addEventListener("pointerleave", () => { active = pinned; show(); });
    scroll.addEventListener("focusin", follow);
    scroll.addEventListener("click", (event) => { if (spot(event)) pin(spot(event)); });
    scroll.addEventListener("keydown", (event) => {
      const place = spot(event);
      if (!place) return;
      const [which, index] = place;
      const next = { ArrowUp: [which, index - 1], ArrowDown: [which, index + 1], ArrowLeft: [0, index],
        ArrowRight: [1, index], Home: [which, 0], End: [which, size - 1] }[event.key];
      if (event.key === "Enter" || event.key === " ") pin(place);
      else if (!next) return;
      else if (next[1] >= 0 && next[1] < size) {
        event.target.tabIndex = -1;
        items[next[0]][next[1]].tabIndex = 0;
        items[next[0]][next[1]].focus();
      }
      event.preventDefault();
    });
    root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      pinned = active = null;
      show();
    });
    scroll.addEventListener("scroll", draw);
    new ResizeObserver(draw).observe(scroll);
    root.dataset.live = "";
    choose(layer, head);
  }
  for (const root of document.querySelectorAll(".mb-attention:not([data-live])")) start(root);
})();
