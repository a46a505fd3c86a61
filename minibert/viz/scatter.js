(() => {
  "use strict";
  // include make.js

  function start(root) {
    const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const { texts, groups, names, panels, marks, colors } = data;
    const count = texts.length;
    let layer = data.layer;
    let pinned = null;
    let active = null;
    const mark = (group) => `d="${marks[group % marks.length]}" fill="${colors[group % colors.length]}"`;

    // ---- every node is made once; later only attributes change
    const bar = make("div", "mb-bar", root);
    make("span", "mb-title", bar).textContent = data.title;
    const label = make("label", "", bar);
    label.append("Layer");
    const slider = make("input", "", label, {
      type: "range", min: 0, max: data.layers - 1, step: 1, value: layer, "aria-label": "layer",
    });
    const shown = make("span", "", label);
    make("span", "mb-note", bar).textContent =
      "0 is the embedding. Point at a dot to read it; click or Enter pins, Escape frees, arrow keys move.";
    const legend = make("div", "mb-legend", root);
    names.forEach((name, group) => {
      const entry = make("span", "", legend);
      entry.innerHTML = `<svg viewBox="-9 -9 18 18" aria-hidden="true"><path ${mark(group)}/></svg>`;
      entry.append(name);
    });
    const plots = make("div", "mb-plots", root);
    const dots = panels.map((panel) => {
      const plot = make("div", "mb-plot", plots);
      panel.caption = make("div", "mb-caption", plot);
      const frame = make("div", "", plot);
      frame.innerHTML = `<svg viewBox="-20 -20 440 340" role="listbox">` +
        groups.map((group) => `<path class="mb-dot" role="option" tabindex="-1" ${mark(group)}/>`).join("") + "</svg>";
      frame.firstChild.setAttribute("aria-label", panel.name + ": one dot for each text");
      const paths = [...frame.firstChild.children];
      paths.forEach((path, index) => {
        path.dataset.index = index;
        path.setAttribute("aria-label", `${names[groups[index]]}: ${texts[index]}`);
      });
      paths[0].setAttribute("tabindex", 0);
      return paths;
    });
    const say = make("div", "mb-say", root, { "aria-live": "polite" });

    function move() {
      shown.textContent = `${layer} of ${data.layers - 1}`;
      slider.setAttribute("aria-valuetext", `layer ${layer}`);
      panels.forEach((panel, which) => {
        panel.caption.textContent = panel.share === null ? panel.name
          : `${panel.name}: ${panel.share[layer]} of ${count} have a nearest neighbour of their own group`;
        dots[which].forEach((dot, index) => {
          const [x, y] = panel.places[layer][index];
          dot.dataset.place = `${0.4 * x}px, ${0.3 * y}px`;
          place(dot, index);
        });
      });
      show();
    }
    const place = (dot, index) => {
      dot.style.transform = `translate(${dot.dataset.place}) scale(${index === active ? 1.7 : 1})`;
    };
    function show() {
      for (const paths of dots)
        paths.forEach((dot, index) => {
          dot.classList.toggle("mb-on", index === active);
          dot.setAttribute("aria-selected", String(index === pinned));
          place(dot, index);
        });
      if (active === null) {
        say.textContent = `Layer ${layer}. Each dot is the word in one text; near means alike along the two directions ` +
          "in which the vectors differ most.";
      } else {
        const near = panels.map((panel) => `${panel.name}: “${texts[panel.nearest[layer][active]]}”`).join("; ");
        say.textContent = `${names[groups[active]]}: “${texts[active]}” Layer ${layer}, nearest neighbour: ${near}`;
      }
    }
    const spot = (event) => {
      const dot = event.target.closest(".mb-dot");
      return dot && Number(dot.dataset.index);
    };
    const follow = (event) => {
      const index = spot(event);
      if (index !== null && pinned === null && index !== active) { active = index; show(); }
    };
    const pin = (index) => { pinned = pinned === index ? null : index; active = index; show(); };
    slider.addEventListener("input", () => { layer = Number(slider.value); move(); });
    plots.addEventListener("pointerover", follow);
    plots.addEventListener("focusin", follow);
    plots.addEventListener("pointerleave", () => { active = pinned; show(); });
    plots.addEventListener("click", (event) => { if (spot(event) !== null) pin(spot(event)); });
    plots.addEventListener("keydown", (event) => {
      const index = spot(event);
      if (index === null) return;
      const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
      if (event.key === "Enter" || event.key === " ") pin(index);
      else if (!step) return;
      else {
        const paths = dots.find((list) => list.includes(event.target));
        event.target.setAttribute("tabindex", -1);
        const next = paths[(index + step + count) % count];
        next.setAttribute("tabindex", 0);
        next.focus();
      }
      event.preventDefault();
    });
    root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      pinned = active = null;
      show();
    });
    root.dataset.live = "";
    move();
  }
  for (const root of document.querySelectorAll(".mb-scatter:not([data-live])")) start(root);
})();
